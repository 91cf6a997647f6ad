"""Disk space that comes back: abandoned drafts and uploads, blobs that no asset uses, files that no row knows.

Coordination: leader, taken for each run. Every step is idempotent, and a grace period keeps it away from whatever is
being written: rows go before files, and a file goes only when it is older than the grace and no row knows it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import structlog

from pakhus.database import blobs, leases, uploads
from pakhus.database.transaction import Database, Transaction
from pakhus.engine.stores import Stores
from pakhus.engine.unreferenced import Unreferenced
from pakhus.storage.store import BlobStore

log = structlog.get_logger()
PAGE = 500
YOUNG = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Swept:
    """What a run freed."""

    drafts: int = 0
    uploads: int = 0
    assets: int = 0
    blobs: int = 0
    bytes: int = 0
    strays: int = 0


class Sweep:
    def __init__(
        self, database: Database, stores: Stores, unreferenced: Unreferenced, now: Callable[[], datetime]
    ) -> None:
        """`now` is the time of rows; files have that of the disk."""
        self._database = database
        self._now = now
        self._stores = stores
        self._unreferenced = unreferenced
        self._owner = secrets.token_hex(8)

    async def run(self, *, grace: timedelta) -> Swept:
        """One run over all blob stores; nothing younger than `grace` is touched."""
        if not await self._database.write(leases.take, "sweep", self._owner, 3600):
            return Swept()
        try:
            total = Swept(assets=await self._unreferenced.run())
            for store in self._stores.everything():
                total = _sum(total, await self._store(store, self._now() - grace, time.time() - grace.total_seconds()))
            log.info("swept", **asdict(total))
            return total
        finally:
            await self._database.write(leases.release, "sweep", self._owner)

    async def compact(self, store: BlobStore, *, now: datetime) -> Swept:
        """Free what no asset uses, however young: whoever is about to use such a blob notices, and writes it anew.

        Drafts and files without a row may be somebody's who has not come to the row yet: those of the last hour stay.
        """
        freed, size = await self._unused(store, now)
        before = now - YOUNG
        drafts = await store.sweep_drafts(time.time() - before.timestamp())
        strays = await self._strays(store, before.timestamp())
        return Swept(drafts=drafts, blobs=freed, bytes=size, strays=strays)

    async def _store(self, store: BlobStore, before: datetime, written_before: float) -> Swept:
        """What is written while the sweep runs is younger than `before`, whatever the grace."""
        drafts = await store.sweep_drafts(time.time() - written_before)
        ended = await self._uploads(store, before)
        freed, size = await self._unused(store, before)
        strays = await self._strays(store, written_before)
        return Swept(drafts=drafts, uploads=ended, blobs=freed, bytes=size, strays=strays)

    async def _uploads(self, store: BlobStore, before: datetime) -> int:
        ended = 0
        while True:
            number, parts = await self._database.write(uploads.expire, store.name, before=before, limit=PAGE)
            for part in parts:
                await store.delete(part.key)
            ended += number
            if number < PAGE:
                return ended

    async def _unused(self, store: BlobStore, before: datetime) -> tuple[int, int]:
        freed = size = 0
        while released := await self._database.write(blobs.release_unused, store.name, before=before, limit=PAGE):
            for blob in released:
                await store.delete(blob.key)
                freed, size = freed + 1, size + blob.size
        return freed, size

    async def _strays(self, store: BlobStore, before: float) -> int:
        """Files without a row: a process died between blob and commit."""
        strays = 0
        async for page in paged(store, before):
            known = await self._database.read(_known_keys, store.name, page)
            for key in page:
                if key not in known:
                    await store.delete(key)
                    strays += 1
        return strays


async def paged(store: BlobStore, before: float) -> AsyncIterator[list[str]]:
    """The keys of blobs that were written before a time (seconds since the epoch), page by page."""
    page: list[str] = []
    async for key, written in store.keys():
        if written < before:
            page.append(key)
        if len(page) >= PAGE:
            yield page
            page = []
    if page:
        yield page


def _known_keys(tx: Transaction, store: str, keys: list[str]) -> set[str]:
    """Parts first: one that an upload has just given to an asset is a blob by the time that blobs are looked at."""
    return uploads.known_keys(tx, store, keys) | blobs.known_keys(tx, store, keys)


def _sum(a: Swept, b: Swept) -> Swept:
    return Swept(**{name: value + getattr(b, name) for name, value in asdict(a).items()})
