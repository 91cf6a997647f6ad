"""Holding what a client was told is there: the sweep leaves it alone for a while."""

from __future__ import annotations

from collections.abc import Callable

from cachetools import TTLCache

from pakhus.database import blobs
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.content import Asset

HELD_SECONDS = 3600.0
"""Much less than any time that an expendable file stays at least."""


class Holding:
    """Remembers whom it has touched, so that asking again costs nothing."""

    def __init__(self, database: Database, seconds: Callable[[], float]) -> None:
        self._database = database
        self._held: TTLCache[int, bool] = TTLCache(100_000, HELD_SECONDS, timer=seconds)

    async def hold(self, asset: Asset) -> bool:
        """False when the sweep was faster."""
        if asset.blob.id in self._held:
            return True
        if not await self._database.write(_touch, asset.blob.id):
            return False
        self._held[asset.blob.id] = True
        return True


def _touch(tx: Transaction, blob_id: int) -> bool:
    tx.quiet = True
    return blobs.touch(tx, blob_id)
