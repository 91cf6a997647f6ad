"""A real Pakhus server in a process of its own, and what an administrator does to it, through its REST API."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx2

ADMIN = ("admin", "an-administrators-password")
READY_WITHIN = 90.0
SOURCE = Path(__file__).parents[2] / "src"
SERVE = "from pakhus.cli import main; main()"
"""The command as it stands in this tree, whichever one is installed."""

SEGMENTS = {"maven2": "maven"}
"""Nexus names one format otherwise in its URLs than in its JSON."""

Json = dict[str, Any]

COMMON: Mapping[str, Json] = {
    "hosted": {"storage": {"writePolicy": "ALLOW"}},
    "proxy": {
        "proxy": {"contentMaxAge": 1440, "metadataMaxAge": 1440},
        "negativeCache": {"enabled": True, "timeToLive": 1440},
        "httpClient": {"blocked": False, "autoBlock": True},
    },
    "group": {},
}
REQUIRED: Mapping[tuple[str, str], Json] = {
    ("maven2", "hosted"): {"maven": {"versionPolicy": "MIXED", "layoutPolicy": "STRICT"}},
    ("maven2", "proxy"): {"maven": {"versionPolicy": "MIXED", "layoutPolicy": "STRICT"}},
    ("docker", "hosted"): {"docker": {"v1Enabled": False, "forceBasicAuth": True}},
    ("docker", "proxy"): {
        "docker": {"v1Enabled": False, "forceBasicAuth": True},
        "dockerProxy": {"indexType": "REGISTRY"},
    },
    ("docker", "group"): {"docker": {"v1Enabled": False, "forceBasicAuth": True}},
    ("apt", "proxy"): {"apt": {"flat": False}},
    ("yum", "hosted"): {"yum": {"repodataDepth": 0, "deployPolicy": "PERMISSIVE"}},
    ("nuget", "proxy"): {"nugetProxy": {"queryCacheItemMaxAge": 3600, "nugetVersion": "V3"}},
}
"""What the REST API demands beyond the common members; a test says otherwise by `settings`."""


def overlaid(under: Json, over: Mapping[str, Any]) -> Json:
    """`under` with the members of `over` on top, objects merged member by member."""
    merged = dict(under)
    for name, value in over.items():
        below = merged.get(name)
        merged[name] = overlaid(below, value) if isinstance(below, dict) and isinstance(value, Mapping) else value
    return merged


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """A server at `url` with its state in `data`; everything in it is private, and it starts empty."""

    data: Path
    port: int = field(default_factory=free_port)
    settings: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = self.data.with_name(f"{self.data.name}.log")
        self.http = httpx2.Client(base_url=self.url, auth=ADMIN, timeout=60, trust_env=False)

    # -- life ---------------------------------------------------------------------------------------------------

    def start(self) -> Self:
        command = [sys.executable, "-c", SERVE, "serve", "--data", str(self.data)]
        settings = {
            "PAKHUS_HTTP_ADDR": f"127.0.0.1:{self.port}",
            "PAKHUS_BOOTSTRAP_ADMIN_PASSWORD": ADMIN[1],
            "PAKHUS_AUTH_ANONYMOUS_ENABLED": "false",
            "PAKHUS_BOOTSTRAP_DEFAULT_REPOSITORIES": "false",
            **self.settings,
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PAKHUS_")}
        inherited["PYTHONPATH"] = str(SOURCE)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env={**inherited, **settings})
        self.await_ready()
        return self

    def await_ready(self) -> None:
        """Until `/readyz` says yes. Another process's readiness can only be asked for, hence the polling."""
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            assert self.process is not None
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.said()}")
            try:
                if self.http.get("/readyz", auth=None).status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            time.sleep(0.05)
        self.stop()
        raise AssertionError(f"the server was not ready within {READY_WITHIN:.0f} s:\n{self.said()}")

    def stop(self, how: int = signal.SIGTERM) -> None:
        """End the process that was started here. `signal.SIGKILL` is the power cut."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def said(self, lines: int = 60) -> str:
        """The end of the server's log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    # -- content ------------------------------------------------------------------------------------------------

    def at(self, repository: str, path: str = "") -> str:
        """The URL of a path in a repository."""
        return f"{self.url}/repository/{repository}/{path}"

    def authority(self, repository: str, path: str = "", *, user: tuple[str, str] = ADMIN) -> str:
        """The same URL with the credentials in it, as some clients want it."""
        return self.at(repository, path).replace("http://", f"http://{user[0]}:{user[1]}@", 1)

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    def get(self, url: str, **options: Any) -> httpx2.Response:
        return self.http.get(url, **options)

    def put(self, url: str, content: bytes, **options: Any) -> httpx2.Response:
        return self.http.put(url, content=content, **options)

    def rest(self, method: str, path: str, json: Any = None, **options: Any) -> httpx2.Response:
        """A call of the Nexus-compatible API; raises with the answer's body if the server refused."""
        answer = self.http.request(method, f"/service/rest/v1{path}", json=json, **options)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}\n{self.said(20)}"
        return answer

    # -- administration -----------------------------------------------------------------------------------------

    def create(
        self,
        format: str,
        type: str,
        name: str,
        *,
        members: Sequence[str] = (),
        remote: str = "",
        login: tuple[str, str] | None = None,
        **settings: Any,
    ) -> str:
        """Create a repository and return its URL.

        `members` are a group's, `remote` and `login` a proxy's upstream; `settings` are members of the REST body.
        """
        body: Json = {"name": name, "online": True}
        body["storage"] = {"blobStoreName": "default", "strictContentTypeValidation": False}
        body = overlaid(overlaid(body, COMMON[type]), REQUIRED.get((format, type), {}))
        if members:
            body["group"] = {"memberNames": list(members)}
        if remote:
            body = overlaid(body, {"proxy": {"remoteUrl": remote}})
        if login:
            known = {"type": "username", "username": login[0], "password": login[1]}
            body = overlaid(body, {"httpClient": {"authentication": known}})
        self.rest("POST", f"/repositories/{SEGMENTS.get(format, format)}/{type}", overlaid(body, settings))
        return self.at(name)

    def change(self, format: str, type: str, name: str, **settings: Any) -> None:
        """Change some settings of a repository and leave the others as they are."""
        path = f"/repositories/{SEGMENTS.get(format, format)}/{type}/{name}"
        self.rest("PUT", path, overlaid(self.rest("GET", path).json(), settings))

    def user(self, name: str, password: str, *privileges: str) -> tuple[str, str]:
        """A user with a role of its own that has these privileges; what it takes to log in is returned."""
        role = f"{name}-role"
        self.rest(
            "POST",
            "/security/roles",
            {"id": role, "name": role, "description": "", "privileges": list(privileges), "roles": []},
        )
        person = {"userId": name, "firstName": name, "lastName": "Tester", "emailAddress": f"{name}@example.org"}
        self.rest("POST", "/security/users", {**person, "password": password, "status": "active", "roles": [role]})
        return name, password

    def reader(self, name: str, format: str = "*", repository: str = "*") -> tuple[str, str]:
        """A user who may browse and read, nothing else."""
        view = f"nx-repository-view-{format}-{repository}"
        return self.user(name, f"password-of-{name}", f"{view}-browse", f"{view}-read")

    def writer(self, name: str, format: str = "*", repository: str = "*") -> tuple[str, str]:
        """A user who may also add, change and delete content."""
        return self.user(name, f"password-of-{name}", f"nx-repository-view-{format}-{repository}-*")

    def token(self, user: str = ADMIN[0]) -> tuple[str, str]:
        """A new user token: the two codes which stand for name and password."""
        made = self.rest("POST", f"/security/users/{user}/default/user-token").json()
        return made["nameCode"], made["passCode"]
