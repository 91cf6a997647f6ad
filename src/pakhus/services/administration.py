"""What an administrator sees to beside repositories, users and rights."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from pakhus.database.transaction import Database
from pakhus.database.vault import Vault
from pakhus.engine.browse import Browser
from pakhus.engine.catalog import Catalog
from pakhus.engine.content import Engine
from pakhus.services.blobstores import BlobStores
from pakhus.services.capabilities import Capabilities
from pakhus.services.cleanup import Cleanup
from pakhus.services.freeze import Freeze
from pakhus.services.mail import Mail
from pakhus.services.node import Node
from pakhus.services.outbound import OutboundSettings
from pakhus.services.s3 import S3BlobStores
from pakhus.services.search import Search
from pakhus.services.tags import Tags
from pakhus.services.tasks import Tasks
from pakhus.services.trust import Trust
from pakhus.services.versions import Versions


@dataclass(frozen=True, slots=True, kw_only=True)
class Administration:
    """A part of `Services`."""

    search: Search
    s3: S3BlobStores
    browser: Browser
    cleanup: Cleanup
    tasks: Tasks
    freeze: Freeze
    capabilities: Capabilities
    outbound: OutboundSettings
    trust: Trust
    mail: Mail
    tags: Tags
    node: Node
    versions: Versions

    @classmethod
    def made(
        cls, engine: Engine, blobstores: BlobStores, vault: Vault, *, data: Path, now: Callable[[], datetime]
    ) -> dict[str, Any]:
        """All of it, by the names of the members."""
        database: Database = engine.database
        catalog: Catalog = engine.catalog
        search, mail, freeze = Search(database, catalog), Mail(database, vault), Freeze(database, catalog)
        found = cls(
            search=search,
            s3=S3BlobStores(database, catalog, blobstores, vault, data / "spool"),
            browser=Browser(database, catalog),
            cleanup=Cleanup(database, catalog, engine, now),
            tasks=Tasks(database, mail, now, paused=lambda: freeze.paused),
            freeze=freeze,
            capabilities=Capabilities(database, catalog),
            outbound=OutboundSettings(database, catalog, vault),
            trust=Trust(database, catalog),
            mail=mail,
            tags=Tags(database, catalog, engine, search),
            node=Node(data, lambda: str(uuid.uuid4())),
            versions=Versions(database, catalog),
        )
        return {each.name: getattr(found, each.name) for each in fields(found)}
