"""Package clients of people who log in at an identity provider, and of builds that have no secret at all."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.clients import test_maven
from tests.clients.programs import Program, program
from tests.clients.python_packages import built, pip_install, twine_upload, version_in
from tests.clients.server import Server
from tests.clients.test_maven import DEPLOY, GROUP, jar
from tests.clients.test_npm import Client
from tests.peers import openid
from tests.peers.openid import Browser

shapes, tools, new_maven = test_maven.shapes, test_maven.tools, test_maven.new_maven
KEY = RSAKey.generate_key(2048, {"kid": "ci"})
ISSUER = "https://ci.example.org"
CLIENT = {"client_id": "pakhus", "client_secret": "a-secret-of-the-client-that-is-long-enough"}


def native(server: Server, method: str, path: str, body: Any = None, **options: Any) -> Any:
    answer = server.http.request(method, f"/api/v1{path}", json=body, **options)
    assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


def know_builds(server: Server) -> None:
    """The builds of Acme's main branch may read and publish in every repository."""
    keys = json.dumps({"keys": [KEY.as_dict(private=False)]})
    native(server, "POST", "/security/workload/issuers/ci", {"issuer": ISSUER, "jwks": keys})
    role = {
        "issuer": "ci",
        "audiences": [server.url],
        "bound_claims": {"repository": "acme/*", "ref": "refs/heads/main"},
        "rules": [{"repositories": ["*"], "actions": ["browse", "read", "add", "edit"]}],
    }
    native(server, "POST", "/security/workload/roles/publish", role)


def build_token(server: Server, **claims: Any) -> str:
    """What the platform gives to a job."""
    now = int(time.time())
    said = {"iss": ISSUER, "sub": "job", "aud": server.url, "iat": now, "exp": now + 900}
    job = {"repository": "acme/app", "ref": "refs/heads/main", **claims}
    return jwt.encode({"alg": "RS256", "kid": "ci"}, {**said, **job}, KEY)


@pytest.fixture(scope="module")
def builds(server: Server) -> Server:
    server.create("pypi", "hosted", "python")
    server.create("npm", "hosted", "node")
    know_builds(server)
    return server


@pytest.fixture(scope="module")
def ann(builds: Server) -> tuple[str, str]:
    """Ann's name and an API token, which she made in the session of a login by browser."""
    registered = {**CLIENT, "redirect_uris": [f"{builds.url}/login/oidc/corp/callback"]}
    with openid.running(registered) as provider:
        provider.account("ann", groups=["developers"])
        settings = {"issuer": provider.issuer, **CLIENT, "role_mapping": [{"group": "developers", "roles": ["dev"]}]}
        privileges = [f"nx-repository-view-*-*-{each}" for each in ("browse", "read", "add", "edit")]
        builds.rest("POST", "/security/roles", {"id": "dev", "name": "dev", "privileges": privileges, "roles": []})
        native(builds, "POST", "/security/oidc/providers/corp", settings)
        page = Browser().log_in(f"{builds.url}/login/oidc/corp", "ann")
    found = re.search(r'id="token">([^<]+)<', page.text)
    assert found, page.text
    bearer = {"authorization": f"Bearer {found[1]}"}
    made = native(builds, "POST", "/tokens", {"name": "laptop"}, auth=None, headers=bearer)
    return "ann", made["token"]


def test_python_client_of_somebody_who_logged_in_by_browser(
    builds: Server, ann: tuple[str, str], pip: Program, twine: Program, tmp_path: Path
) -> None:
    twine_upload(twine, builds.at("python"), built(tmp_path / "dist", "by-ann", "1.0"), user=ann).ok()

    pip_install(pip, builds.authority("python", "simple/", user=ann), tmp_path / "site", "by-ann").ok()

    assert version_in(tmp_path / "site", "by_ann") == "1.0"


def test_node_client_of_somebody_who_logged_in_by_browser(builds: Server, ann: tuple[str, str], tmp_path: Path) -> None:
    writer = Client(program("npm", tmp_path), builds.at("node"), tmp_path / "writer", token=ann[1])
    reader = Client(program("npm", tmp_path), builds.at("node"), tmp_path / "reader", login=ann)
    writer.publish("@ann/package", "1.0.0").ok()

    reader.add("@ann/package").ok()

    assert reader.installed("@ann/package") == "1.0.0"


def test_python_client_of_a_build(builds: Server, pip: Program, twine: Program, tmp_path: Path) -> None:
    job, other = ("__token__", build_token(builds)), ("__token__", build_token(builds, ref="refs/heads/feature"))
    file = built(tmp_path / "dist", "by-job", "1.0")
    twine_upload(twine, builds.at("python"), file, user=other).refused()
    twine_upload(twine, builds.at("python"), file, user=job).ok()

    pip_install(pip, builds.authority("python", "simple/", user=job), tmp_path / "site", "by-job").ok()

    assert version_in(tmp_path / "site", "by_job") == "1.0"


def test_node_client_of_a_build(builds: Server, tmp_path: Path) -> None:
    token = build_token(builds)
    writer = Client(program("npm", tmp_path), builds.at("node"), tmp_path / "writer", token=token)
    reader = Client(program("npm", tmp_path), builds.at("node"), tmp_path / "reader", login=("publish", token))
    writer.publish("@job/package", "1.0.0").ok()

    reader.add("@job/package").ok()

    assert reader.installed("@job/package") == "1.0.0"


def test_exchanged_token_of_a_build(builds: Server, pip: Program, twine: Program, tmp_path: Path) -> None:
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "subject_token": build_token(builds),
        "scope": "read",
    }
    made = builds.http.post("/api/v1/token", data=form, auth=None).json()["access_token"]
    file = built(tmp_path / "dist", "exchanged", "1.0")
    twine_upload(twine, builds.at("python"), file, user=("x", made)).refused()
    twine_upload(twine, builds.at("python"), file).ok()

    pip_install(pip, builds.authority("python", "simple/", user=("x", made)), tmp_path / "site", "exchanged").ok()

    assert version_in(tmp_path / "site", "exchanged") == "1.0"


@pytest.mark.live
def test_maven_of_a_build(new_maven: Any, shapes: Any, tmp_path: Path) -> None:
    know_builds(shapes.near)
    job = ("publish", build_token(shapes.near))
    file = jar(tmp_path / "job.jar", **{"by.txt": "a build"})
    where = ("-DrepositoryId=acme", f"-Durl={shapes.url('hosted')}", f"-Dfile={file}")
    coordinates = (f"-DgroupId={GROUP}", "-DartifactId=by-job", "-Dversion=1.0")
    new_maven().at("hosted", f"{DEPLOY}:deploy-file", *where, *coordinates, user=job).ok()

    reader = new_maven()
    reader.fetch("hosted", "by-job", "1.0", user=job).ok()

    assert (reader.fetched / "by-job-1.0.jar").read_bytes() == file.read_bytes()
