"""The formats' contract runs on two servers for the whole session; each test gets repositories of its own on them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from tests.contract.serving import ADMIN, Serving, serving
from tests.peers import postgresql
from tests.samples import Page, Release, Request, Sample, installed, sample

from pakhus.domain.repository import RepositoryType

SHAPES = ("hosted", "proxy", "group", "nested")
DONE = (200, 201, 202, 204)
ABSENT = (404, 410)
_numbers = count(1)


@dataclass
class Shapes:
    """One format on two servers, empty at first.

    On `near`: hosted, proxy (of `far`'s upstream), group (hosted, proxy), nested (a group of that group). What is
    published to `upstream` is seen through proxy, group and nested; what is published to hosted through all but proxy.
    """

    sample: Sample
    near: Serving
    far: Serving
    number: int

    def name(self, shape: str) -> str:
        """Each test has repositories of its own."""
        return f"{shape}-{self.number}"

    def url(self, shape: str, path: str = "") -> str:
        return self.near.at(self.name(shape), path)

    async def get(self, shape: str, path: str, **options: Any) -> httpx2.Response:
        return await self.near.get(self.name(shape), path, **options)

    async def ask(self, shape: str, request: Request) -> httpx2.Response:
        return await self.near.ask(self.name(shape), request)

    async def create(self, type: str, shape: str, **body: Any) -> None:
        """One more repository near, with the sample's settings for its type."""
        settings = {**self.sample.settings.get(type, {}), **body}
        await self.near.create(self.sample.format, type, self.name(shape), **settings)

    async def publish(self, release: Release, shape: str = "hosted") -> None:
        await self._send(release.publish, shape)

    async def remove(self, release: Release, shape: str = "hosted") -> None:
        await self._send(release.removal, shape)

    async def _send(self, requests: Any, shape: str) -> None:
        """To the hosted repository from which `shape` is read."""
        server, name = (self.far, "upstream") if shape in ("proxy", "upstream") else (self.near, "hosted")
        for request in requests:
            response = await server.ask(self.name(name), request)
            assert response.status_code in DONE, f"{request.method} {request.path}: {response.text}"

    async def forget(self) -> None:
        """The proxy checks everything with its upstream again."""
        await self.near.application.services.repositories.invalidate(self.name("proxy"))

    async def lose_upstream(self) -> None:
        """Nobody listens where the upstream was, and everything kept is to be checked."""
        repositories = self.near.application.services.repositories
        name = self.name("proxy")
        kept = self.near.application.services.catalog.get(name).settings
        body = {**kept, "name": name, "proxy": {**kept["proxy"], "remoteUrl": "http://127.0.0.1:1/"}}
        await repositories.update(self.sample.format, RepositoryType("proxy"), name, body)
        await self.forget()

    async def named(self, shape: str, page: Page) -> frozenset[str]:
        """What a document names; nothing, when there is no document."""
        response = await self.get(shape, page.path, headers=dict(page.headers))
        if response.status_code in ABSENT:
            return frozenset()
        assert response.status_code == 200, f"{page.path}: {response.text}"
        return frozenset(page.names(response.content))


@pytest.fixture(scope="session")
def dsn() -> Iterator[str]:
    """The near server's database: PostgreSQL, where it is installed (in CI it must be); else the embedded one."""
    if postgresql.programs() is None and not os.environ.get("CI"):
        yield ""
        return
    with postgresql.running() as found:
        yield found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def servers(tmp_path_factory: pytest.TempPathFactory, dsn: str) -> AsyncIterator[tuple[Serving, Serving]]:
    """The far server always has the embedded database, so that both are under the same contract."""
    data = tmp_path_factory.mktemp("contract")
    async with serving(data / "near", {"PAKHUS_DATABASE_DSN": dsn}) as near, serving(data / "far") as far:
        yield near, far


@pytest_asyncio.fixture(params=installed(), loop_scope="session")
async def shapes(request: pytest.FixtureRequest, servers: tuple[Serving, Serving]) -> Shapes:
    near, far = servers
    made = Shapes(sample(request.param), near, far, next(_numbers))
    hosted = made.sample.settings.get("hosted", {})
    await far.create(made.sample.format, "hosted", made.name("upstream"), **hosted)
    await made.create("hosted", "hosted")
    await made.create("proxy", "proxy", **_remote(made))
    await made.create("group", "group", group={"memberNames": [made.name("hosted"), made.name("proxy")]})
    await made.create("group", "nested", group={"memberNames": [made.name("group")]})
    return made


def _remote(shapes: Shapes) -> dict[str, Any]:
    login = {"type": "username", "username": ADMIN[0], "password": ADMIN[1]}
    return {
        "proxy": {"remoteUrl": shapes.far.at(shapes.name("upstream"))},
        "negativeCache": {"enabled": False},
        "httpClient": {"authentication": login},
    }
