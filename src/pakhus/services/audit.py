"""The audit as an administrator sees it: sought page by page, exported, kept for as long as it is configured."""

from __future__ import annotations

import csv
import io
import json
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from pakhus.database import audit, leases, values
from pakhus.database.audit import Download, Head, Sought
from pakhus.database.transaction import Database, Transaction
from pakhus.domain import events
from pakhus.domain.audit import Link, canonical
from pakhus.domain.errors import Invalid
from pakhus.services.audit_chain import Seal

KEY = "audit"
PAGE, MOST = 100, 1000
BATCH = 5000
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes a cell for that starts with it."""
COLUMNS = (
    "id", "time", "user", "source", "credential", "address", "request_id", "action", "repository", "subject",
    "result", "details", "before", "after", "previous", "hash",
)  # fmt: skip
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """How long entries stay (in days; `None`: for ever), are downloads written down, and how long do those stay."""

    retention_days: int | None = 365
    downloads: bool = False
    downloads_retention_days: int = 30


@dataclass(frozen=True, slots=True)
class AuditPage(Generic[T]):
    """Some items, the newest first; `token` asks for the next, `None` at the end."""

    items: list[T]
    token: str | None


class Audit:
    def __init__(self, database: Database, seal: Seal, *, now: Callable[[], datetime]) -> None:
        self._database = database
        self._seal = seal
        self._now = now
        self._owner = secrets.token_hex(8)

    async def page(self, sought: Sought, *, token: str | None = None, limit: int = PAGE) -> AuditPage[Link]:
        before = _position(token)
        found = await self._database.read(audit.newest, sought, before=before, limit=_bounded(limit) + 1)
        return _page(found, limit, lambda link: link.entry.id)

    async def downloads(self, sought: Sought, *, token: str | None = None, limit: int = PAGE) -> AuditPage[Download]:
        before = _position(token)
        found = await self._database.read(audit.downloads, sought, before=before, limit=_bounded(limit) + 1)
        return _page(found, limit, lambda download: download.id)

    async def head(self) -> Head:
        """Where the chain ends now: to be kept elsewhere, as an anchor."""
        return await self._database.read(audit.head) or Head()

    async def export(self, sought: Sought, write: Callable[[Link], str], *, first: str = "") -> AsyncIterator[str]:
        """All entries that are sought, in the chain's order, as text; up to the one that is the last when it begins."""
        end = (await self.head()).position
        if first:
            yield first
        after = 0
        while links := await self._database.read(audit.following, sought, after=after, limit=MOST, to=end):
            yield "".join([write(link) for link in links])
            after = links[-1].entry.id

    async def settings(self) -> AuditSettings:
        kept = await self._database.read(values.get, KEY)
        return AuditSettings(**kept) if kept else AuditSettings()

    async def configure(self, wanted: AuditSettings) -> AuditSettings:
        for name in ("retention_days", "downloads_retention_days"):
            days = getattr(wanted, name)
            if days is not None and not 1 <= days <= 36_500:
                raise Invalid("must be between 1 and 36500", field=name)
        await self._database.write(values.put, KEY, asdict(wanted))
        return wanted

    async def prune(self) -> int:
        """Remove what is older than it is kept, in batches; how many.

        Coordination: a lease, and the lock on the head.
        """
        if not await self._database.write(leases.take, "audit:prune", self._owner, 3600):
            return 0
        settings, now, removed = await self.settings(), self._now(), 0
        try:
            if settings.retention_days is not None:
                before = now - timedelta(days=settings.retention_days)
                while cut := await self._database.write(_cut, before, self._seal):
                    removed += cut
            before = now - timedelta(days=settings.downloads_retention_days)
            while cut := await self._database.write(audit.forget_downloads, before, limit=BATCH):
                removed += cut
        finally:
            await self._database.write(leases.release, "audit:prune", self._owner)
        return removed


def _cut(tx: Transaction, before: datetime, seal: Seal) -> int:
    """Remove one batch of the oldest entries. The head keeps the hash that the rest hangs on."""
    tx.quiet = True
    head = audit.head(tx, locked=True)
    found = None if head is None or not seal.holds(head) else audit.expired(tx, head, before, limit=BATCH)
    if head is None or found is None:
        return 0
    to, digest = found
    audit.put_head(tx, seal.on(replace(head, floor=to, floor_hash=digest)))
    removed = audit.cut(tx, to)
    tx.record(events.AUDIT_PRUNED, first=head.floor + 1, last=to, hash=digest, before=None)
    return removed


# -- export --------------------------------------------------------------------------------------------------------


def as_ndjson(link: Link) -> str:
    return json.dumps(link.as_mapping(), ensure_ascii=False, separators=(",", ":")) + "\n"


def as_csv(link: Link) -> str:
    return csv_row([_cell(link.as_mapping()[name]) for name in COLUMNS])


def csv_row(cells: list[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()


def _cell(value: Any) -> str:
    """Text that a spreadsheet shows and does not compute."""
    if value is None or value == {}:
        return ""
    text = str(value) if isinstance(value, str | int) else canonical(value)
    return f"'{text}" if text.startswith(FORMULA) else text


# -- pages ---------------------------------------------------------------------------------------------------------


def _page(found: list[T], limit: int, key: Callable[[T], int]) -> AuditPage[T]:
    items = found[:limit]
    return AuditPage(items, str(key(items[-1])) if len(found) > limit else None)


def _bounded(limit: int) -> int:
    if not 1 <= limit <= MOST:
        raise Invalid(f"must be between 1 and {MOST}", field="limit")
    return limit


def _position(token: str | None) -> int | None:
    if token is None:
        return None
    if not (token.isascii() and token.isdigit() and len(token) <= 18):
        raise Invalid("is not one of this list", field="continuation_token")
    return int(token)
