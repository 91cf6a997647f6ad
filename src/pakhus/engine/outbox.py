"""Telling subscribers what has happened: in order, at least once, each at its own pace.

Coordination: leader. One process at a time delivers to a subscriber; its lease passes on when it dies.
"""

from __future__ import annotations

import asyncio
import secrets
import time
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
GATHER_SECONDS = 0.5
TRIM_SECONDS = 5.0


class Outbox:
    """A loop for each subscriber, so that one that fails or takes its time keeps no other from what it has to do."""

    def __init__(
        self,
        database: Database,
        subscribers: Mapping[str, Subscriber],
        *,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._subscribers = subscribers
        self._seconds = seconds
        self._leads: dict[str, float] = {}
        self._trimmed = seconds()
        self._owner = secrets.token_hex(8)
        self._woken = {name: asyncio.Event() for name in subscribers}

    def wake(self) -> None:
        """Something was committed."""
        for woken in self._woken.values():
            woken.set()

    async def deliver(self) -> int:
        """Give every subscriber what it has not had yet; how many events that was."""
        return sum([await self._deliver_to(name) for name in self._subscribers])

    async def _deliver_to(self, name: str) -> int:
        """One batch, if this process is the one that delivers."""
        position = await self._database.glance(events.position, name)
        if not await self._database.glance(events.after, position, limit=1):
            return 0
        if not await self._leading(name):
            return 0
        position = await self._database.read(events.position, name)
        batch = await self._database.read(events.after, position, limit=BATCH)
        if not batch:
            return 0
        await self._subscribers[name](batch)
        await self._database.write(events.advance, name, batch[-1].place)
        if self._seconds() - self._trimmed >= TRIM_SECONDS:
            self._trimmed = self._seconds()
            await self._database.write(events.trim, tuple(self._subscribers))
        return len(batch)

    async def _leading(self, name: str) -> bool:
        """Take the lease, or renew it once half of it is over."""
        if self._seconds() < self._leads.get(name, 0.0):
            return True
        asked = self._seconds()
        if not await self._database.write(leases.take, f"outbox:{name}", self._owner, LEASE_SECONDS):
            return False
        self._leads[name] = asked + LEASE_SECONDS / 2
        return True

    async def release(self) -> None:
        """Let another process deliver at once, after this one has ended."""
        for name in self._leads:
            await self._database.write(leases.release, f"outbox:{name}", self._owner)
        self._leads = {}

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as group:
            for name in self._subscribers:
                group.create_task(self._run(name), name=f"outbox {name}")

    async def _run(self, name: str) -> None:
        """A subscriber that fails is tried again after a while."""
        woken = self._woken[name]
        while True:
            woken.clear()
            try:
                while await self._deliver_to(name) >= BATCH:
                    pass
            except Exception:
                log.exception("outbox_failed", subscriber=name)
                await asyncio.sleep(IDLE_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(IDLE_SECONDS):
                    await woken.wait()
            await asyncio.sleep(GATHER_SECONDS)
