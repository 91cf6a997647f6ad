"""Download counts, gathered in memory and written in batches: a read costs no write."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from pakhus.database import assets
from pakhus.database.transaction import Database


class Downloads:
    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now
        self._pending: dict[int, tuple[int, datetime]] = {}

    def count(self, asset_id: int) -> None:
        """One download that came through to its last byte."""
        self._pending[asset_id] = (self._pending.get(asset_id, (0, None))[0] + 1, self._now())

    async def flush(self) -> None:
        if not self._pending:
            return
        counts, self._pending = self._pending, {}
        await self._database.write(assets.downloaded, counts)
