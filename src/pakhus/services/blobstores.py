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
from pakhus.engine.stores import GROUP, ROUND_ROBIN, WRITE_TO_FIRST, Stores

DUPLICATE = "Name is already used, must be unique (ignoring case)"
FILE = "File"
REMAINING, USED = "spaceRemainingQuota", "spaceUsedQuota"


@dataclass(frozen=True, slots=True)
class Quota:
    """A soft limit in bytes: on what the store holds (`spaceUsedQuota`), or for what must stay free."""

    type: str
    limit: int


@dataclass(frozen=True, slots=True)
class Group:
    """Where new blobs go: to the first member that takes them, or to each in its turn."""

    members: tuple[str, ...]
    fill_policy: str
    quota: Quota | None


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
        self.check_name(name)
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

    # -- groups ----------------------------------------------------------------------------------------------------

    async def group(self, name: str) -> Group:
        row = self._row(name)
        if row.type != GROUP:
            raise Invalid(f"Blob store {name} is not a group")
        return _group(row.settings)

    async def create_group(self, name: str, group: Group) -> None:
        self.check_name(name)
        self._check_members(name, group)
        await self._database.write(repositories.put_blob_store, StoreRow(name, GROUP, _group_settings(group)))
        await self._catalog.refresh()

    async def update_group(self, name: str, group: Group) -> None:
        """A member that leaves keeps its blobs, and repositories go on reading them there."""
        await self.group(name)
        self._check_members(name, group)
        await self._database.write(repositories.put_blob_store, StoreRow(name, GROUP, _group_settings(group)))
        await self._catalog.refresh()

    async def convert(self, name: str, renamed: str) -> Group:
        """A store becomes a group of its old self under a new name, so that others can be added to it."""
        if self._row(name).type == GROUP:
            raise Invalid(f"Blob store {name} is a group already")
        # As it is kept: secrets stay sealed.
        row = next(each for each in await self._database.read(repositories.blob_stores) if each.name == name)
        self.check_name(renamed)
        settings = {"path": name, **row.settings} if row.type == FILE else row.settings
        group = Group((renamed,), WRITE_TO_FIRST, None)
        changed = (StoreRow(renamed, row.type, settings), StoreRow(name, GROUP, _group_settings(group)))
        await self._database.write(repositories.convert_blob_store, *changed)
        await self._catalog.refresh()
        return group

    def check_name(self, name: str) -> None:
        """Raise `Invalid` for a bad name, and for one that is taken."""
        if not NAME.match(name):
            raise Invalid(NAME_RULE, field="name")
        if any(each.lower() == name.lower() for each in self._catalog.stores):
            raise Invalid(DUPLICATE, field="name")

    def _check_members(self, name: str, group: Group) -> None:
        if not group.members:
            raise Invalid("Blob Store group must contain at least one member", field="members")
        if group.fill_policy not in (ROUND_ROBIN, WRITE_TO_FIRST):
            raise Invalid(f"must be {ROUND_ROBIN} or {WRITE_TO_FIRST}", field="fillPolicy")
        for each in group.members:
            row = self._catalog.stores.get(each)
            if row is None:
                raise Invalid(f"Blob Store '{each}' does not exist", field="members")
            if row.type == GROUP:
                raise Invalid(f"Blob Store '{each}' is a group itself", field="members")
            others = (row for row in self._catalog.stores.values() if row.type == GROUP and row.name != name)
            if any(each in _group(other.settings).members for other in others):
                raise Invalid(f"Blob Store '{each}' is already a member of another group", field="members")
            if any(used.blob_store == each for used in self._catalog.everything()):
                raise Invalid(f"Blob Store '{each}' is set as storage for a repository", field="members")

    async def delete(self, name: str) -> None:
        self._row(name)
        await self._database.write(_delete, name)
        await self._catalog.refresh()

    async def quota(self, name: str) -> QuotaStatus:
        row = self._row(name)
        quota = _quota(row.settings)
        if quota is None:
            return QuotaStatus(False, f"Blob store {name} has no quota")
        return _status(await self._figures(row), quota)

    async def full(self) -> frozenset[str]:
        """The stores beyond their quotas."""
        found = [await self._figures(row) for row in self._catalog.stores.values() if _quota(row.settings) is not None]
        return frozenset(each.name for each in found if each.quota is not None and _status(each, each.quota).violated)

    def _row(self, name: str) -> StoreRow:
        row = self._catalog.stores.get(name)
        if row is None:
            raise NotFound(f"Blob store {name} does not exist")
        return row

    async def _figures(self, row: StoreRow) -> StoreFigures:
        if row.type == GROUP:
            inside = [
                self._catalog.stores[each] for each in _group(row.settings).members if each in self._catalog.stores
            ]
            found = [await self._figures(each) for each in inside]
            return StoreFigures(
                row.name,
                row.type,
                _quota(row.settings),
                all(each.unavailable for each in found),
                sum(each.blobs for each in found),
                sum(each.size for each in found),
                sum(each.free for each in found),
            )
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
            if other.type != FILE:
                continue
            taken = self._root(str(other.settings.get("path") or other.name))
            if other.name != name and (root == taken or root in taken.parents or taken in root.parents):
                raise Invalid(f"overlaps the folder of blob store {other.name}", field="path")
        try:
            await asyncio.to_thread(root.mkdir, parents=True, exist_ok=True)
        except OSError as error:
            raise Invalid(f"cannot be made: {error.strerror}", field="path") from error
        if not os.access(root, os.W_OK | os.X_OK):
            raise Invalid("cannot be written", field="path")


def _status(found: StoreFigures, quota: Quota) -> QuotaStatus:
    name = found.name
    if quota.type == USED:
        text = f"Blob store {name} is using {found.size} B and has a limit of {quota.limit} B"
        return QuotaStatus(found.size > quota.limit, text)
    text = f"Blob store {name} has {found.free} B left and is to keep {quota.limit} B free"
    return QuotaStatus(found.free < quota.limit, text)


def _group(settings: Mapping[str, Any]) -> Group:
    members = tuple(settings.get("members") or ())
    return Group(members, settings.get("fillPolicy") or WRITE_TO_FIRST, _quota(settings))


def _group_settings(group: Group) -> dict[str, Any]:
    settings: dict[str, Any] = {"members": list(group.members), "fillPolicy": group.fill_policy}
    if group.quota is not None:
        settings["softQuota"] = {"type": group.quota.type, "limit": group.quota.limit}
    return settings


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
    if any(name in _group(each.settings).members for each in repositories.blob_stores(tx) if each.type == GROUP):
        raise Invalid(f"BlobStore {name} is in use and cannot be deleted")
    if blobs.is_used(tx, name):
        raise Invalid(f"BlobStore {name} is in use and cannot be deleted")
    repositories.remove_blob_store(tx, name)
