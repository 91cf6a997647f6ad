"""Moving a repository's blobs to another blob store, one by one, while it is in use."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from pakhus.database import assets
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.content import Asset
from pakhus.domain.repository import Repository
from pakhus.engine.keeping import BlobVanished, Safe, make_safe
from pakhus.engine.sidecars import Sidecars
from pakhus.engine.stores import Stores

log = structlog.get_logger()
PAGE = 200


class Moving:
    def __init__(self, database: Database, stores: Stores) -> None:
        self._database = database
        self._stores = stores
        self._sidecars = Sidecars(database, stores)

    async def run(self, repository: Repository, name: str, *, stopped: Callable[[], bool]) -> int:
        """Copy what lies elsewhere to the blob store `name` (or its members); how many assets moved.

        New blobs go there already; the old ones are left to the sweep.
        """
        moved = after = 0
        homes = self._stores.homes(name)
        while not stopped():
            page = await self._database.read(assets.page, repository.id, repository.name, after=after, limit=PAGE)
            for asset in page:
                after = asset.id
                if asset.blob.blob_store not in homes:
                    moved += await self._move(repository, asset, name)
            if len(page) < PAGE:
                break
        log.info("moved", repository=repository.name, blob_store=name, assets=moved)
        return moved

    async def _move(self, repository: Repository, asset: Asset, name: str) -> bool:
        store = self._stores.writable(name)
        draft = await store.begin()
        reader = await self._stores.get(asset.blob.blob_store).open(asset.blob.key)
        try:
            async for chunk in reader.chunks():
                await draft.write(chunk)
            safe = await make_safe(self._database, store, draft)
            try:
                blob_id = await self._database.write(_point, repository, asset, safe)
            except BlobVanished:
                await safe.insist()
                blob_id = await self._database.write(_point, repository, asset, safe)
            await safe.done()
        finally:
            reader.close()
            await draft.cancel()
        if blob_id is not None:
            await self._sidecars.write(blob_id)
        return blob_id is not None


def _point(tx: Transaction, repository: Repository, asset: Asset, safe: Safe) -> int | None:
    """Let the asset have the copy, unless it has got other bytes meanwhile."""
    blob_id = safe.row(tx).id
    return blob_id if assets.moved(tx, asset, blob_id) else None
