"""The HTTP server: uvicorn, with the limits and the shutdown that a repository manager needs."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvicorn

from pakhus.web.exchange import App
from pakhus.web.protocol import Protocol, Timeouts

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


async def serve(app: App, listen: Listen, timeouts: Timeouts) -> bool:
    """Serve until a signal asks to stop, then let requests under way finish. False when the port was not to be had."""
    server = _Server(configured(app, listen, timeouts))
    await server.serve()
    return bool(server.started)


class _Server(uvicorn.Server):
    """Ends when it is told to, and lets the application end as well."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn raises the signal anew when it is done, and the process would die with its last work undone."""
        with super().capture_signals():
            try:
                yield
            finally:
                self._captured_signals.clear()


def configured(app: App, listen: Listen, timeouts: Timeouts) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=listen.host or "0.0.0.0",  # noqa: S104 -- an empty host means every interface
        port=listen.port,
        http=partial(Protocol, timeouts=timeouts),  # type: ignore[arg-type]
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
