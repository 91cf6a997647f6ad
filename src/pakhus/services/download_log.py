"""Who downloaded what, where that is wanted: apart from the audit's chain, gathered in memory, written in batches."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog

from pakhus.database import audit
from pakhus.database.audit import Download
from pakhus.database.transaction import Database
from pakhus.domain.initiator import Initiator
from pakhus.services.audit import Audit

log = structlog.get_logger()
MOST = 50_000
"""Downloads that wait to be written. More than that between two writes are counted, not kept."""


class DownloadLog:
    """`enabled` follows the setting; on other nodes within a few seconds."""

    def __init__(self, database: Database, audit: Audit, *, now: Callable[[], datetime]) -> None:
        self._database = database
        self._audit = audit
        self._now = now
        self._pending: list[Download] = []
        self._lost = 0
        self.enabled = False

    async def refresh(self) -> None:
        self.enabled = (await self._audit.settings()).downloads

    def add(self, who: Initiator, repository: str, path: str, size: int) -> None:
        """A file went out whole. Costs nothing while it is not wanted."""
        if not self.enabled:
            return
        if len(self._pending) >= MOST:
            self._lost += 1
            return
        moment = self._now()
        found = Download(moment, who.user, who.credential, who.address, who.request_id, repository, path, size)
        self._pending.append(found)

    async def flush(self) -> None:
        waiting, self._pending = self._pending, []
        if self._lost:
            log.warning("downloads_not_written_down", number=self._lost)
            self._lost = 0
        if waiting:
            try:
                await self._database.write(audit.add_downloads, waiting)
            except BaseException:
                self._pending = [*waiting, *self._pending][:MOST]
                raise
        await self.refresh()
