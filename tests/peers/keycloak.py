"""Keycloak: an identity provider for OpenID Connect and SAML, from Maven's own repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.clients.install import PINS, NotInstalled, call, debian_tool, kept
from tests.peers.openid import free_port

ADMIN = ("admin", "an-administrator-of-keycloak")
READY_WITHIN = 400.0
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:unpack"
HEAP = "-Xms64m -Xmx640m"
GROUPS = {
    "name": "groups",
    "protocol": "openid-connect",
    "protocolMapper": "oidc-group-membership-mapper",
    "config": {"full.path": "false", "id.token.claim": "true", "userinfo.token.claim": "true", "claim.name": "groups"},
}


def installed() -> Path:
    """Its directory, built for a database in a file that has its tables already."""

    def fill(place: Path) -> None:
        maven = debian_tool("mvn", PINS["apt"]["mvn"])
        coordinates = f"-Dartifact=org.keycloak:keycloak-quarkus-dist:{PINS['maven']['keycloak']}:zip"
        call(maven, "-q", "-B", PLUGIN, coordinates, f"-DoutputDirectory={place}")
        home = _home(place)
        call(home / "bin/kc.sh", "build", "--db=dev-file", env={"JAVA_OPTS_KC_HEAP": HEAP})
        with _started(home, free_port()):
            pass  # it makes its tables and its first administrator at its first start

    return _home(kept("keycloak", PINS["maven"]["keycloak"], fill))


def _home(place: Path) -> Path:
    return next(path for path in place.glob("keycloak-*") if path.is_dir())


@dataclass
class Keycloak:
    """A server at `url` with a realm `corp`."""

    url: str
    http: httpx2.Client

    @property
    def issuer(self) -> str:
        return f"{self.url}/realms/corp"

    def token(self) -> str:
        form = {"grant_type": "password", "client_id": "admin-cli", "username": ADMIN[0], "password": ADMIN[1]}
        answer = self.http.post(f"{self.url}/realms/master/protocol/openid-connect/token", data=form)
        return str(answer.raise_for_status().json()["access_token"])

    def admin(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        headers = {"authorization": f"Bearer {self.token()}"}
        answer = self.http.request(method, f"{self.url}/admin/realms{path}", json=body, headers=headers)
        assert answer.status_code < 300, answer.text
        return answer

    def realm(self, clients: list[Mapping[str, Any]]) -> None:
        """Make the realm anew: Ann of the developers, and these clients."""
        ann = {
            "username": "ann",
            "enabled": True,
            "email": "ann@example.org",
            "emailVerified": True,
            "firstName": "Ann",
            "lastName": "Tester",
            "groups": ["/developers"],
            "credentials": [{"type": "password", "value": "secret-of-ann"}],
        }
        groups = [{"name": "developers"}]
        body = {"realm": "corp", "enabled": True, "sslRequired": "none", "users": [ann], "groups": groups}
        self.admin("POST", "", {**body, "clients": clients})

    def saml_metadata(self) -> str:
        return self.http.get(f"{self.issuer}/protocol/saml/descriptor").raise_for_status().text

    def user_id(self, name: str) -> str:
        return str(self.admin("GET", f"/corp/users?exact=true&username={name}").json()[0]["id"])


@contextmanager
def running() -> Iterator[Keycloak]:
    """Start one with an empty database."""
    home = installed()
    with tempfile.TemporaryDirectory(prefix="pakhus-keycloak-") as folder:
        own = Path(folder) / "keycloak"
        shutil.copytree(home, own, symlinks=True)
        with _started(own, free_port()) as url, httpx2.Client(trust_env=False, timeout=60) as http:
            yield Keycloak(url, http)


@contextmanager
def _started(home: Path, port: int) -> Iterator[str]:
    url = f"http://127.0.0.1:{port}"
    options = [
        "--optimized",
        "--cache=local",
        "--http-enabled=true",
        "--http-host=127.0.0.1",
        "--hostname-strict=false",
    ]
    environment = {
        **os.environ,
        "KC_BOOTSTRAP_ADMIN_USERNAME": ADMIN[0],
        "KC_BOOTSTRAP_ADMIN_PASSWORD": ADMIN[1],
        "JAVA_OPTS_KC_HEAP": HEAP,
    }
    log = home / "run.log"
    with log.open("wb") as output:
        command = [str(home / "bin/kc.sh"), "start", *options, f"--http-port={port}"]
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        _await(url, process, log)
        yield url
    finally:
        process.terminate()
        process.wait()


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Another process's readiness can only be asked for."""
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise NotInstalled(f"Keycloak ended: {log.read_text()[-600:]}")
        try:
            if httpx2.get(f"{url}/realms/master", trust_env=False).status_code == 200:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.5)
    raise NotInstalled(f"Keycloak was not ready: {log.read_text()[-600:]}")
