"""Two machines with one PostgreSQL: what is configured on one counts on the other within seconds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from pakhus.app import create
from pakhus.settings import load
from tests.peers import postgresql

ADMIN = ("admin", "an-administrators-password")
BASE = "http://pakhus.test"
REST = f"{BASE}/service/rest/v1"
SECONDS = 5.0


@dataclass
class Node:
    """A server with a data directory of its own."""

    http: httpx2.AsyncClient

    async def administer(self, method: str, path: str, **options: object) -> None:
        answer = await self.http.request(method, f"{REST}/{path}", auth=ADMIN, **options)  # type: ignore[arg-type]
        assert answer.status_code < 300, answer.text

    async def read(self) -> int:
        answer = await self.http.get(f"{BASE}/repository/files/a.txt", auth=("ann", "password-of-ann"))
        return answer.status_code

    async def comes_to(self, status: int) -> None:
        """Wait until a read is answered like this; the time that it may take is the promise."""
        async with asyncio.timeout(SECONDS):
            while await self.read() != status:
                await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgresql.running() as found:
        yield found


@pytest.fixture
def dsn(server: str, request: pytest.FixtureRequest) -> Iterator[str]:
    with postgresql.database(server, request.node.name) as made:
        yield made


@pytest.fixture
async def nodes(tmp_path: Path, dsn: str) -> AsyncIterator[tuple[Node, Node]]:
    """Two nodes; the second has already let `ann` read."""
    async with AsyncExitStack() as stack:
        made = [await _node(stack, tmp_path / name, dsn) for name in ("one", "two")]
        one, two = made
        storage = {"blobStoreName": "default", "strictContentTypeValidation": False, "writePolicy": "ALLOW"}
        await one.administer("POST", "repositories/raw/hosted", json={"name": "files", "storage": storage})
        put = await one.http.put(f"{BASE}/repository/files/a.txt", content=b"a", auth=ADMIN)
        assert put.status_code == 201
        selector = {"name": "all", "expression": 'path =^ "/"'}
        await one.administer("POST", "security/content-selectors", json=selector)
        what = {"name": "ann", "format": "raw", "repository": "files", "actions": ["READ"], "contentSelector": "all"}
        await one.administer("POST", "security/privileges/repository-content-selector", json=what)
        await one.administer("POST", "security/roles", json={"id": "ann", "name": "ann", "privileges": ["ann"]})
        person = {"userId": "ann", "firstName": "A", "lastName": "B", "emailAddress": "a@example.org"}
        login = {"status": "active", "roles": ["ann"], "password": "password-of-ann"}
        await one.administer("POST", "security/users", json={**person, **login})
        await two.comes_to(200)
        yield one, two


async def _node(stack: AsyncExitStack, data: Path, dsn: str) -> Node:
    settings = load(
        data=data,
        environ={
            "PAKHUS_BOOTSTRAP_ADMIN_PASSWORD": ADMIN[1],
            "PAKHUS_BOOTSTRAP_DEFAULT_REPOSITORIES": "false",
            "PAKHUS_DATABASE_DSN": dsn,
            "PAKHUS_AUTH_JWT_SECRET": "the-same-secret-on-every-node-of-a-cluster",
        },
    ).settings
    application = create(settings)
    await stack.enter_async_context(application.running())
    transport = httpx2.ASGITransport(app=application.asgi)
    return Node(await stack.enter_async_context(httpx2.AsyncClient(transport=transport, trust_env=False)))


async def test_revoked_right_is_gone_on_every_node(nodes: tuple[Node, Node]) -> None:
    one, two = nodes

    await one.administer("PUT", "security/content-selectors/all", json={"expression": 'path =^ "/b"'})
    await two.comes_to(403)
    await one.administer("PUT", "security/content-selectors/all", json={"expression": 'path =^ "/a"'})
    await two.comes_to(200)
    await one.administer("DELETE", "security/privileges/ann")
    await two.comes_to(403)
    role = {"id": "ann", "name": "ann", "privileges": ["nx-repository-view-raw-files-read"], "roles": []}
    await one.administer("PUT", "security/roles/ann", json=role)
    await two.comes_to(200)
    await one.administer("DELETE", "security/roles/ann")
    await two.comes_to(403)
    assert await one.read() == 403


async def test_deleted_user_and_repository_are_gone_on_every_node(nodes: tuple[Node, Node]) -> None:
    one, two = nodes

    await one.administer("DELETE", "security/users/ann")
    await two.comes_to(401)
    await one.administer("DELETE", "repositories/files")
    await two.comes_to(404)
