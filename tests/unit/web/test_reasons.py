"""Reason phrases on the wire: a real server, read as bytes."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
import uvicorn

from pakhus.web.exchange import Receive, Scope, Send
from pakhus.web.reasons import ReasonedProtocol, phrase


async def answers(reason: str, *, requests: int = 1) -> list[bytes]:
    """The status lines of a server that answers 400 with this reason, over one connection."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        head: dict[str, Any] = {"type": "http.response.start", "status": 400, "headers": [(b"content-length", b"2")]}
        await send({**head, "reason": reason})
        await send({"type": "http.response.body", "body": b"no"})

    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, http=ReasonedProtocol))
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        lines = []
        for _ in range(requests):
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(2) == b"no"
            lines.append(head.partition(b"\r\n")[0])
        writer.close()
        return lines
    finally:
        server.should_exit = True
        await running


async def test_a_refusal_says_why_in_its_status_line() -> None:
    assert await answers("not twice: app-1.0.jar", requests=2) == [b"HTTP/1.1 400 not twice: app-1.0.jar"] * 2


async def test_no_reason_is_the_usual_one() -> None:
    assert await answers("") == [b"HTTP/1.1 400 Bad Request"]


async def test_a_reason_is_one_line_and_cannot_add_headers() -> None:
    assert await answers("a\r\nset-cookie: b") == [b"HTTP/1.1 400 a set-cookie: b"]


@pytest.mark.parametrize(
    ("message", "expected"), [("Größe", "Größe"), ("包 is missing", "is missing"), ("x" * 999, "x" * 300), ("\x00", "")]
)
def test_a_phrase_is_what_a_status_line_can_carry(message: str, expected: str) -> None:
    assert phrase(message) == expected
