"""Delivering messages to webhooks: each attempt by one node, repeated with growing pauses, given up in the end.

Coordination: a claim moves the due moment of its deliveries, which is the lease. One that dies with its process is made
again afterwards: a receiver may get a message twice, with the same id.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

import structlog

from pakhus.database import webhooks
from pakhus.database.transaction import Database, Transaction
from pakhus.database.webhooks import DEAD, DELIVERED, PENDING, Delivery
from pakhus.domain.errors import PakhusError
from pakhus.domain.repository import Connection, Remote
from pakhus.domain.webhooks import Attempt, Webhook, headers, pause
from pakhus.remote.client import Upstreams
from pakhus.services.webhooks import Webhooks

log = structlog.get_logger()
LEASE_SECONDS = 60.0
ANSWER_SECONDS = 20.0
CONNECT_SECONDS = 10.0
AT_ONCE = 4
"""Attempts at the same time for one webhook: one that is slow takes nothing from the others."""
IDLE_SECONDS = 5.0


class Deliverer:
    def __init__(
        self,
        database: Database,
        hooks: Webhooks,
        upstreams: Upstreams,
        *,
        now: Callable[[], datetime],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._hooks = hooks
        self._upstreams = upstreams
        self._now = now
        self._chance = chance
        self._woken = asyncio.Event()
        self._busy: Counter[int] = Counter()
        self._attempts: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Something is to be delivered."""
        self._woken.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        try:
            while True:
                self._woken.clear()
                try:
                    await self._round()
                except Exception:
                    log.exception("webhooks_failed")
                with suppress(TimeoutError):
                    async with asyncio.timeout(IDLE_SECONDS):
                        await self._woken.wait()
        finally:
            for task in self._attempts:
                task.cancel()
            await asyncio.gather(*self._attempts, return_exceptions=True)

    async def deliver(self) -> int:
        """Make all attempts that are due, and wait for them; how many."""
        started = await self._round()
        while self._attempts:
            await asyncio.gather(*self._attempts)
            started += await self._round()
        return started

    async def deliver_now(self, delivery: Delivery) -> None:
        """One attempt at once."""
        claimed = await self._database.write(webhooks.claim_one, delivery.id, seconds=LEASE_SECONDS)
        for each in claimed:
            await self._attempt(each)

    async def _round(self) -> int:
        """Start what is due, as far as its webhook has not enough under way."""
        due = await self._database.read(webhooks.next_due)
        if due is None or due > self._now():
            return 0
        busy = dict(self._busy)
        claimed = await self._database.write(webhooks.claim, busy, each=AT_ONCE, seconds=LEASE_SECONDS)
        for delivery in claimed:
            self._busy[delivery.webhook_id] += 1
            task = asyncio.create_task(self._attempt(delivery), name=f"webhook {delivery.id}")
            self._attempts.add(task)
            task.add_done_callback(lambda done, hook=delivery.webhook_id: self._ended(done, hook))  # type: ignore[misc]
        return len(claimed)

    def _ended(self, task: asyncio.Task[None], hook: int) -> None:
        self._attempts.discard(task)
        self._busy[hook] -= 1
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("webhook_attempt_failed", error=repr(error))
        self.wake()

    async def _attempt(self, delivery: Delivery) -> None:
        receiver = next((each for each in await self._hooks.everything() if each.id == delivery.webhook_id), None)
        if receiver is None or not receiver.enabled:
            return
        attempt = await self._sent(receiver, delivery)
        await self._database.write(_ended, receiver, delivery, attempt, self._chance())

    async def _sent(self, receiver: Webhook, delivery: Delivery) -> Attempt:
        moment, started = self._now(), time.perf_counter()
        body = delivery.payload.encode()
        signed = headers(await self._hooks.secrets(receiver.id), delivery.message, moment, body)
        status, error, wait = 0, "", 0.0
        remote = Remote(receiver.url, auto_block=False, connection=Connection(timeout=CONNECT_SECONDS))
        try:
            async with (
                asyncio.timeout(ANSWER_SECONDS),
                self._upstreams.request(
                    remote, receiver.url, method="POST", headers=signed, body=body, once=True
                ) as response,
            ):
                status, wait = response.status, _retry_after(response.headers)
        except TimeoutError:
            error = f"no answer within {ANSWER_SECONDS:.0f} seconds"
        except PakhusError as failure:
            error = failure.message
        except OSError as failure:
            error = str(failure)
        return Attempt(moment, status, error, round((time.perf_counter() - started) * 1000), wait)


def _ended(tx: Transaction, receiver: Webhook, delivery: Delivery, attempt: Attempt, chance: float) -> None:
    state, wait = DELIVERED, 0.0
    if not attempt.succeeded:
        later = None if attempt.gone else pause(delivery.attempts + 1, chance, attempt.retry_after)
        state, wait = (DEAD, 0.0) if later is None else (PENDING, later)
    if state == DEAD:
        log.warning("webhook_given_up", webhook=receiver.name, message=delivery.message, status=attempt.status)
    webhooks.attempted(tx, delivery, attempt, state=state, pause=wait)
    if attempt.gone:
        reason = "the receiver answered 410 Gone"
        webhooks.change(tx, receiver, replace(receiver, enabled=False, disabled=reason))


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that the receiver asks for; dates are not understood."""
    wait = headers.get("retry-after", "").strip()
    return float(wait) if wait.isascii() and wait.isdigit() and len(wait) < 7 else 0.0
