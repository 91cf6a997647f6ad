"""Linking what has happened into the audit's chain, and verifying it.

The events of all nodes are committed with their changes, and taken in by one node after the other, in one order
(coordination: leader, by the outbox; the lock on the head decides, should two lead). So no change waits for the chain.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import structlog

from pakhus.database import audit
from pakhus.database.audit import Head, Sought
from pakhus.database.transaction import Database, Transaction
from pakhus.domain import audit as chain
from pakhus.domain.audit import Link, canonical, entry_of, linked
from pakhus.domain.events import AUDIT_BROKEN, Event

log = structlog.get_logger()
ANCHORS = "audit.anchors"
ANCHOR_SECONDS = 3600.0
PAGE = 1000
MOST_PROBLEMS = 100


class Seal:
    """Vouches for the chain's head with the server's secret: who can only write to the database cannot move it."""

    def __init__(self, secret: str) -> None:
        self._key = hashlib.sha256(b"pakhus audit\0" + secret.encode()).digest()

    def on(self, head: Head) -> Head:
        return replace(head, seal=self._code(head))

    def holds(self, head: Head) -> bool:
        return hmac.compare_digest(head.seal, self._code(head))

    def _code(self, head: Head) -> str:
        text = canonical([head.position, head.hash, head.floor, head.floor_hash])
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()


class Anchors:
    """Heads that were written outside of the database, a JSON object a line: what is cut off after one is missed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, moment: datetime, head: Head) -> None:
        line = json.dumps({"time": moment.isoformat(), "position": head.position, "hash": head.hash})
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def read(self) -> dict[int, str]:
        """Position → hash. Lines that are none (a crash while writing) are passed over."""
        found: dict[int, str] = {}
        try:
            lines = self._path.read_text("utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return found
        for line in lines:
            try:
                anchor = json.loads(line)
                found[int(anchor["position"])] = str(anchor["hash"])
            except (ValueError, KeyError, TypeError):
                continue
        return found


class Chain:
    """A subscriber: takes events into the chain, each exactly once."""

    def __init__(
        self,
        database: Database,
        seal: Seal,
        anchors: Anchors,
        *,
        now: Callable[[], datetime],
        seconds: Callable[[], float],
    ) -> None:
        self._database = database
        self._seal = seal
        self._anchors = anchors
        self._now = now
        self._seconds = seconds
        self._anchored: float | None = None

    async def __call__(self, batch: Sequence[Event]) -> None:
        head = await self._database.write(_take_in, batch, self._seal)
        if self._anchored is None or self._seconds() - self._anchored >= ANCHOR_SECONDS:
            self._anchored = self._seconds()
            log.info("audit_anchor", position=head.position, hash=head.hash)
            try:
                await asyncio.to_thread(self._anchors.add, self._now(), head)
            except OSError as error:
                log.warning("audit_anchor_not_kept", reason=str(error))


def _take_in(tx: Transaction, batch: Sequence[Event], seal: Seal) -> Head:
    tx.quiet = True
    head = audit.head(tx, locked=True)
    problem = _flaw(tx, head, seal)
    if head is None:
        head = Head(*(audit.last(tx) or (Head().position, Head().hash)))
    fresh = [event for event in batch if event.place > head.place]
    if not fresh:
        return head
    told = [event for event in fresh if not event.internal]
    if problem is not None:
        log.error("audit_broken", problem=problem, position=head.position)
        told.insert(0, Event(0, AUDIT_BROKEN, "", tx.now, {"problem": problem}))
    links = list(_linked(told, head))
    audit.append(tx, links)
    if links:
        head = replace(head, position=links[-1].entry.id, hash=links[-1].hash)
    head = seal.on(replace(head, place=fresh[-1].place))
    audit.put_head(tx, head)
    return head


def _linked(events: Sequence[Event], head: Head) -> Iterator[Link]:
    previous = head.hash
    for id, event in enumerate(events, head.position + 1):
        link = linked(previous, entry_of(event, id))
        previous = link.hash
        yield link


def _flaw(tx: Transaction, head: Head | None, seal: Seal) -> str | None:
    """What is wrong with the chain's end, as far as that is seen at a glance: to go on silently would cover it up."""
    last = audit.last(tx)
    if head is None:
        return None if last is None else "the chain has entries, but no head"
    if not seal.holds(head):
        return "the head was not sealed with this server's secret"
    if head.position > head.floor and last != (head.position, head.hash):
        return f"the last entry is not entry {head.position}, which was written last"
    return None


# -- verification --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Report:
    """What a verification found. `first` and `last` are the numbers of the entries that were there."""

    entries: int = 0
    first: int = 0
    last: int = 0
    hash: str = ""
    anchors: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, problem: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)


def verify(tx: Transaction, seal: Seal, anchors: Mapping[int, str]) -> Report:
    """The whole chain as of now, against its head and what is known of it from elsewhere."""
    audit.steady(tx)
    head = audit.head(tx)
    report = Report()
    if head is None:
        if audit.last(tx) is not None:
            report.add("the chain has entries, but no head")
        elif anchors:
            report.add("the chain is empty, but has been anchored")
        return report
    if not seal.holds(head):
        report.add("the head was not sealed with this server's secret: it was altered, or the secret was exchanged")
    follow(_all(tx, head.floor), report, anchors, floor=head.floor, previous=head.floor_hash)
    if head.position > head.floor and (report.last, report.hash) != (head.position, head.hash):
        report.add(f"the chain ends with entry {report.last}, its head says {head.position}")
    return report


def follow(links: Iterator[Link], report: Report, anchors: Mapping[int, str], *, floor: int, previous: str) -> Report:
    """Verify links in their order into a report. After a flaw each link is verified against its own neighbours."""
    at, before = floor, previous
    for link in links:
        if problem := chain.flaw(link, follows=at, previous=before):
            report.add(problem)
        if link.entry.action == AUDIT_BROKEN:
            report.add(f"entry {link.entry.id}: the server noticed that {link.entry.details.get('problem')}")
        known = anchors.get(link.entry.id)
        if known is not None:
            report.anchors += 1
            if known != link.hash:
                report.add(f"entry {link.entry.id} is not the one that was anchored")
        report.entries += 1
        report.first = report.first or link.entry.id
        at, before = link.entry.id, link.hash
    report.last, report.hash = at, before
    if lost := [position for position in anchors if position > at]:
        report.add(f"entry {max(lost)} was anchored, but the chain ends with {at}")
    return report


def _all(tx: Transaction, floor: int) -> Iterator[Link]:
    after = -1
    while page := audit.following(tx, Sought(), after=after, limit=PAGE):
        yield from page
        after = page[-1].entry.id
