"""uvicorn's HTTP protocol with an express lane: answers with a valid ticket leave before an ASGI scope is built."""

from __future__ import annotations

import asyncio
import os
import secrets
import select
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

from pakhus.web.bounded import BoundedProtocol, Timeouts
from pakhus.web.express import Express, Ticket
from pakhus.web.reasons import ReasonedProtocol

SENDERS = 32


class _Answer:
    """Stands where uvicorn keeps the cycle of the request that is being answered."""

    def __init__(self, *, complete: bool) -> None:
        self.response_complete = complete
        self.disconnected = False
        self.keep_alive = True
        self.more_body = False
        self.response_started = True
        self.waiting_for_100_continue = False
        self.body = bytearray()
        self.message_event = asyncio.Event()


class Lane:
    """What all connections of a process share: the tickets, the threads that send large files, request ids."""

    def __init__(self, express: Express) -> None:
        self.express = express
        self.senders = ThreadPoolExecutor(SENDERS, "pakhus-send")
        self.sending = 0
        self._prefix = secrets.token_hex(4)
        self._numbers = count(1)

    def request_id(self) -> str:
        return f"{self._prefix}{next(self._numbers):08x}"


class ExpressProtocol(ReasonedProtocol, BoundedProtocol):
    """One connection."""

    def __init__(self, *args: Any, lane: Lane, timeouts: Timeouts, **kwargs: Any) -> None:
        super().__init__(*args, timeouts=timeouts, **kwargs)
        self.lane = lane

    def on_headers_complete(self) -> None:
        if not self._replayed():
            super().on_headers_complete()

    def _replayed(self) -> bool:
        """Answer by a ticket, if there is one and nothing about the request or the connection is unusual."""
        parser = self.parser
        if parser.get_method() != b"GET" or parser.get_http_version() != "1.1" or not parser.should_keep_alive():
            return False
        if (self.cycle is not None and not self.cycle.response_complete) or self.flow.write_paused:
            return False
        express = self.lane.express
        keyed = express.key(self.server, self.url, self.headers)
        if keyed is None:
            return False
        key, known = keyed
        ticket = express.find(key)
        if ticket is None:
            self.scope["state"]["ticket"] = key
            return False
        if known:
            return self._conditional(ticket, known)
        if ticket.body is None:
            return self._send_file(ticket)
        self._finish(ticket, 200, ticket.head, ticket.body)
        return True

    def _conditional(self, ticket: Ticket, known: bytes) -> bool:
        if not ticket.etag or known != ticket.etag:
            return False
        self._finish(ticket, 304, ticket.unmodified, b"")
        return True

    def _head(self, head: bytes, request_id: str) -> bytes:
        lines = [head, b"x-request-id: ", request_id.encode(), b"\r\n"]
        for name, value in self.server_state.default_headers:
            lines += [name, b": ", value, b"\r\n"]
        lines.append(b"\r\n")
        return b"".join(lines)

    def _finish(self, ticket: Ticket, status: int, head: bytes, body: bytes) -> None:
        request_id = self.lane.request_id()
        self.transport.write(self._head(head, request_id) + body)
        self.cycle = _DONE
        self.lane.express.sent(ticket, status, len(body), request_id, self._address())
        self.on_response_complete()

    def _address(self) -> str:
        return self.client[0] if self.client else ""

    # -- large files: the kernel copies them to the socket ---------------------------------------------------------

    def _send_file(self, ticket: Ticket) -> bool:
        """Start sending a file past the transport, whose buffer must be empty for that; false when it is not."""
        if self.scheme != "http" or self.transport.get_write_buffer_size() or self.lane.sending >= SENDERS:
            return False
        assert ticket.path is not None
        try:
            file = os.open(ticket.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        answer = _Answer(complete=False)
        self.cycle = answer  # type: ignore[assignment]
        self.lane.sending += 1
        socket = os.dup(self.transport.get_extra_info("socket").fileno())
        task = self.loop.create_task(self._pump(ticket, answer, socket, file))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return True

    async def _pump(self, ticket: Ticket, answer: _Answer, socket: int, file: int) -> None:
        whole = False
        request_id = self.lane.request_id()
        head = self._head(ticket.head, request_id)
        try:
            whole = await self.loop.run_in_executor(
                self.lane.senders, _copy, socket, file, head, ticket.size, self._timeouts.write
            )
        finally:
            os.close(socket)
            os.close(file)
            self.lane.sending -= 1
            answer.response_complete = True
        if not whole:
            self.transport.close()
            return
        self.lane.express.sent(ticket, 200, ticket.size, request_id, self._address())
        if not answer.keep_alive:
            self.transport.close()
        self.on_response_complete()


def _copy(socket: int, file: int, head: bytes, size: int, patience: float) -> bool:
    """Write head and file to the socket, waiting while it is full; false when the client is gone or stalls."""
    ready = select.poll()
    ready.register(socket, select.POLLOUT)
    offset = 0
    try:
        while head:
            head = head[_written(socket, head, ready, patience) :]
        while offset < size:
            try:
                copied = os.sendfile(socket, file, offset, size - offset)
            except BlockingIOError:
                if not ready.poll(patience * 1000):
                    return False
                continue
            if copied == 0:
                return False
            offset += copied
    except OSError:
        return False
    return True


def _written(socket: int, head: bytes, ready: select.poll, patience: float) -> int:
    try:
        return os.write(socket, head)
    except BlockingIOError:
        if not ready.poll(patience * 1000):
            raise TimeoutError from None
        return 0


_DONE: Any = _Answer(complete=True)
