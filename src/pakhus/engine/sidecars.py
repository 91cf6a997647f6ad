"""Keeping the sidecar of every hosted blob in step with the database, so that the store alone can restore it."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from pakhus.database import sidecars
from pakhus.database.transaction import Database
from pakhus.domain import events
from pakhus.domain.events import Event
from pakhus.engine.stores import Stores
from pakhus.storage.store import BlobMissing

log = structlog.get_logger()

TOUCHING = frozenset({events.ASSET_STORED, events.ASSET_REMOVED})


class Sidecars:
    """A subscriber: writes what each touched blob now is. Idempotent, since it writes the present state.

    A blob that was lost has nothing to stand beside; the others must not wait for it.
    """

    def __init__(self, database: Database, stores: Stores) -> None:
        self._database = database
        self._stores = stores

    async def __call__(self, batch: Sequence[Event]) -> None:
        touched = [event for event in batch if event.kind in TOUCHING]
        wanted = {event.details["asset"] for event in touched if "asset" in event.details}
        blob_ids = await self._database.read(sidecars.blobs_of, sorted(wanted))
        blob_ids |= {event.details["blob"] for event in touched if "blob" in event.details}
        for blob_id in sorted(blob_ids):
            await self.write(blob_id)

    async def write(self, blob_id: int) -> None:
        """Write what the blob is now."""
        found = await self._database.read(sidecars.of_blob, blob_id)
        if found is None:
            return
        blob, described = found
        store = self._stores.get(blob.blob_store)
        if described:
            digests = blob.digests.as_mapping()
            try:
                await store.describe(blob.key, {"size": blob.size, **digests, "assets": described})
            except BlobMissing:
                log.exception("blob_missing", blob_store=blob.blob_store, blob=blob.key)
