"""Publishing by twine, uv and poetry, and what an index shows of it afterwards."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.programs import Program
from tests.clients.python_packages import built, pip_install, twine_upload, uv_install, uv_publish, version_in
from tests.clients.server import ADMIN, Server
from tests.clients.topology import Topology
from tests.samples.pypi_packages import sdist, wheel, wheel_name


@pytest.fixture
def shapes(shapes_of: Callable[..., Topology]) -> Topology:
    return shapes_of("pypi")


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


def test_uv_skips_what_the_index_has(uv: Program, server: Server, once: str, tmp_path: Path) -> None:
    file = built(tmp_path, "checked", "1.0")
    uv_publish(uv, once, file).ok()

    checked = server.authority("pypi-once", "simple/")
    said = uv.run(
        "publish", "--publish-url", once, "--check-url", checked, "--trusted-publishing", "never",
        "--username", ADMIN[0], "--password", ADMIN[1], file,
    ).ok()  # fmt: skip

    assert "already exists" in said.output


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


def attestation(file: Path) -> str:
    """An attestation of the file; who signed it is not what an index checks."""
    subject = [{"name": file.name, "digest": {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()}}]
    statement = base64.b64encode(json.dumps({"subject": subject}).encode()).decode()
    envelope = {"statement": statement, "signature": "c2lnbmF0dXJl"}
    material = {"certificate": "Y2VydA==", "transparency_entries": [{}]}
    return json.dumps({"version": 1, "verification_material": material, "envelope": envelope})


def test_attestations_that_uv_publishes_are_read_through_every_shape(
    uv: Program, shapes: Topology, tmp_path: Path
) -> None:
    file = built(tmp_path, "attested", "1.0")
    beside = file.with_name(f"{file.name}.publish.attestation")
    beside.write_text(attestation(file))

    uv_publish(uv, shapes.url("upstream"), file, beside).ok()

    for shape in ("proxy", "group", "nested"):
        accept = {"accept": "application/vnd.pypi.simple.v1+json"}
        (listed,) = shapes.near.get(shapes.url(shape, "simple/attested/"), headers=accept).json()["files"]
        provenance = shapes.near.get(listed["provenance"])
        assert listed["provenance"].startswith(shapes.url(shape))
        assert provenance.headers["content-type"] == "application/vnd.pypi.integrity.v1+json"
        assert provenance.json()["attestation_bundles"][0]["attestations"] == [json.loads(attestation(file))]


def test_the_rest_upload_makes_a_package_installable(pip: Program, shapes: Topology, tmp_path: Path) -> None:
    file = built(tmp_path, "by-rest", "1.0")
    with file.open("rb") as body:
        shapes.near.rest(
            "POST", f"/components?repository={shapes.name('hosted')}", files={"pypi.asset": (file.name, body)}
        )

    pip_install(pip, shapes.login_url("group", "simple/"), tmp_path / "site", "by-rest").ok()

    assert version_in(tmp_path / "site", "by_rest") == "1.0"


def test_a_deleted_release_is_gone_at_once(twine: Program, pip: Program, shapes: Topology, tmp_path: Path) -> None:
    twine_upload(twine, shapes.url("hosted"), *(built(tmp_path, "gone", v) for v in ("1.0", "2.0"))).ok()
    pip_install(pip, shapes.login_url("group", "simple/"), tmp_path / "before", "gone").ok()
    found = shapes.near.rest("GET", f"/search?repository={shapes.name('hosted')}&name=gone&version=2.0").json()
    shapes.near.rest("DELETE", f"/components/{found['items'][0]['id']}")

    pip_install(pip, shapes.login_url("group", "simple/"), tmp_path / "after", "gone").ok()

    assert version_in(tmp_path / "before", "gone") == "2.0"
    assert version_in(tmp_path / "after", "gone") == "1.0"
