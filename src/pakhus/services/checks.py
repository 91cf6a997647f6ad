"""Checks of parts that are not the database's or the blob stores' own, under Nexus's names where it has one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from pakhus.domain.repository import Remote
from pakhus.services.freeze import PHASES
from pakhus.services.repositories import WATCHED
from pakhus.services.services import Services

LATE = timedelta(minutes=10)
AVAILABLE = "Remote Available"
Ask = Callable[[], Awaitable[str | None]]


def of(services: Services, status: Callable[[Remote], str]) -> dict[str, Ask]:
    """Name → what is wrong, or `None`. `status` says in words whether a remote is asked."""

    async def phase() -> str | None:
        found = services.freeze.phase
        return None if found == PHASES[-1] else f"the server is in phase {found}"

    async def scheduler() -> str | None:
        overdue = services.now() - LATE
        late = [each.name for each in await services.tasks.everything() if each.next_run and each.next_run < overdue]
        return f"overdue: {', '.join(late)}" if late else None

    async def folders() -> str | None:
        """Do the folders of file blob stores lie where a data directory is backed up with them?"""
        missing = []
        for name, row in services.catalog.stores.items():
            folder = services.data / "blobs" / str(row.settings.get("path") or name)
            if row.type == "File" and not await asyncio.to_thread(folder.is_dir):
                missing.append(name)
        return f"no folder: {', '.join(missing)}" if missing else None

    async def scripting() -> str | None:
        """Scripts are never run."""
        return None

    async def watched() -> str | None:
        found = []
        for name in services.catalog.values.get(WATCHED) or ():
            repository = services.catalog.find(name)
            if repository is not None and repository.remote is not None:
                said = status(repository.remote)
                found += [] if said == AVAILABLE else [f"{name}: {said}"]
        return "; ".join(found) or None

    return {
        "Lifecycle Phase": phase,
        "Scheduler": scheduler,
        "File Blob Stores Path": folders,
        "Scripting": scripting,
        "Watched Upstreams": watched,
    }
