"""What may be shown once: ids of assertions, logout tokens and tickets, kept until they would be too old anyway."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from pakhus.database import federation
from pakhus.database.transaction import Database


class Spent:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def spend(self, what: str, until: float) -> bool:
        """False if it was spent before, on whichever node. `until`: seconds since the epoch."""
        key = hashlib.sha256(b"spent\0" + what.encode()).hexdigest()
        return await self._database.write(federation.spend, key, "spent", datetime.fromtimestamp(until, UTC))
