"""Refused attempts, on their way into the audit: gathered in memory and written in batches, so that a flood of them
neither blocks anybody nor fills a disk.

Equal refusals (who, from where, to which repository, why) within a minute become one entry with a count; beyond so many
different ones a minute all others become one entry together. Callers without credentials, whom a challenge only tells
to log in, are counted apart by address, so that they never crowd out a refused login.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from pakhus.database.transaction import Database, Transaction
from pakhus.domain import events
from pakhus.domain.errors import Denied, PakhusError, PolicyViolation, TooManyRequests, Unauthenticated
from pakhus.domain.initiator import Initiator
from pakhus.domain.masking import plain

REFUSALS = (Unauthenticated, Denied, PolicyViolation, TooManyRequests)
"""The errors that say: you may not. Others say that something is wrong, or is not there."""
WINDOW_SECONDS = 60.0
MOST = 120
"""Different refusals that are told apart within a window."""
MOST_STRANGERS = 30
"""Addresses without credentials that are told apart within a window."""
LONGEST = 500

Key = tuple[str, str, str, str, str, str]
OTHERS = "*others"
STRANGER = "none"
"""The credential of who has none."""


@dataclass(slots=True)
class Attempt:
    """What was refused, first at `first`, and `count` times since it was last written down."""

    initiator: Initiator
    method: str
    path: str
    repository: str
    reason: str
    status: int
    first: datetime
    last: datetime
    count: int = 1
    told: bool = False


class Refusals:
    def __init__(self, database: Database, *, now: Callable[[], datetime], seconds: Callable[[], float]) -> None:
        self._database = database
        self._now = now
        self._seconds = seconds
        self._began = seconds()
        self._attempts: dict[Key, Attempt] = {}

    def add(self, error: PakhusError, initiator: Initiator, method: str, path: str, repository: str) -> None:
        """A refusal; any other error is none. Costs a look into a dictionary."""
        if not isinstance(error, REFUSALS):
            return
        kind = type(error).__name__
        key = (initiator.user, initiator.credential, initiator.address, repository, kind, method)
        if initiator.credential == STRANGER:
            key = ("", STRANGER, initiator.address, "", "", method)
        if key not in self._attempts and self._full(initiator.credential):
            key = (OTHERS, initiator.credential if initiator.credential == STRANGER else "", "", "", "", "")
            initiator, path, repository = Initiator(OTHERS, credential=key[1]), "", ""
        now = self._now()
        known = self._attempts.get(key)
        if known is None:
            reason = _clean(error.message)
            self._attempts[key] = Attempt(initiator, method, _clean(path), repository, reason, error.status, now, now)
            return
        known.first = known.first if known.count else now
        known.last = now
        known.count += 1

    def _full(self, credential: str) -> bool:
        strangers = sum(key[1] == STRANGER for key in self._attempts)
        if credential == STRANGER:
            return strangers >= MOST_STRANGERS
        return len(self._attempts) - strangers >= MOST

    async def flush(self, *, end: bool = False) -> None:
        """Write what is new within this window, and at its end how often it was repeated since."""
        over = end or self._seconds() - self._began >= WINDOW_SECONDS
        ready = {
            key: replace(each)
            for key, each in self._attempts.items()
            if each.count and (over or (not each.told and key[0] != OTHERS))
        }
        if over:
            self._began, self._attempts = self._seconds(), {}
        else:
            for key in ready:
                self._attempts[key].told, self._attempts[key].count = True, 0
        if not ready:
            return
        try:
            await self._database.write(_record, list(ready.values()))
        except BaseException:
            self._restore(ready)
            raise

    def _restore(self, ready: dict[Key, Attempt]) -> None:
        """They could not be written: the next flush tries again."""
        for key, attempt in ready.items():
            known = self._attempts.get(key)
            if known is not None:
                known.count, known.told = known.count + attempt.count, False
            elif not self._full(key[1]):
                self._attempts[key] = attempt


def _record(tx: Transaction, ready: list[Attempt]) -> None:
    tx.quiet = True
    for each in ready:
        tx.initiator = each.initiator
        tx.record(
            events.REFUSED,
            each.repository,
            subject=each.path,
            method=each.method,
            status=each.status,
            reason=each.reason,
            count=each.count,
            first=each.first.isoformat(),
            last=each.last.isoformat(),
        )


def _clean(text: str) -> str:
    """What a stranger sent, as far as a database takes it."""
    return plain(text[:LONGEST])
