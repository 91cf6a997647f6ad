"""Upstreams for the tests: real servers on addresses of 127/8, of which some play public ones."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from ipaddress import ip_address

import pytest
from aiohttp import web

from pakhus.domain.repository import Authentication, Connection, Remote
from pakhus.remote.answer import Answer
from pakhus.remote.guard import Address, Guard, Reach, classify
from pakhus.remote.upstreams import HttpUpstreams

PUBLIC, PUBLIC_2, PRIVATE, PRIVATE_2, FORBIDDEN = "127.0.1.1", "127.0.1.2", "127.0.0.1", "127.0.0.2", "127.0.2.1"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def reach_in_tests(address: Address) -> Reach:
    """127.0.1.0/24 plays the internet, 127.0.2.0/24 what must never be reached; the rest is what it is."""
    if address in (ip_address(PUBLIC), ip_address(PUBLIC_2)):
        return Reach.PUBLIC
    return Reach.FORBIDDEN if address == ip_address(FORBIDDEN) else classify(address)


@dataclass
class Names:
    """A resolver: each lookup of a name takes its next answer, the last one stays."""

    table: dict[str, list[Sequence[str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def set(self, name: str, *answers: str) -> None:
        self.table[name] = [[answer] for answer in answers]

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        if host not in self.table:
            raise OSError("no such name")
        answers = self.table[host]
        return answers.pop(0) if len(answers) > 1 else answers[0]


@dataclass
class Clock:
    """Time that passes only when somebody sleeps or a test says so."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@dataclass
class Upstream:
    """A server, and the requests that it got."""

    host: str
    port: int
    scheme: str = "http"
    requests: list[web.Request] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return self.at(self.host)

    def at(self, name: str) -> str:
        return f"{self.scheme}://{name}:{self.port}/"

    def sent(self, header: str) -> list[str | None]:
        return [request.headers.get(header) for request in self.requests]


Serve = Callable[..., Awaitable[Upstream]]
ServeRaw = Callable[..., Awaitable[Upstream]]


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def upstreams(names: Names, clock: Clock) -> AsyncIterator[HttpUpstreams]:
    guard = Guard(resolve=names, classify=reach_in_tests)
    made = HttpUpstreams(guard=guard, clock=clock, sleep=clock.sleep)
    yield made
    await made.close()


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with AsyncExitStack() as stack:

        async def start(
            handler: Handler, *, host: str = PRIVATE, port: int = 0, tls: ssl.SSLContext | None = None
        ) -> Upstream:
            upstream = Upstream(host, 0, "https" if tls else "http")

            async def handle(request: web.BaseRequest) -> web.StreamResponse:
                upstream.requests.append(request)  # type: ignore[arg-type]
                return await handler(request)  # type: ignore[arg-type]

            runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.1)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            site = web.TCPSite(runner, host, port, ssl_context=tls)
            await site.start()
            upstream.port = runner.addresses[0][1]
            return upstream

        yield start


@pytest.fixture
async def serve_raw() -> AsyncIterator[ServeRaw]:
    servers: list[asyncio.Server] = []
    tasks: set[asyncio.Task[None]] = set()

    async def start(talk: Talk, *, host: str = PRIVATE) -> Upstream:
        upstream = Upstream(host, 0)

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            upstream.connections += 1
            try:
                await talk(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.get_running_loop().create_task(handle(reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_server(connected, host, 0)
        servers.append(server)
        upstream.port = server.sockets[0].getsockname()[1]
        return upstream

    yield start
    for task in tuple(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for server in servers:
        server.close()


def says(answer: bytes) -> Talk:
    """Answers the first request with these bytes and closes."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return talk


def text(body: str = "ok", *, status: int = 200, headers: Mapping[str, str] | None = None) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(text=body, status=status, headers=headers)

    return handler


def to(location: str, *, status: int = 302) -> Handler:
    return text("", status=status, headers={"Location": location})


def user(name: str = "ann", password: str = "secret", *, preemptive: bool = False) -> Authentication:
    return Authentication(username=name, password=password, preemptive=preemptive)


def remote(
    url: str, *, authentication: Authentication | None = None, auto_block: bool = True, **connection: object
) -> Remote:
    return Remote(
        url,
        authentication=authentication,
        auto_block=auto_block,
        connection=Connection(**connection),  # type: ignore[arg-type]
    )


async def body(response: Answer) -> bytes:
    return b"".join([chunk async for chunk in response.chunks()])


async def get(upstreams: HttpUpstreams, at: Remote, location: str = "file", **more: object) -> tuple[int, bytes]:
    async with upstreams.request(at, location, **more) as response:  # type: ignore[arg-type]
        return response.status, await body(response)
