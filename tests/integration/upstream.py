"""An upstream that does what a test wants: a real server, as hostile as it has to be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Upstream:
    """At `url`; `files` are served with an ETag, `handler` takes over where it is set. `seen` are the requests."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    handler: Handler | None = None
    seen: list[str] = field(default_factory=list)
    requests: list[web.BaseRequest] = field(default_factory=list)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.seen.append(f"{request.method} {request.raw_path}")
        self.requests.append(request)
        if self.handler is not None:
            return await self.handler(request)  # type: ignore[arg-type]
        body = self.files.get(request.path.lstrip("/"))
        if body is None:
            raise web.HTTPNotFound
        etag = f'"{hash(body)}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers={"ETag": etag})
        return web.Response(body=body, headers={"ETag": etag})

    def answers(self, status: int, **headers: str) -> None:
        """Whatever is asked."""

        async def always(request: web.Request) -> web.StreamResponse:
            return web.Response(
                status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}
            )

        self.handler = always


@asynccontextmanager
async def upstream(host: str = "127.0.0.1") -> AsyncIterator[Upstream]:
    made = Upstream()
    runner = web.ServerRunner(web.Server(made.handle), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, 0)
    await site.start()
    made.url = f"http://{host}:{runner.addresses[0][1]}/"
    try:
        yield made
    finally:
        await runner.cleanup()


@dataclass
class Gated:
    """A body whose second half waits until the test lets it go."""

    body: bytes
    cut: bool = False
    chunked: bool = False
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"ETag": '"gated"'})
        if not self.chunked:
            response.content_length = len(self.body)
        await response.prepare(request)
        half = len(self.body) // 2
        await response.write(self.body[:half])
        self.asked.set()
        await self.gate.wait()
        if self.cut:
            assert request.transport is not None
            request.transport.abort()
            return response
        await response.write(self.body[half:])
        return response
