"""uvicorn's HTTP/1.1 protocol, with what a server on an open network needs beside it: bounded headers, an end to
clients that stop half-way through sending or taking, and refusals that arrive although the client is still sending.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEADER_BYTES = 64 << 10
"""Of a request line, of all header fields, and of what arrives without completing anything (RFC 6585, section 5)."""

DISCARDED_BYTES = 64 << 20
"""Of a body that nobody reads any more; who sends more is cut, and may not see the answer."""

LINGER_SECONDS = 2.0
LOOKS = 4
"""How often a time-out is looked at before it is over: a connection is cut within a fourth of the time after it."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds without a byte: of a request that is not complete, of an answer that is not taken."""

    read: float = 60.0
    write: float = 60.0


class Refused(Exception):
    """Leaves the parser; what the client is told stands in the protocol's `_refusal`."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, timeouts: Timeouts, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._timeouts = timeouts
        self._look_every = min(timeouts.read, timeouts.write) / LOOKS
        self._look: asyncio.TimerHandle | None = None
        self._silent = 0.0
        self._stuck = 0.0
        self._pending = 0
        self._is_open = False
        self._fields = 0
        self._incomplete = 0
        self._discarded = 0
        self._refusal = HTTPStatus.BAD_REQUEST
        self._lingers = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._look = self.loop.call_later(self._look_every, self._look_around)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._look is not None:
            self._look.cancel()

    def _unsupported_upgrade_warning(self) -> None:
        """A client that offers HTTP/2 (cargo does, with every request) is answered in HTTP/1.1, which is not news."""

    # -- bounds --------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        self._silent = 0.0
        if self._lingers:
            return
        self._incomplete += len(data)
        super().data_received(data)
        if self._incomplete > MOST_HEADER_BYTES and not self._lingers:
            self.refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_open = True
        self._fields = self._incomplete = self._discarded = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > MOST_HEADER_BYTES:
            self._refusal = HTTPStatus.REQUEST_URI_TOO_LONG
            raise Refused

    def on_header(self, name: bytes, value: bytes) -> None:
        """Of the head, or of a chunked body's trailer, whose fields nobody reads."""
        self._incomplete = 0
        self._fields += len(name) + len(value)
        if self._fields > MOST_HEADER_BYTES:
            self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            raise Refused
        super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        self._incomplete = 0
        super().on_body(body)
        if self.cycle.response_complete:
            self._discarded += len(body)
            if self._discarded > DISCARDED_BYTES:
                self.transport.close()

    def on_headers_complete(self) -> None:
        self._incomplete = 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._incomplete = 0
        self._is_open = False
        super().on_message_complete()

    def resume_writing(self) -> None:
        """What was buffered has gone out, though as much may be waiting again at the next look."""
        self._pending = -1
        super().resume_writing()

    # -- time-outs -----------------------------------------------------------------------------------------------

    def _look_around(self) -> None:
        """Count the time that the other side has kept still although it is its turn."""
        pending = self.transport.get_write_buffer_size()
        self._stuck = self._stuck + self._look_every if pending and pending == self._pending else 0.0
        self._pending = pending
        self._silent = self._silent + self._look_every if self._awaits_bytes() else 0.0
        if self._stuck >= self._timeouts.write:
            self.transport.abort()
        elif self._silent > self._timeouts.read:
            self._cut()
        self._look = self.loop.call_later(self._look_every, self._look_around)

    def _awaits_bytes(self) -> bool:
        """A request is due, or the rest of one, and the application does not hold it back."""
        if self.flow.read_paused or self._lingers:
            return False
        if self.cycle is not None and self.cycle.waiting_for_100_continue:
            return False
        return self._is_open or self.cycle is None

    def _cut(self) -> None:
        if self._is_open and (self.cycle is None or not self.cycle.response_complete):
            self.refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self.transport.close()

    # -- refusals ------------------------------------------------------------------------------------------------

    def send_400_response(self, msg: str) -> None:
        """The parser gave up."""
        self.refuse(self._refusal)

    def refuse(self, status: HTTPStatus) -> None:
        """Answer in the application's place and end the connection.

        What still arrives is read and dropped for a moment: closing at once would reset the connection, and the client
        would lose the answer (RFC 9112, section 9.6).
        """
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if cycle.response_started:
                self.transport.abort()
                return
            cycle.disconnected = True
            cycle.message_event.set()
        text = f"{status.phrase}\n".encode()
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\nconnection: close\r\ncontent-length: {len(text)}\r\n"
        self.transport.write(head.encode() + b"content-type: text/plain; charset=utf-8\r\n\r\n" + text)
        self._linger()

    def _linger(self) -> None:
        self._lingers = True
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)
