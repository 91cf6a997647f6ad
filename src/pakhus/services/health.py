"""Is the server well: the database, the blob stores, the little that it needs of the machine."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pakhus.database import schema
from pakhus.database.transaction import Database
from pakhus.domain.errors import PakhusError
from pakhus.domain.freeze import is_frozen
from pakhus.engine.catalog import Catalog
from pakhus.engine.deposit import READ_ONLY
from pakhus.engine.stores import Stores
from pakhus.services.blobstores import BlobStores
from pakhus.services.bootstrap import PASSWORD_FILE

SPARE_BYTES = 1 << 20
SPARE_FILES = 0.1


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found."""

    name: str
    healthy: bool
    message: str | None
    milliseconds: int
    moment: datetime


class Health:
    def __init__(
        self,
        database: Database,
        catalog: Catalog,
        stores: Stores,
        blobstores: BlobStores,
        data: Path,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._stores = stores
        self._blobstores = blobstores
        self._data = data
        self._now = now
        self._migrated = False
        self.more: dict[str, Callable[[], Awaitable[str | None]]] = {}
        """Further checks by their names: what is wrong, or `None`."""

    async def database(self) -> str | None:
        """Why the database cannot be used, or `None`."""
        if (broken := await asyncio.to_thread(schema.unreachable, self._database)) is not None:
            return broken
        if not self._migrated:
            self._migrated = await asyncio.to_thread(schema.is_current, self._database)
        return None if self._migrated else "the database is not migrated"

    async def reasons(self) -> list[str]:
        """Why the server is not ready; empty when it is."""
        if (broken := await self.database()) is not None:
            return [broken]
        if is_frozen(self._catalog.values):
            return [READ_ONLY]
        found = [await self._store(store.name) for store in self._stores.everything()]
        return [each for each in found if each is not None]

    async def _store(self, name: str) -> str | None:
        """Why a blob store cannot be written, or `None`."""
        try:
            free = await self._stores.get(name).free()
        except (PakhusError, OSError) as error:
            return f"blob store {name} cannot be used: {error}"
        return None if free >= SPARE_BYTES else f"blob store {name} is full"

    async def checks(self) -> list[Check]:
        """All checks, in the order of their names, which are Nexus's where it has one."""
        asked: list[tuple[str, Callable[[], Awaitable[str | None]]]] = [
            ("Available CPUs", _processors),
            ("Blob Stores Quota", self._quotas),
            ("Blob Stores Ready", self._all_stores),
            ("Database", self.database),
            ("Default Admin Credentials", self._generated_password),
            ("File Descriptors", _descriptors),
            ("Read-Only Detector", self._writable),
            *self.more.items(),
        ]
        return [await self._timed(name, ask) for name, ask in sorted(asked, key=lambda each: each[0])]

    async def _timed(self, name: str, ask: Callable[[], Awaitable[str | None]]) -> Check:
        started = time.perf_counter()
        message = await ask()
        return Check(name, message is None, message, int((time.perf_counter() - started) * 1000), self._now())

    async def _all_stores(self) -> str | None:
        found = [await self._store(store.name) for store in self._stores.everything()]
        return _joined([each for each in found if each is not None])

    async def _writable(self) -> str | None:
        return READ_ONLY if is_frozen(self._catalog.values) else None

    async def _quotas(self) -> str | None:
        found = [await self._blobstores.quota(name) for name in self._catalog.stores]
        return _joined([each.message for each in found if each.violated])

    async def _generated_password(self) -> str | None:
        generated = await asyncio.to_thread((self._data / PASSWORD_FILE).exists)
        return "the administrator still has the generated password" if generated else None


async def _processors() -> str | None:
    return None if (os.cpu_count() or 1) > 1 else "this machine has one processor only"


async def _descriptors() -> str | None:
    return await asyncio.to_thread(_open_files)


def _open_files() -> str | None:
    """Are there file descriptors left (where the system tells how many are open)?"""
    folder = Path("/proc/self/fd")
    if not folder.exists():
        return None
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    used = sum(1 for _ in folder.iterdir())
    return None if used < limit * (1 - SPARE_FILES) else f"{used} of {limit} file descriptors are in use"


def _joined(messages: Sequence[str]) -> str | None:
    return "; ".join(messages) or None
