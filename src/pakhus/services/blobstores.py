"""Blob stores: listed with what they hold, made, changed, removed while nothing uses them; soft quotas."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pakhus.database import blobs, repositories
from pakhus.database.repositories import StoreRow
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.errors import Invalid, NotFound, PakhusError
from pakhus.domain.repository import NAME, NAME_RULE
from pakhus.engine.catalog import Catalog
from pakhus.engine.stores import Stores

DUPLICATE = "Name is already used, must be unique (ignoring case)"
FILE = "File"
REMAINING, USED = "spaceRemainingQuota", "spaceUsedQuota"


@dataclass(frozen=True, slots=True)
class Quota:
    """A soft limit in bytes: on what the store holds (`spaceUsedQuota`), or for what must stay free."""

    type: str
    limit: int


@dataclass(frozen=True, slots=True)
class QuotaStatus:
    violated: bool
    message: str


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """A blob store and what it holds; sizes in bytes."""

    name: str
    type: str
    quota: Quota | None
    unavailable: bool
    blobs: int
    size: int
    free: int


class BlobStores:
    def __init__(self, database: Database, catalog: Catalog, stores: Stores, folder: Path) -> None:
        self._database = database
        self._catalog = catalog
        self._stores = stores
        self._folder = folder

    async def everything(self) -> list[StoreFigures]:
        """All stores in the order of their making."""
        return [await self._figures(row) for row in self._catalog.stores.values()]

    async def file(self, name: str) -> tuple[str, Quota | None]:
        """Path and quota of a file store."""
        row = self._row(name)
        if row.type != FILE:
            raise Invalid(f"Blob store {name} is not a file blob store")
        return str(row.settings.get("path") or name), _quota(row.settings)

    async def create_file(self, name: str, path: str, quota: Quota | None) -> None:
        if not NAME.match(name):
            raise Invalid(NAME_RULE, field="name")
        if any(each.lower() == name.lower() for each in self._catalog.stores):
            raise Invalid(DUPLICATE, field="name")
        await self._prepare(name, path)
        await self._database.write(repositories.put_blob_store, StoreRow(name, FILE, _settings(path, quota)))
        await self._catalog.refresh()

    async def update_file(self, name: str, path: str, quota: Quota | None) -> None:
        """Another quota, and while the store is empty another path."""
        before, _ = await self.file(name)
        if self._root(path) != self._root(before):
            held, _ = await self._database.read(blobs.usage, name)
            if held:
                raise Invalid("cannot change while the blob store holds blobs", field="path")
            await self._prepare(name, path)
        await self._database.write(repositories.put_blob_store, StoreRow(name, FILE, _settings(path, quota)))
        await self._catalog.refresh()

    async def delete(self, name: str) -> None:
        self._row(name)
        await self._database.write(_delete, name)
        await self._catalog.refresh()

    async def quota(self, name: str) -> QuotaStatus:
        row = self._row(name)
        quota = _quota(row.settings)
        if quota is None:
            return QuotaStatus(False, f"Blob store {name} has no quota")
        found = await self._figures(row)
        if quota.type == USED:
            text = f"Blob store {name} is using {found.size} B and has a limit of {quota.limit} B"
            return QuotaStatus(found.size > quota.limit, text)
        text = f"Blob store {name} has {found.free} B left and is to keep {quota.limit} B free"
        return QuotaStatus(found.free < quota.limit, text)

    def _row(self, name: str) -> StoreRow:
        row = self._catalog.stores.get(name)
        if row is None:
            raise NotFound(f"Blob store {name} does not exist")
        return row

    async def _figures(self, row: StoreRow) -> StoreFigures:
        number, size = await self._database.read(blobs.usage, row.name)
        try:
            free, unavailable = await self._stores.get(row.name).free(), False
        except (PakhusError, OSError):
            free, unavailable = 0, True
        return StoreFigures(row.name, row.type, _quota(row.settings), unavailable, number, size, free)

    def _root(self, path: str) -> Path:
        """Where a path lies: relative ones below the data directory's `blobs`."""
        return Path(os.path.normpath(self._folder / path))

    async def _prepare(self, name: str, path: str) -> None:
        """Refuse a folder that cannot be written, and one that another store's sweep would clear."""
        root = self._root(path)
        for other in self._catalog.stores.values():
            taken = self._root(str(other.settings.get("path") or other.name))
            if other.name != name and (root == taken or root in taken.parents or taken in root.parents):
                raise Invalid(f"overlaps the folder of blob store {other.name}", field="path")
        try:
            await asyncio.to_thread(root.mkdir, parents=True, exist_ok=True)
        except OSError as error:
            raise Invalid(f"cannot be made: {error.strerror}", field="path") from error
        if not os.access(root, os.W_OK | os.X_OK):
            raise Invalid("cannot be written", field="path")


def _settings(path: str, quota: Quota | None) -> dict[str, Any]:
    settings: dict[str, Any] = {"path": path}
    if quota is not None:
        settings["softQuota"] = {"type": quota.type, "limit": quota.limit}
    return settings


def _quota(settings: Mapping[str, Any]) -> Quota | None:
    kept = settings.get("softQuota")
    return None if not kept else Quota(kept["type"], kept["limit"])


def _delete(tx: Transaction, name: str) -> None:
    if any(each.blob_store == name for each in repositories.everything(tx)):
        raise Invalid(f"BlobStore {name} is in use and cannot be deleted")
    repositories.remove_blob_store(tx, name)
