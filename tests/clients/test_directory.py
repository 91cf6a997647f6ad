# ruff: noqa: F811
"""People of an LDAP server with their own passwords, through the real clients: in by group, out when they leave it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clients.programs import Program, program
from tests.clients.python_packages import built, pip_install, twine_upload, version_in
from tests.clients.server import SERVE, SOURCE, Server
from tests.clients.test_maven import Maven, jar, new_maven, shapes, tools  # noqa: F401
from tests.clients.test_npm import Client
from tests.clients.topology import Topology
from tests.peers import slapd
from tests.peers.slapd import ADA, BOB, Slapd

WITH_LDAP = ["NexusAuthenticatingRealm", "NexusAuthorizingRealm", "NpmToken", "LdapRealm"]
LOGIN = (ADA.uid, ADA.password)


@pytest.fixture(scope="module")
def directory() -> Iterator[Slapd]:
    with slapd.running() as running:
        yield running


@pytest.fixture
def joined(directory: Slapd) -> Callable[[Server], None]:
    """Lets the directory's developers work on a server."""

    def join(server: Server) -> None:
        if not server.rest("GET", "/security/ldap").json():
            server.rest("POST", "/security/ldap", directory.settings())
            server.rest("PUT", "/security/realms/active", WITH_LDAP)
            role = {"id": "developers", "name": "developers", "privileges": ["nx-repository-view-*-*-*"], "roles": []}
            server.rest("POST", "/security/roles", role)

    return join


def test_pip_and_twine_work_with_a_directory_user(
    shapes_of: Callable[..., Topology],
    joined: Callable[[Server], None],
    twine: Program,
    pip: Program,
    tmp_path: Path,
) -> None:
    pypi = shapes_of("pypi")
    joined(pypi.near)
    twine_upload(twine, pypi.url("hosted"), built(tmp_path / "dist", "ldap-wheel", "1.0"), user=LOGIN).ok()

    pip_install(pip, pypi.login_url("group", "simple/", user=LOGIN), tmp_path / "site", "ldap-wheel").ok()
    refused = twine_upload(
        twine, pypi.url("hosted"), built(tmp_path / "dist", "ldap-wheel", "2.0"), user=(BOB.uid, BOB.password)
    ).refused()

    assert version_in(tmp_path / "site", "ldap_wheel") == "1.0"
    assert "403" in refused.output


def test_npm_logs_in_as_a_directory_user_and_publishes(
    shapes_of: Callable[..., Topology], joined: Callable[[Server], None], tmp_path: Path
) -> None:
    modules = shapes_of("npm")
    joined(modules.near)
    npm = Client(program("npm", tmp_path), modules.url("hosted"), tmp_path / "writer", login=None)
    npm.type({"Username": ADA.uid, "Password": ADA.password}, "login", "--auth-type=legacy").ok()

    npm.publish("ldap-module", "1.0.0").ok()

    assert npm.run("whoami").ok().stdout.strip() == ADA.uid
    reader = Client(program("npm", tmp_path), modules.url("group"), tmp_path / "reader", login=LOGIN)
    reader.run("install", "ldap-module").ok()
    assert json.loads((reader.project / "node_modules/ldap-module/package.json").read_text())["version"] == "1.0.0"


@pytest.mark.live
def test_mvn_deploys_and_resolves_as_a_directory_user(
    shapes: Topology, new_maven: Callable[[], Maven], joined: Callable[[Server], None], tmp_path: Path
) -> None:
    joined(shapes.near)
    file = jar(tmp_path / "app.jar", **{"by.txt": "ada"})
    writer, reader = new_maven(), new_maven()
    where = ("-DrepositoryId=acme", f"-Durl={shapes.url('hosted')}", f"-Dfile={file}")
    coordinates = ("-DgroupId=org.acme", "-DartifactId=ldap-app", "-Dversion=1.0")
    deploy = "org.apache.maven.plugins:maven-deploy-plugin:3.1.1:deploy-file"

    writer.at("hosted", deploy, *where, *coordinates, user=LOGIN).ok()
    reader.fetch("hosted", "ldap-app", "1.0", user=LOGIN).ok()

    assert (reader.fetched / "ldap-app-1.0.jar").read_bytes() == file.read_bytes()


def test_curl_is_told_what_is_wrong(
    shapes_of: Callable[..., Topology], joined: Callable[[Server], None], curl: Program, tmp_path: Path
) -> None:
    files = shapes_of("raw")
    joined(files.near)
    (tmp_path / "a.txt").write_text("a")

    def put(user: str, password: str) -> str:
        args = ("-sS", "-o", "/dev/null", "-w", "%{http_code}", "-u", f"{user}:{password}")
        return curl.run(*args, "-T", tmp_path / "a.txt", files.url("hosted", "a.txt")).stdout

    assert put(*LOGIN) == "201"
    assert (put(ADA.uid, "wrong"), put(BOB.uid, BOB.password)) == ("401", "403")


def test_command_line_logs_in_as_a_directory_user(
    shapes_of: Callable[..., Topology], joined: Callable[[Server], None], tmp_path: Path
) -> None:
    files = shapes_of("raw")
    joined(files.near)
    pakhus = Program("pakhus", (sys.executable, "-c", SERVE), tmp_path, {"PYTHONPATH": str(SOURCE)})
    home = pakhus.home()

    wrong = pakhus.run("login", files.near.url, "-u", ADA.uid, "--password-stdin", stdin="x\n", home=home).refused()
    pakhus.run("login", files.near.url, "-u", ADA.uid, "--password-stdin", stdin=f"{ADA.password}\n", home=home).ok()

    assert "does not accept" in wrong.output
    assert files.name("hosted") in pakhus.run("repo", "list", home=home).ok().stdout
    pakhus.run("logout", home=home).ok()
