"""The composed application, asked in-process; every test has a server of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest

from pakhus.app import Application, create
from pakhus.services.clock import Clock
from pakhus.settings import load
from tests.peers import postgresql

ADMIN = ("admin", "an-administrators-password")
BASE = "http://pakhus.test"
BOTH = pytest.mark.parametrize("dsn", ["sqlite", "postgresql"], indirect=True)
"""A test of what the database does differs by the database."""
_numbers = count(1)
STORAGE = {"blobStoreName": "default", "strictContentTypeValidation": False}


@dataclass
class Ahead:
    """How far the server's clock is ahead: a test lets days go by."""

    by: timedelta = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.by


@dataclass
class Rest:
    """A server and callers of its REST API."""

    application: Application
    transport: httpx2.ASGITransport
    ahead: Ahead

    def caller(self, *login: str) -> httpx2.AsyncClient:
        """A caller with name and password, or an anonymous one."""
        auth = (login[0], login[1]) if login else None
        return httpx2.AsyncClient(
            transport=self.transport, base_url=f"{BASE}/service/rest/v1/", auth=auth, trust_env=False
        )

    async def user(self, name: str, *privileges: str) -> httpx2.AsyncClient:
        """A caller with a role of its own that has these privileges."""
        async with self.caller(*ADMIN) as admin:
            role = {"id": f"{name}-role", "name": f"{name}-role", "privileges": list(privileges), "roles": []}
            assert (await admin.post("security/roles", json=role)).status_code == 200
            person = {
                "userId": name,
                "firstName": name,
                "lastName": "Tester",
                "emailAddress": f"{name}@example.org",
                "status": "active",
                "roles": [role["id"]],
                "password": f"password-of-{name}",
            }
            assert (await admin.post("security/users", json=person)).status_code == 200
        return self.caller(name, f"password-of-{name}")

    async def hosted(self, name: str, *, policy: str = "ALLOW", format: str = "raw", **settings: Any) -> None:
        body = {"name": name, "online": True, "storage": {**STORAGE, "writePolicy": policy}, **settings}
        await self._make(format, "hosted", body)

    async def proxy(self, name: str, remote: str = "https://upstream.invalid/files") -> None:
        body = {
            "name": name,
            "online": True,
            "storage": STORAGE,
            "proxy": {"remoteUrl": remote, "contentMaxAge": 1440, "metadataMaxAge": 1440},
            "negativeCache": {"enabled": True, "timeToLive": 1440},
            "httpClient": {"blocked": False, "autoBlock": True},
        }
        await self._make("raw", "proxy", body)

    async def group(self, name: str, members: Sequence[str]) -> None:
        body = {"name": name, "online": True, "storage": STORAGE, "group": {"memberNames": list(members)}}
        await self._make("raw", "group", body)

    async def _make(self, format: str, type: str, body: dict[str, Any]) -> None:
        async with self.caller(*ADMIN) as admin:
            answer = await admin.post(f"repositories/{format}/{type}", json=body)
            assert answer.status_code == 201, answer.text

    async def put(self, repository: str, path: str, body: bytes) -> None:
        async with self.caller(*ADMIN) as admin:
            answer = await admin.put(f"{BASE}/repository/{repository}/{path}", content=body)
            assert answer.status_code == 201, answer.text


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The DSN of a PostgreSQL server."""
    with postgresql.running() as dsn:
        yield dsn


@pytest.fixture
def dsn(request: pytest.FixtureRequest) -> Iterator[str]:
    """Of a new database: SQLite, unless a test asks for "postgresql" by an indirect parameter."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield ""
        return
    with postgresql.database(request.getfixturevalue("server"), f"rest_{next(_numbers)}") as made:
        yield made


@pytest.fixture
async def rest(tmp_path: Path, dsn: str) -> AsyncIterator[Rest]:
    settings = load(
        data=tmp_path / "data",
        environ={
            "PAKHUS_BOOTSTRAP_ADMIN_PASSWORD": ADMIN[1],
            "PAKHUS_BOOTSTRAP_DEFAULT_REPOSITORIES": "false",
            "PAKHUS_DATABASE_DSN": dsn,
        },
    ).settings
    ahead = Ahead()
    application = create(settings, clock=Clock(now=ahead.now))
    async with application.running():
        yield Rest(application, httpx2.ASGITransport(app=application.asgi), ahead)


@pytest.fixture
async def admin(rest: Rest) -> AsyncIterator[httpx2.AsyncClient]:
    async with rest.caller(*ADMIN) as client:
        yield client


@pytest.fixture
async def anonymous(rest: Rest) -> AsyncIterator[httpx2.AsyncClient]:
    async with rest.caller() as client:
        yield client
