"""Telling subscribers what has happened: in order, at least once, each at its own pace.

Coordination: leader. One process at a time delivers; its lease passes on when it dies.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

import structlog

from pakhus.database import events, leases
from pakhus.database.transaction import Database
from pakhus.domain.events import Event

log = structlog.get_logger()

Subscriber = Callable[[Sequence[Event]], Awaitable[None]]
BATCH = 500
LEASE_SECONDS = 15.0
IDLE_SECONDS = 5.0
GATHER_SECONDS = 0.2


class Outbox:
    def __init__(self, database: Database, subscribers: Mapping[str, Subscriber]) -> None:
        self._database = database
        self._subscribers = subscribers
        self._owner = secrets.token_hex(8)
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Something was committed."""
        self._woken.set()

    async def deliver(self) -> int:
        """Give every subscriber what it has not had yet; how many events that was."""
        if not await self._database.write(leases.take, "outbox", self._owner, LEASE_SECONDS):
            return 0
        delivered = 0
        for name, subscriber in self._subscribers.items():
            delivered += await self._deliver_to(name, subscriber)
        if delivered:
            await self._database.write(events.trim)
        return delivered

    async def _deliver_to(self, name: str, subscriber: Subscriber) -> int:
        position = await self._database.read(events.position, name)
        batch = await self._database.read(events.after, position, limit=BATCH)
        if not batch:
            return 0
        await subscriber(batch)
        await self._database.write(events.advance, name, batch[-1].id)
        return len(batch)

    async def run(self) -> None:
        """Deliver until cancelled. A subscriber that fails is tried again after a while."""
        while True:
            self._woken.clear()
            try:
                while await self.deliver() >= BATCH:
                    pass
            except Exception:
                log.exception("outbox_failed")
                await asyncio.sleep(IDLE_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(IDLE_SECONDS):
                    await self._woken.wait()
            await asyncio.sleep(GATHER_SECONDS)
