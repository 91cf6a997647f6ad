"""The express lane: replaying an answer that was decided a moment ago, before any ASGI scope is built.

The normal path decides everything. Where its answer to a plain GET was a local file or a rendered document, it leaves a
ticket under all that the decision rested on: listener, Host, raw target, Authorization and Accept. A ticket is valid
while the generation stands (no content, repository, user, right or rule has changed) and for a few seconds at most, so
that what expires by the clock (tokens, kept copies) expires here too. Speed is a replay of decisions, never a second
place that decides.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pakhus import logs
from pakhus.database.generation import Generation
from pakhus.domain.content import Asset
from pakhus.domain.initiator import Initiator, current
from pakhus.engine.downloads import Downloads
from pakhus.engine.found import Found, Rendered
from pakhus.engine.memory import Memory

SECONDS = 5.0
CAPACITY_BYTES = 128 << 20
IN_MEMORY_BYTES = 256 << 10
UNUSUAL = frozenset(
    {
        b"range",
        b"if-range",
        b"if-match",
        b"if-modified-since",
        b"if-unmodified-since",
        b"expect",
        b"content-length",
        b"transfer-encoding",
        b"upgrade",
        b"cookie",
        b"forwarded",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-prefix",
        b"x-forwarded-proto",
        b"x-request-id",
    }
)
"""Headers that other code reads: a request with one of them takes the normal path."""

Key = tuple[object, bytes, bytes, bytes, bytes]
Replayed = Callable[["Ticket", int, int, str, str], None]
"""Told of every replay: ticket, status, body bytes, request id, client address."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A finished answer. `head` and `unmodified` lack their last headers (id, date) and the empty line."""

    head: bytes
    unmodified: bytes
    etag: bytes
    body: bytes | None
    path: str | None
    size: int
    asset: Asset | None
    who: Initiator
    stamp: bytes
    expires: float
    format: str
    log: str


class Express:
    """The tickets of a process. `credentials` are header names, beyond Authorization, that say who somebody is."""

    def __init__(
        self,
        generation: Generation,
        downloads: Downloads,
        *,
        server: str,
        credentials: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._generation = generation
        self._downloads = downloads
        self._server = server.encode()
        self._unusual = UNUSUAL | {name.lower().encode() for name in credentials if name.lower() != "authorization"}
        self._clock = clock
        self._tickets: Memory[Ticket] = Memory(CAPACITY_BYTES)
        self.replayed: Replayed = lambda ticket, status, sent, request_id, client: None

    def stamp(self) -> bytes:
        """To be read before a decision is made, and given to `offer` with its outcome."""
        return self._generation.stamp

    def key(self, server: object, target: bytes, headers: Sequence[tuple[bytes, bytes]]) -> tuple[Key, bytes] | None:
        """What a ticket is kept under, and the request's If-None-Match; `None` for an unusual request."""
        host = authorization = accept = known = b""
        for name, value in headers:
            if name == b"host":
                host = value
            elif name == b"authorization":
                authorization = value
            elif name == b"accept":
                accept = value
            elif name == b"if-none-match":
                known = value
            elif name in self._unusual:
                return None
        return (server, host, target, authorization, accept), known

    def find(self, key: Key) -> Ticket | None:
        ticket = self._tickets.get(key)
        if ticket is None:
            return None
        if ticket.stamp != self._generation.stamp or ticket.expires < self._clock():
            self._tickets.drop(key)
            return None
        return ticket

    async def offer(
        self, key: Key, found: Found, headers: Mapping[str, str], stamp: bytes, fields: Mapping[str, object]
    ) -> None:
        """Keep the answer that was just sent, if it is one that can be replayed."""
        size = found.body.size
        if size is None or "warning" in headers or not found.fresh_for:
            return
        path = await found.body.local_path()
        body = found.body.data if isinstance(found.body, Rendered) else None
        if body is None:
            if path is None:
                return
            body = _small(path, size)
        ticket = Ticket(
            head=self._head(b"HTTP/1.1 200 OK\r\n", headers),
            unmodified=self._head(b"HTTP/1.1 304 Not Modified\r\n", _of_unmodified(headers)),
            etag=found.etag.encode("latin-1"),
            body=body,
            path=path,
            size=size,
            asset=found.asset,
            who=current(),
            stamp=stamp,
            expires=self._clock() + min(SECONDS, found.fresh_for),
            format=str(fields.get("format", "")),
            log=logs.prepared("request", fields),
        )
        self._tickets.put(key, ticket, weight=len(body or b"") + 2048)

    def sent(self, ticket: Ticket, status: int, size: int, request_id: str, client: str) -> None:
        """A replay went out whole: it is counted and logged like any other answer."""
        if status == 200 and ticket.asset is not None:
            self._downloads.count(ticket.asset.id)
        self.replayed(ticket, status, size, request_id, client)

    def _head(self, line: bytes, headers: Mapping[str, str]) -> bytes:
        lines = [line, b"server: ", self._server, b"\r\n"]
        for name, value in headers.items():
            lines += [name.encode("latin-1"), b": ", value.encode("latin-1", "replace"), b"\r\n"]
        return b"".join(lines)


def _small(path: str, size: int) -> bytes | None:
    """The bytes of a small file, to be sent from memory."""
    if size > IN_MEMORY_BYTES:
        return None
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(handle, size, 0)
    finally:
        os.close(handle)


def _of_unmodified(headers: Mapping[str, str]) -> dict[str, str]:
    dropped = ("content-type", "content-length", "content-disposition")
    return {name: value for name, value in headers.items() if name not in dropped}
