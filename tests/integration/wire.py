"""HTTP/1.1 by hand: what no client library lets a test send."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.contract.serving import ADMIN

LOGIN = "Authorization: Basic " + base64.b64encode(":".join(ADMIN).encode()).decode()
PATIENCE = 20.0
"""Seconds; only a server that is wrong lets a test wait for so long."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Wire:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, *pieces: bytes | str) -> None:
        """Each piece as it is, `str` as Latin-1. A server that has closed meanwhile is no error."""
        try:
            for piece in pieces:
                self.writer.write(piece.encode("latin-1") if isinstance(piece, str) else piece)
                await self.writer.drain()
        except ConnectionError:
            pass

    async def ask(self, request_line: str, *headers: str, body: bytes = b"", host: str = "pakhus") -> Answer:
        """A request with a login, and its answer."""
        lines = [request_line, f"Host: {host}", LOGIN, *headers, "", ""]
        await self.send("\r\n".join(lines), body)
        return await self.answer(head_only=request_line.startswith("HEAD "))

    async def answer(self, *, head_only: bool = False) -> Answer:
        """The next answer. Raises `IncompleteReadError` when the connection ends before it does."""
        async with asyncio.timeout(PATIENCE):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            status = int(head[0].split(" ")[1])
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
            if head_only or status in (100, 204, 304):
                return Answer(status, headers, b"")
            if "content-length" in headers:
                return Answer(status, headers, await self.reader.readexactly(int(headers["content-length"])))
            return Answer(status, headers, b"".join([chunk async for chunk in self._chunks()]))

    async def _chunks(self) -> AsyncIterator[bytes]:
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            yield await self.reader.readexactly(size)
            await self.reader.readexactly(2)
        await self.reader.readexactly(2)

    async def rest(self) -> bytes:
        """All that comes before the server closes."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""


@asynccontextmanager
async def connected(url: str, *, receive_buffer: int | None = None) -> AsyncIterator[Wire]:
    """A connection to the server at `url`; with a small receive buffer, one that soon takes no more."""
    parts = urlsplit(url)
    assert parts.hostname and parts.port
    options = {} if receive_buffer is None else {"limit": receive_buffer}
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, **options)
    try:
        yield Wire(reader, writer)
    finally:
        writer.transport.abort()
