"""Ports that belong to single repositories: opened and closed while the server runs, on every node."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping

import structlog

from pakhus.engine.catalog import Catalog, Port

log = structlog.get_logger()

SECONDS = 0.5
"""How often a node looks for changes that others have made: a glance at a counter."""


class Ports:
    """Keeps listening where the catalog says. `tls` is the server's context, where it has a certificate."""

    def __init__(self, catalog: Catalog, host: str | None, tls: ssl.SSLContext | None) -> None:
        self._catalog = catalog
        self._host = host
        self._tls = tls
        self._open: dict[int, tuple[Port, asyncio.Server]] = {}
        self._failed: dict[int, Port] = {}

    async def follow(self, protocol: Callable[[], asyncio.Protocol]) -> None:
        """Open and close for as long as it is not cancelled; then close all."""
        known: Mapping[int, Port] | None = None
        try:
            while True:
                changed = self._catalog.changed
                await self._catalog.refresh()
                if self._catalog.ports is not known:
                    known = self._catalog.ports
                    await self._follow(known, protocol)
                try:
                    async with asyncio.timeout(SECONDS):
                        await changed.wait()
                except TimeoutError:
                    continue
        finally:
            self.close()

    async def _follow(self, wanted: Mapping[int, Port], protocol: Callable[[], asyncio.Protocol]) -> None:
        for port in [port for port, (held, _) in self._open.items() if wanted.get(port) != held]:
            self._open.pop(port)[1].close()
            log.info("port_closed", port=port)
        self._failed = {}
        for port, held in wanted.items():
            if port not in self._open:
                await self._listen(port, held, protocol)

    async def _listen(self, port: int, held: Port, protocol: Callable[[], asyncio.Protocol]) -> None:
        if held.tls and self._tls is None:
            log.error("port_not_opened", port=port, repository=held.repository, reason="the server has no certificate")
            self._failed[port] = held
            return
        try:
            server = await asyncio.get_running_loop().create_server(
                protocol, host=self._host, port=port, ssl=self._tls if held.tls else None, backlog=2048
            )
        except OSError as error:
            log.error("port_not_opened", port=port, repository=held.repository, reason=str(error))
            self._failed[port] = held
            return
        self._open[port] = (held, server)
        log.info("port_opened", port=port, repository=held.repository, tls=held.tls)

    def close(self) -> None:
        while self._open:
            self._open.popitem()[1][1].close()
