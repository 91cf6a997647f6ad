"""Installing by pip, uv and poetry: each with its own defaults, in every shape, everything private."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.clients.programs import Program, Result
from tests.clients.python_packages import INSTALL, built, pip_install, twine_upload, uv_install, uv_publish, version_in
from tests.clients.server import ADMIN, Server
from tests.clients.topology import SHAPES, Topology
from tests.clients.upstreams import live_upstream

LIVE = "requests"
"""A package with dependencies, for the tests with a live upstream."""


@pytest.fixture
def shapes(shapes_of: Callable[..., Topology]) -> Topology:
    return shapes_of("pypi")


@pytest.fixture
def installers(pip: Program, uv: Program) -> Mapping[str, Callable[..., Result]]:
    programs = {"pip": pip, "uv": uv}
    return {name: lambda *args, _name=name, **more: INSTALL[_name](programs[_name], *args, **more) for name in programs}


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
