"""The HTTP server: uvicorn, with the limits and the shutdown that a repository manager needs."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvicorn

from pakhus.engine.catalog import Catalog
from pakhus.web.bounded import Timeouts
from pakhus.web.exchange import App
from pakhus.web.ports import Ports
from pakhus.web.protocol import ExpressProtocol, Lane

DRAIN_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Listen:
    """Where and how to listen. With both files there can be TLS, and with `tls` there is on this very port."""

    host: str
    port: int
    cert_file: Path | None = None
    key_file: Path | None = None
    tls: bool = False

    def context(self) -> ssl.SSLContext | None:
        """For ports with TLS; `None` without a certificate."""
        if self.cert_file is None or self.key_file is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert_file, self.key_file)
        return context

    @property
    def url(self) -> str:
        """The address as people type it."""
        scheme = "https" if self.tls else "http"
        host = "localhost" if self.host in ("", "0.0.0.0", "::") else self.host  # noqa: S104 -- compared, not bound
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"


class Server(uvicorn.Server):
    """Says when it listens, listens on more ports as they come and go, and lets the application end as well."""

    def __init__(self, config: uvicorn.Config, ports: Ports, ready: Callable[[], None] = lambda: None) -> None:
        super().__init__(config)
        self._ports = ports
        self._ready = ready
        self._following: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._following = asyncio.create_task(self._ports.follow(self._protocol), name="ports")
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        made = self.config.http_protocol_class
        return made(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)  # type: ignore[call-arg]

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn raises the signal anew when it is done, and the process would die with its last work undone."""
        with super().capture_signals():
            try:
                yield
            finally:
                self._captured_signals.clear()


async def serve(
    app: App, listen: Listen, lane: Lane, timeouts: Timeouts, catalog: Catalog, *, ready: Callable[[], None]
) -> bool:
    """Serve until a signal asks to stop, then let requests under way finish. False when the port was not to be had."""
    ports = Ports(catalog, listen.host or None, listen.context())
    server = Server(configured(app, listen, lane, timeouts), ports, ready)
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
        ssl_certfile=listen.cert_file if listen.tls else None,
        ssl_keyfile=listen.key_file if listen.tls else None,
        ssl_version=ssl.PROTOCOL_TLS_SERVER,
    )
