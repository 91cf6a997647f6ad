"""The HTTP server: uvicorn, with the limits and the shutdown that a repository manager needs."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvicorn

from pakhus.web.bounded import Timeouts
from pakhus.web.exchange import App
from pakhus.web.protocol import ExpressProtocol, Lane

DRAIN_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Listen:
    """Where and how to listen; with both files, TLS."""

    host: str
    port: int
    cert_file: Path | None = None
    key_file: Path | None = None

    @property
    def url(self) -> str:
        """The address as people type it."""
        scheme = "https" if self.cert_file is not None else "http"
        host = "localhost" if self.host in ("", "0.0.0.0", "::") else self.host  # noqa: S104 -- compared, not bound
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"


class _Server(uvicorn.Server):
    """Says when it listens, and lets the application end as well."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn raises the signal anew when it is done, and the process would die with its last work undone."""
        with super().capture_signals():
            try:
                yield
            finally:
                self._captured_signals.clear()


async def serve(app: App, listen: Listen, lane: Lane, timeouts: Timeouts, *, ready: Callable[[], None]) -> bool:
    """Serve until a signal asks to stop, then let requests under way finish. False when the port was not to be had."""
    server = _Server(configured(app, listen, lane, timeouts), ready)
    await server.serve()
    return bool(server.started)


def configured(app: App, listen: Listen, lane: Lane, timeouts: Timeouts) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=listen.host or "0.0.0.0",  # noqa: S104 -- an empty host means every interface
        port=listen.port,
        http=partial(ExpressProtocol, lane=lane, timeouts=timeouts),  # type: ignore[arg-type]
        ws="none",
        loop="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        ssl_certfile=listen.cert_file,
        ssl_keyfile=listen.key_file,
        ssl_version=ssl.PROTOCOL_TLS_SERVER,
    )
