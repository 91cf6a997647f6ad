"""Read-only mode, and the phases of the server's life."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pakhus.database import values
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.errors import NotFound
from pakhus.domain.freeze import KEY, is_frozen
from pakhus.engine.catalog import Catalog

PHASES = (
    "KERNEL",
    "STORAGE",
    "RESTORE",
    "UPGRADE",
    "SCHEMAS",
    "EVENTS",
    "SECURITY",
    "SERVICES",
    "REPOSITORIES",
    "CAPABILITIES",
    "TASKS",
)
"""Nexus's words. In the last one the server does all that it can; before it, no task is begun by its schedule."""


@dataclass(frozen=True, slots=True)
class ReadOnly:
    frozen: bool
    reason: str


class Freeze:
    """Read-only mode holds for all processes on one database, a phase for one process."""

    def __init__(self, database: Database, catalog: Catalog) -> None:
        self._database = database
        self._catalog = catalog
        self.phase = PHASES[-1]

    @property
    def paused(self) -> bool:
        """Is no task to begin by itself?"""
        return self.phase != PHASES[-1] or is_frozen(self._catalog.values)

    async def state(self) -> ReadOnly:
        await self._catalog.refresh()
        kept = self._catalog.values.get(KEY) or {}
        return ReadOnly(bool(kept.get("frozen")), str(kept.get("reason") or ""))

    async def set(self, frozen: bool, *, by: str) -> None:
        """Raises `NotFound` where nothing changes: Nexus's answer."""
        reason = f"activated by {by}" if frozen else ""
        await self._database.write(_set, {"frozen": frozen, "reason": reason})
        await self._catalog.refresh()


def _set(tx: Transaction, wanted: dict[str, Any]) -> None:
    before = values.get(tx, KEY) or {}
    if bool(before.get("frozen")) is wanted["frozen"]:
        raise NotFound("the read-only state does not change")
    values.put(tx, KEY, wanted)
