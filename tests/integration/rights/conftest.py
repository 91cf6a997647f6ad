"""A server with repositories of every format, and callers of every kind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from pakhus.app import Application, create
from pakhus.domain.repository import RepositoryType
from pakhus.services.clock import Clock
from pakhus.settings import load
from tests.integration.rights.callers import Caller, callers
from tests.samples import installed, sample

ADMIN = ("admin", "an-administrators-password")
BASE = "http://pakhus.test"
REST = f"{BASE}/service/rest/v1"
TYPES = ("hosted", "proxy", "group")


@dataclass
class World:
    application: Application
    http: httpx2.AsyncClient
    callers: list[Caller]
    token: str = ""

    async def ask(self, caller: Caller, method: str, url: str, **options: Any) -> httpx2.Response:
        headers = {
            **options.pop("headers", {}),
            **({"authorization": f"Bearer {caller.token}"} if caller.token else {}),
        }
        return await self.http.request(method, url, headers=headers, **options)

    async def administer(self, method: str, url: str, **options: Any) -> httpx2.Response:
        token = self.token or (await self._first_token())
        answer = await self.http.request(method, url, headers={"authorization": f"Bearer {token}"}, **options)
        assert answer.status_code < 300, answer.text
        return answer

    async def _first_token(self) -> str:
        answer = await self.http.post(f"{BASE}/api/v1/tokens", json={"name": "first"}, auth=ADMIN)
        self.token = str(answer.json()["token"])
        return self.token

    async def hosted(self, format: str, name: str) -> None:
        """The repository, if it is not there any more."""
        if self.application.services.catalog.find(name) is None:
            await self.repository(format, "hosted", name)

    async def repository(self, format: str, type: str, name: str, **body: Any) -> None:
        settings = {**sample(format).settings.get(type, {}), **body}
        await self.application.services.repositories.create(format, RepositoryType(type), {"name": name, **settings})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    moment = [datetime.now(UTC)]
    settings = load(
        data=tmp_path_factory.mktemp("rights") / "data",
        environ={
            "PAKHUS_BOOTSTRAP_ADMIN_PASSWORD": ADMIN[1],
            "PAKHUS_BOOTSTRAP_DEFAULT_REPOSITORIES": "false",
        },
    ).settings
    application = create(settings, clock=Clock(now=lambda: moment[0]))
    transport = httpx2.ASGITransport(app=application.asgi)
    async with application.running(), httpx2.AsyncClient(transport=transport, trust_env=False) as http:
        made = World(application, http, [])
        for format in installed():
            await _repositories(made, format)
        here = [f"{format}-{type}" for format in installed() for type in TYPES]
        there = [f"{format}-there" for format in installed()]
        found = [await _login(made, each) for each in callers(here, there)]
        made.callers = found
        moment[0] += timedelta(days=2)
        yield made


async def _repositories(world: World, format: str) -> None:
    await world.repository(format, "hosted", f"{format}-hosted")
    await world.repository(format, "hosted", f"{format}-there")
    await world.repository(format, "group", f"{format}-group", group={"memberNames": [f"{format}-hosted"]})
    remote = {"proxy": {"remoteUrl": "http://127.0.0.1:1/"}, "negativeCache": {"enabled": False}}
    await world.repository(format, "proxy", f"{format}-proxy", **remote)


async def _login(world: World, caller: Caller) -> Caller:
    """The caller with its user, role, privileges, and a token."""
    if caller.anonymous:
        return caller
    if caller.name in ("admin", "narrowed", "expired"):
        body: dict[str, Any] = {"name": caller.name}
        body |= {"expires_days": 1} if caller.name == "expired" else {}
        body |= {"scopes": ["read"]} if caller.narrowed else {}
        answer = await world.administer("POST", f"{BASE}/api/v1/tokens", json=body)
        return caller.with_token(answer.json()["token"])
    privileges = [await _privilege(world, caller, pattern, str(n)) for n, pattern in enumerate(caller.patterns)]
    role = {"id": caller.name, "name": caller.name, "privileges": privileges or ["nx-all"], "roles": []}
    await world.administer("POST", f"{REST}/security/roles", json=role)
    person = {
        "userId": caller.name,
        "firstName": caller.name,
        "lastName": "Tester",
        "emailAddress": f"{caller.name}@example.org",
        "status": "active",
        "roles": [caller.name],
        "password": f"password-of-{caller.name}",
    }
    await world.administer("POST", f"{REST}/security/users", json=person)
    body = {"name": "own"}
    login = (caller.name, person["password"])
    answer = await world.http.post(f"{BASE}/api/v1/tokens", json=body, auth=login)  # type: ignore[arg-type]
    if caller.name == "disabled":
        changed = {**person, "source": "default", "status": "disabled"}
        await world.administer("PUT", f"{REST}/security/users/disabled", json=changed)
    return caller.with_token(answer.json()["token"])


async def _privilege(world: World, caller: Caller, pattern: str, number: str) -> str:
    name = f"{caller.name}-{number}"
    if not caller.selector:
        body = {"name": name, "pattern": f"nexus:{pattern}"}
        await world.administer("POST", f"{REST}/security/privileges/wildcard", json=body)
        return name
    selector = {"name": name, "expression": caller.selector}
    await world.administer("POST", f"{REST}/security/content-selectors", json=selector)
    what = {"name": name, "format": "*", "repository": "*", "actions": ["ALL"], "contentSelector": name}
    await world.administer("POST", f"{REST}/security/privileges/repository-content-selector", json=what)
    return name
