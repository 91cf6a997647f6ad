"""Reason phrases: the words after the status, which are all that Maven, Ivy and old Gradle print of a refusal.

RFC 9112, section 4, lets a server choose them; ASGI has no place for them, so a response's start carries an extra
member `reason`, which other servers leave alone.
"""

from __future__ import annotations

import re
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from pakhus.web.exchange import App, Receive, Scope, Send

LONGEST = 300
_UNSPEAKABLE = re.compile(r"[^\t\x20-\x7e\xa1-\xff]+")


def phrase(message: str) -> str:
    """A message as a status line can carry it: one line, Latin-1, bounded."""
    return _UNSPEAKABLE.sub(" ", message).strip()[:LONGEST]


class FirstLine:
    """A transport whose next write begins with a status line that gets other words."""

    def __init__(self, transport: Any, reason: str) -> None:
        self._transport = transport
        self._reason = reason.encode("latin-1")

    def write(self, data: bytes) -> None:
        line, end, rest = data.partition(b"\r\n")
        version, status, *_ = line.split(b" ", 2)
        self._transport.write(b" ".join((version, status, self._reason)) + end + rest)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class ReasonedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, with reason phrases."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        super()._start_asgi_task(cycle, _reasoned(cycle, app))  # type: ignore[arg-type]


def _reasoned(cycle: RequestResponseCycle, app: App) -> App:
    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        async def said(message: Any) -> None:
            reason = phrase(message.get("reason", "")) if message["type"] == "http.response.start" else ""
            if not reason:
                await send(message)
                return
            transport = cycle.transport
            cycle.transport = FirstLine(transport, reason)  # type: ignore[assignment]
            try:
                await send(message)
            finally:
                cycle.transport = transport

        await app(scope, receive, said)

    return answered
