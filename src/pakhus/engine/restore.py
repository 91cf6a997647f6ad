"""Rows from blobs: what a blob store holds and the database has forgotten, by the sidecars beside the blobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from pakhus.database import assets, blobs, components, revisions
from pakhus.database.blobs import NewBlob
from pakhus.database.components import Version
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.content import ALGORITHMS, Coordinates, Digests
from pakhus.domain.repository import Repository, RepositoryType
from pakhus.engine.catalog import Catalog
from pakhus.engine.sweep import paged
from pakhus.storage.store import BlobStore

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Restored:
    """`foreign` counts assets whose repository is not here, `taken` those whose path has something else by now."""

    blobs: int = 0
    assets: int = 0
    foreign: int = 0
    taken: int = 0

    def __add__(self, other: Restored) -> Restored:
        return Restored(
            self.blobs + other.blobs,
            self.assets + other.assets,
            self.foreign + other.foreign,
            self.taken + other.taken,
        )


class Restore:
    def __init__(self, database: Database, catalog: Catalog) -> None:
        self._database = database
        self._catalog = catalog

    async def run(self, store: BlobStore, *, dry: bool = False, stopped: Callable[[], bool]) -> Restored:
        """Give every blob that no row knows its rows again, as far as its sidecar tells. Harmless when repeated."""
        total = Restored()
        async for page in paged(store, float("inf")):
            known = await self._database.read(blobs.known_keys, store.name, page)
            for key in page:
                if stopped():
                    return total
                if key not in known:
                    total += await self._blob(store, key, dry=dry)
        return total

    async def _blob(self, store: BlobStore, key: str, *, dry: bool) -> Restored:
        sidecar = await store.description(key)
        size = await store.stat(key)
        if sidecar is None or size is None or sidecar.get("size") != size:
            return Restored()
        new = NewBlob(store.name, key, size, Digests(**{name: str(sidecar[name]) for name in ALGORITHMS}))
        work = self._database.read if dry else self._database.write
        described: Any = sidecar["assets"]
        found = await work(self._rows, new, described, dry)
        log.info("blob_restored", blob_store=store.name, blob=key, assets=found.assets, dry=dry)
        return found

    def _rows(self, tx: Transaction, new: NewBlob, described: list[Mapping[str, Any]], dry: bool) -> Restored:
        places = [(each, self._place(each)) for each in described]
        total = Restored(foreign=sum(place is None for _, place in places))
        wanted = []
        for each, place in places:
            if place is None:
                continue
            if assets.by_path(tx, place.id, place.name, each["path"]) is not None:
                total += Restored(taken=1)
            else:
                wanted.append((each, place))
        total += Restored(blobs=1 if wanted else 0, assets=len(wanted))
        if wanted and not dry:
            blob = blobs.keep(tx, new)
            for each, place in wanted:
                self._asset(tx, place, each, blob.id)
        return total

    def _place(self, described: Mapping[str, Any]) -> Repository | None:
        found = self._catalog.find(described["repository"])
        fits = found is not None and found.type is RepositoryType.HOSTED and found.format == described["format"]
        return found if fits else None

    def _asset(self, tx: Transaction, place: Repository, described: Mapping[str, Any], blob_id: int) -> None:
        coordinates, component_id = None, None
        if described["name"] is not None:
            coordinates = Coordinates(described["name"], described["version"], described["namespace"])
            version = Version(self._catalog.format(place).prerelease(coordinates.version))
            component_id = components.put(tx, place.id, coordinates, described["component"] or {}, version)
        entry = assets.Entry(
            path=described["path"],
            blob_id=blob_id,
            content_type=described["content_type"],
            coordinates=coordinates,
            attributes=described["attributes"],
            uploader=described["uploader"],
            uploader_ip=described["uploader_ip"],
        )
        assets.put(tx, place.id, place.name, entry, component_id, known=None)
        revisions.bump(tx, place.id, set() if coordinates is None else {coordinates})
