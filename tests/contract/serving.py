"""A whole server inside the test: the composed application on a port of the loopback interface."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
from tests.samples import Request

from pakhus.app import Application, create, timeouts
from pakhus.domain.repository import RepositoryType
from pakhus.kit.format import Format
from pakhus.remote.guard import Guard
from pakhus.services.clock import Clock
from pakhus.settings import load
from pakhus.web.ports import Ports
from pakhus.web.server import Listen, Server, configured

ADMIN = ("admin", "an-administrators-password")


@dataclass
class Serving:
    """A server at `url`. `seen` counts the requests that reached it, so that a test can say which did not."""

    url: str
    application: Application
    http: httpx2.AsyncClient
    seen: list[str]

    def at(self, repository: str, path: str = "") -> str:
        path, mark, query = path.partition("?")
        return f"{self.url}/repository/{repository}/{quote(path, safe='/@!$&()*,;=:~-._%')}{mark}{query}"

    async def ask(self, repository: str, request: Request, **options: Any) -> httpx2.Response:
        return await self.http.request(
            request.method,
            self.at(repository, request.path),
            content=request.body or None,
            headers=dict(request.headers),
            **options,
        )

    async def get(self, repository: str, path: str, **options: Any) -> httpx2.Response:
        return await self.http.get(self.at(repository, path), **options)

    async def create(self, format: str, type: str, name: str, **body: Any) -> None:
        await self.application.services.repositories.create(format, RepositoryType(type), {"name": name, **body})


@asynccontextmanager
async def serving(
    data: Path,
    environ: Mapping[str, str] | None = None,
    *,
    clock: Clock | None = None,
    guard: Guard | None = None,
    formats: Sequence[Format] | None = None,
) -> AsyncIterator[Serving]:
    """Start, hand over, stop. Private; without the default repositories."""
    settings = load(
        data=data,
        environ={
            "PAKHUS_BOOTSTRAP_ADMIN_PASSWORD": ADMIN[1],
            "PAKHUS_BOOTSTRAP_DEFAULT_REPOSITORIES": "false",
            "PAKHUS_SIGNING_ALGORITHM": "ed25519",
            **(environ or {}),
        },
    ).settings
    application = create(settings, clock=clock or Clock(), guard=guard, installed=formats)
    seen: list[str] = []

    async def counted(scope: Any, receive: Any, send: Any) -> None:
        seen.append(f"{scope['method']} {scope['path']}")
        await application.asgi(scope, receive, send)

    told = application.lane.express.replayed

    def replayed(*ticket_and_more: Any) -> None:
        seen.append("GET, replayed")
        told(*ticket_and_more)

    application.lane.express.replayed = replayed
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    listen = Listen("127.0.0.1", 0, settings.http.tls.cert_file, settings.http.tls.key_file)
    ports = Ports(application.services.catalog, "127.0.0.1", listen.context())
    server = Server(configured(counted, listen, application.lane, timeouts(settings)), ports)
    async with application.running(), httpx2.AsyncClient(auth=ADMIN, timeout=60, trust_env=False) as http:
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield Serving(url, application, http, seen)
        finally:
            server.should_exit = True
            await running
