"""PyPI through pip, uv, twine and poetry: every client with its own defaults, in every shape, everything private."""

from __future__ import annotations

import functools
import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.clients.programs import Program, Result
from tests.clients.server import ADMIN, Server
from tests.clients.topology import SHAPES, Topology
from tests.clients.upstreams import live_upstream
from tests.samples.pypi_packages import sdist, wheel, wheel_name

LIVE = "requests"
"""A package with dependencies, for the tests with a live upstream."""


@pytest.fixture
def shapes(shapes_of: Callable[..., Topology]) -> Topology:
    return shapes_of("pypi")


def built(folder: Path, name: str, version: str, **metadata: object) -> Path:
    """A wheel on disk."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / wheel_name(name, version)
    file.write_bytes(wheel(name, version, **metadata))  # type: ignore[arg-type]
    return file


def twine_upload(twine: Program, url: str, *files: Path, user: tuple[str, str] = ADMIN) -> Result:
    login = ("--username", user[0], "--password", user[1], "--non-interactive", "--verbose")
    return twine.run("upload", "--repository-url", url, *login, *files)


def uv_publish(uv: Program, url: str, *files: Path, user: tuple[str, str] = ADMIN) -> Result:
    login = ("--username", user[0], "--password", user[1], "--trusted-publishing", "never")
    return uv.run("publish", "--publish-url", url, *login, *files)


def pip_install(pip: Program, index: str, site: Path, *wanted: str) -> Result:
    return pip.run("install", "--no-input", "--no-cache-dir", "--target", site, "--index-url", index, *wanted)


def uv_install(uv: Program, index: str, site: Path, *wanted: str) -> Result:
    python = ("--python", sys.executable)
    return uv.run("pip", "install", *python, "--target", site, "--default-index", index, *wanted)


INSTALL: Mapping[str, Callable[..., Result]] = {"pip": pip_install, "uv": uv_install}


@pytest.fixture
def installers(pip: Program, uv: Program) -> Mapping[str, Callable[..., Result]]:
    programs = {"pip": pip, "uv": uv}
    return {name: lambda *args, _name=name, **more: INSTALL[_name](programs[_name], *args, **more) for name in programs}


def version_in(site: Path, module: str) -> str:
    """The version that an installed sample prints."""
    return (site / f"{module}.py").read_text().partition("'")[2].partition("'")[0]


@pytest.mark.parametrize("shape", SHAPES)
def test_what_twine_uploads_pip_installs(
    shape: str, twine: Program, pip: Program, shapes: Topology, tmp_path: Path, proves: Callable[..., None]
) -> None:
    proves("pypi", "twine", "hosted")
    proves("pypi", "pip", shape)
    name = f"Twine.{shape}"
    twine_upload(twine, shapes.url(shapes.source(shape)), built(tmp_path / "dist", name, "1.0")).ok()

    pip_install(pip, shapes.login_url(shape, "simple/"), tmp_path / "site", name).ok()

    assert version_in(tmp_path / "site", f"twine_{shape}") == "1.0"


@pytest.mark.parametrize("shape", SHAPES)
def test_what_uv_publishes_uv_installs(
    shape: str, uv: Program, shapes: Topology, tmp_path: Path, proves: Callable[..., None]
) -> None:
    proves("pypi", "uv", shape)
    uv_publish(uv, shapes.url(shapes.source(shape)), built(tmp_path / "dist", f"uv-{shape}", "1.0")).ok()

    uv_install(uv, shapes.login_url(shape, "simple"), tmp_path / "site", f"uv_{shape}").ok()

    assert version_in(tmp_path / "site", f"uv_{shape}") == "1.0"


PROJECT = """\
[project]
name = "consumer"
version = "0.1"
requires-python = ">=3.11"
dependencies = ["{name}"]
[tool.poetry]
package-mode = false
[[tool.poetry.source]]
name = "mine"
url = "{url}"
priority = "primary"
"""


@pytest.mark.parametrize("shape", SHAPES)
def test_what_poetry_publishes_poetry_installs(
    shape: str, poetry: Program, shapes: Topology, tmp_path: Path, proves: Callable[..., None]
) -> None:
    proves("pypi", "poetry", shape)
    name, home, project = f"poetry-{shape}", poetry.home(), tmp_path / "project"
    built(project / "dist", name, "1.0")
    (project / "pyproject.toml").write_text(PROJECT.format(name=name, url=shapes.url(shape, "simple/")))
    login = {"POETRY_HTTP_BASIC_MINE_USERNAME": ADMIN[0], "POETRY_HTTP_BASIC_MINE_PASSWORD": ADMIN[1]}
    publishing = {**login, "POETRY_REPOSITORIES_MINE_URL": shapes.url(shapes.source(shape))}
    local = {**login, "POETRY_VIRTUALENVS_IN_PROJECT": "true"}
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "pyproject.toml").write_text(f'[project]\nname = "{name}"\nversion = "1.0"\n')
    poetry.run(
        "publish", "-r", "mine", "--dist-dir", project / "dist", cwd=tmp_path / "other", home=home, env=publishing
    ).ok()

    poetry.run("install", "--no-interaction", cwd=project, home=home, env=local).ok()

    installed = list(project.glob(f".venv/lib/*/site-packages/poetry_{shape}.py"))
    assert [version_in(file.parent, file.stem) for file in installed] == ["1.0"]


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_a_dependency_in_another_member_of_the_group_is_found(
    client: str,
    twine: Program,
    installers: Mapping[str, Callable[..., Result]],
    shapes: Topology,
    tmp_path: Path,
    proves: Callable[..., None],
) -> None:
    proves("pypi", client, "group")
    top, below = f"top-{client}", f"below-{client}"
    twine_upload(twine, shapes.url("hosted"), built(tmp_path, top, "1.0", requires=[f"{below}>=2"])).ok()
    twine_upload(twine, shapes.url("upstream"), *(built(tmp_path, below, v) for v in ("1.0", "2.5"))).ok()

    installers[client](shapes.login_url("nested", "simple/"), tmp_path / "site", top).ok()

    assert version_in(tmp_path / "site", f"below_{client}") == "2.5"


@pytest.mark.parametrize("shape", ["hosted", "proxy", "group"])
@pytest.mark.parametrize("client", ["pip", "uv"])
def test_a_release_for_another_python_is_passed_over(
    client: str,
    shape: str,
    twine: Program,
    installers: Mapping[str, Callable[..., Result]],
    shapes: Topology,
    tmp_path: Path,
) -> None:
    name = f"pinned-{client}-{shape}"
    old = built(tmp_path, name, "1.0", requires_python=">=3.8,<9")
    twine_upload(twine, shapes.url(shapes.source(shape)), old, built(tmp_path, name, "2.0", requires_python=">=9")).ok()

    installers[client](shapes.login_url(shape, "simple/"), tmp_path / "site", name).ok()

    assert version_in(tmp_path / "site", name.replace("-", "_")) == "1.0"


def paths(server: Server, repository: str) -> list[str]:
    """The paths that a repository keeps."""
    found: list[str] = []
    token = ""
    while True:
        page = server.rest("GET", f"/assets?repository={repository}{token}").json()
        found += [item["path"].lstrip("/") for item in page["items"]]
        if not page.get("continuationToken"):
            return found
        token = f"&continuationToken={page['continuationToken']}"


def test_pip_resolves_by_the_metadata_file(twine: Program, pip: Program, shapes: Topology, tmp_path: Path) -> None:
    file = built(tmp_path, "meta-pip", "1.0", requires_python=">=3.8")
    twine_upload(twine, shapes.url("upstream"), file).ok()

    said = pip.run(
        "install", "-v", "--dry-run", "--ignore-installed", "--no-cache-dir",
        "--index-url", shapes.login_url("proxy", "simple/"), "meta-pip",
    ).ok()  # fmt: skip

    kept = paths(shapes.near, shapes.name("proxy"))
    assert f"packages/meta-pip/1.0/{file.name}.metadata" in kept, said.transcript()
    assert f"packages/meta-pip/1.0/{file.name}" not in kept


def test_uv_resolves_by_the_metadata_file(twine: Program, uv: Program, shapes: Topology, tmp_path: Path) -> None:
    file = built(tmp_path, "meta-uv", "1.0", requires_python=">=3.8")
    twine_upload(twine, shapes.url("upstream"), file).ok()
    (tmp_path / "in.txt").write_text("meta-uv\n")

    said = uv.run(
        "pip", "compile", "--python", sys.executable, "--default-index", shapes.login_url("group", "simple/"),
        tmp_path / "in.txt",
    ).ok()  # fmt: skip

    assert "meta-uv==1.0" in said.stdout
    kept = paths(shapes.near, shapes.name("proxy"))
    assert f"packages/meta-uv/1.0/{file.name}.metadata" in kept
    assert f"packages/meta-uv/1.0/{file.name}" not in kept


@pytest.fixture(scope="module")
def once(server: Server) -> str:
    """A repository that takes each file once."""
    return server.create("pypi", "hosted", "pypi-once", storage={"writePolicy": "ALLOW_ONCE"})


def test_a_second_upload_is_refused_with_the_reason(
    twine: Program, uv: Program, server: Server, once: str, tmp_path: Path
) -> None:
    first = built(tmp_path / "one", "again", "1.0")
    second = built(tmp_path / "two", "again", "1.0", requires_python=">=3.8")
    twine_upload(twine, once, first).ok()

    by_twine = twine_upload(twine, once, second).refused()
    by_uv = uv_publish(uv, once, second).refused()

    for said in (by_twine, by_uv):
        assert "400" in said.output
        assert "File already exists" in said.output.replace("\n", " ")
    assert server.get(f"{once}packages/again/1.0/{first.name}").content == first.read_bytes()


def test_poetry_skips_what_exists(poetry: Program, once: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "skipped"\nversion = "1.0"\n')
    built(tmp_path / "dist", "skipped", "1.0")
    login = {"POETRY_HTTP_BASIC_MINE_USERNAME": ADMIN[0], "POETRY_HTTP_BASIC_MINE_PASSWORD": ADMIN[1]}
    publish = ("publish", "--no-interaction", "-r", "mine")
    more = {**login, "POETRY_REPOSITORIES_MINE_URL": once}
    poetry.run(*publish, cwd=tmp_path, env=more).ok()

    poetry.run(*publish, cwd=tmp_path, env=more).refused()
    skipping = poetry.run(*publish, "--skip-existing", cwd=tmp_path, env=more).ok()

    assert "exists" in skipping.output


def test_a_package_that_contradicts_itself_is_refused_with_the_reason(uv: Program, once: str, tmp_path: Path) -> None:
    file = tmp_path / wheel_name("liar", "1.0")
    file.write_bytes(wheel("liar", "2.0", folder="liar-1.0.dist-info"))

    said = uv_publish(uv, once, file).refused()

    assert "version" in said.output


def test_an_sdist_and_its_name_are_kept_as_uploaded(twine: Program, server: Server, once: str, tmp_path: Path) -> None:
    file = tmp_path / "source_only-1.0.tar.gz"
    file.write_bytes(sdist("source_only", "1.0"))

    twine_upload(twine, once.rstrip("/") + "/legacy/", file).ok()

    page = server.get(f"{once}simple/Source.Only/", headers={"accept": "application/vnd.pypi.simple.v1+json"})
    (listed,) = page.json()["files"]
    assert page.headers["content-type"] == "application/vnd.pypi.simple.v1+json"
    assert listed["filename"] == file.name
    assert server.get(listed["url"]).content == file.read_bytes()


@pytest.mark.parametrize("shape", ["hosted", "proxy"])
def test_a_yanked_release_is_installed_only_when_pinned(
    shape: str, twine: Program, pip: Program, shapes: Topology, tmp_path: Path
) -> None:
    name = f"yanked-{shape}"
    twine_upload(twine, shapes.url(shapes.source(shape)), *(built(tmp_path, name, v) for v in ("1.0", "1.1"))).ok()
    url = shapes.url(shapes.source(shape), f"pypi/{name}/1.1/yank")
    assert shapes.near.put(url, json.dumps({"reason": "it bites"}).encode()).status_code == 204

    pip_install(pip, shapes.login_url(shape, "simple/"), tmp_path / "newest", name).ok()
    pinned = pip_install(pip, shapes.login_url(shape, "simple/"), tmp_path / "pinned", f"{name}==1.1").ok()

    module = name.replace("-", "_")
    assert version_in(tmp_path / "newest", module) == "1.0"
    assert version_in(tmp_path / "pinned", module) == "1.1"
    assert "it bites" in pinned.output


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_without_credentials_nothing_is_installed(
    client: str,
    twine: Program,
    installers: Mapping[str, Callable[..., Result]],
    shapes: Topology,
    tmp_path: Path,
) -> None:
    twine_upload(twine, shapes.url("hosted"), built(tmp_path, f"secret-{client}", "1.0")).ok()

    installers[client](shapes.url("hosted", "simple/"), tmp_path / "site", f"secret-{client}").refused()

    assert not list((tmp_path / "site").glob("*.py"))


def test_a_reader_installs_and_does_not_upload(twine: Program, pip: Program, shapes: Topology, tmp_path: Path) -> None:
    user = shapes.near.reader("pypi-reader", "pypi", shapes.name("hosted"))
    twine_upload(twine, shapes.url("hosted"), built(tmp_path, "readable", "1.0")).ok()

    refused = twine_upload(twine, shapes.url("hosted"), built(tmp_path, "readable", "2.0"), user=user).refused()
    pip_install(pip, shapes.login_url("hosted", "simple/", user=user), tmp_path / "site", "readable").ok()

    assert "403" in refused.output
    assert version_in(tmp_path / "site", "readable") == "1.0"


def test_a_user_token_publishes_and_installs(twine: Program, uv: Program, shapes: Topology, tmp_path: Path) -> None:
    token = shapes.near.token()
    twine_upload(twine, shapes.url("hosted"), built(tmp_path, "by-token", "1.0"), user=token).ok()

    uv_install(uv, shapes.login_url("hosted", "simple/", user=token), tmp_path / "site", "by-token").ok()

    assert version_in(tmp_path / "site", "by_token") == "1.0"


def test_an_upload_to_a_group_goes_to_its_writable_member(
    uv: Program, pip: Program, server: Server, tmp_path: Path
) -> None:
    hosted = server.create("pypi", "hosted", "pypi-behind")
    group = server.create(
        "pypi", "group", "pypi-front", group={"memberNames": ["pypi-behind"], "writableMember": "pypi-behind"}
    )
    file = built(tmp_path, "forwarded", "1.0")

    uv_publish(uv, group, file).ok()

    assert server.get(f"{hosted}packages/forwarded/1.0/{file.name}").content == file.read_bytes()


def test_a_proxy_takes_no_upload(twine: Program, shapes: Topology, tmp_path: Path) -> None:
    said = twine_upload(twine, shapes.url("proxy"), built(tmp_path, "nowhere", "1.0")).refused()

    assert "405" in said.output


def test_a_deleted_release_is_gone_at_once(twine: Program, pip: Program, shapes: Topology, tmp_path: Path) -> None:
    twine_upload(twine, shapes.url("hosted"), *(built(tmp_path, "gone", v) for v in ("1.0", "2.0"))).ok()
    pip_install(pip, shapes.login_url("group", "simple/"), tmp_path / "before", "gone").ok()
    found = shapes.near.rest("GET", f"/search?repository={shapes.name('hosted')}&name=gone&version=2.0").json()
    shapes.near.rest("DELETE", f"/components/{found['items'][0]['id']}")

    pip_install(pip, shapes.login_url("group", "simple/"), tmp_path / "after", "gone").ok()

    assert version_in(tmp_path / "before", "gone") == "2.0"
    assert version_in(tmp_path / "after", "gone") == "1.0"


@pytest.mark.parametrize("client", ["pip", "uv"])
@pytest.mark.parametrize("shape", ["proxy", "group", "nested"])
def test_what_was_installed_once_is_there_without_the_upstream(
    shape: str,
    client: str,
    twine: Program,
    installers: Mapping[str, Callable[..., Result]],
    shapes: Topology,
    tmp_path: Path,
) -> None:
    name = f"offline-{client}-{shape}"
    twine_upload(twine, shapes.url("upstream"), built(tmp_path, name, "1.0")).ok()
    index = shapes.login_url(shape, "simple/")
    installers[client](index, tmp_path / "before", name).ok()

    with shapes.cut_off():
        installers[client](index, tmp_path / "after", name).ok()

    assert version_in(tmp_path / "after", name.replace("-", "_")) == "1.0"


def test_the_rest_upload_makes_a_package_installable(pip: Program, shapes: Topology, tmp_path: Path) -> None:
    file = built(tmp_path, "by-rest", "1.0")
    with file.open("rb") as body:
        shapes.near.rest(
            "POST", f"/components?repository={shapes.name('hosted')}", files={"pypi.asset": (file.name, body)}
        )

    pip_install(pip, shapes.login_url("group", "simple/"), tmp_path / "site", "by-rest").ok()

    assert version_in(tmp_path / "site", "by_rest") == "1.0"


@pytest.fixture
def static(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A folder of folders of files on a plain web server, and its URL: the oldest kind of index."""
    folder = tmp_path / "www"
    (folder / "wheels").mkdir(parents=True)
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{web.server_address[1]}/wheels/", folder / "wheels"
        web.shutdown()


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_a_folder_on_a_web_server_is_an_upstream_too(
    client: str,
    installers: Mapping[str, Callable[..., Result]],
    server: Server,
    static: tuple[str, Path],
    tmp_path: Path,
) -> None:
    url, folder = static
    built(folder / "plain-files", "plain-files", "1.0", requires_python=">=3.8")
    name = f"pypi-static-{client}"
    server.create("pypi", "proxy", name, remote=url, pypi={"indexPath": ""})

    installers[client](server.authority(name, "simple/"), tmp_path / "site", "plain.files").ok()

    assert version_in(tmp_path / "site", "plain_files") == "1.0"


@pytest.mark.live
@pytest.mark.parametrize("client", ["pip", "uv"])
def test_a_real_package_and_its_dependencies_survive_their_upstream(
    client: str, installers: Mapping[str, Callable[..., Result]], server: Server, tmp_path: Path
) -> None:
    proxy, group = f"pypi-live-{client}", f"pypi-live-group-{client}"
    server.create("pypi", "proxy", proxy, remote=f"{live_upstream(client)}/")
    server.create("pypi", "group", group, members=[proxy])
    installers[client](server.authority(proxy, "simple/"), tmp_path / "proxy", LIVE).ok()

    server.change("pypi", "proxy", proxy, httpClient={"blocked": True})
    for name in (proxy, group):
        installers[client](server.authority(name, "simple/"), tmp_path / f"after-{name}", LIVE).ok()

    first, *others = (
        sorted(path.name for path in (tmp_path / site).glob("*.dist-info"))
        for site in ("proxy", f"after-{proxy}", f"after-{group}")
    )
    assert len(first) > 3
    assert others == [first, first]
