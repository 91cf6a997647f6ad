"""All that the application's doors (REST, UI, command line) hold of what is behind them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pakhus.database import values
from pakhus.database.transaction import Database
from pakhus.engine.browse import Browser
from pakhus.engine.catalog import Catalog
from pakhus.engine.content import Engine
from pakhus.engine.downloads import Downloads
from pakhus.engine.stores import Stores
from pakhus.engine.sweep import Sweep
from pakhus.services.access import Access
from pakhus.services.accounts import Accounts
from pakhus.services.blobstores import BlobStores
from pakhus.services.capabilities import Capabilities
from pakhus.services.cleanup import Cleanup
from pakhus.services.contents import Contents
from pakhus.services.freeze import Freeze
from pakhus.services.health import Health
from pakhus.services.mail import Mail
from pakhus.services.node import Node
from pakhus.services.outbound import OutboundSettings
from pakhus.services.passwords import Passwords
from pakhus.services.repositories import Repositories
from pakhus.services.roles import Roles
from pakhus.services.routing import RoutingRules
from pakhus.services.s3 import S3BlobStores
from pakhus.services.search import Search
from pakhus.services.tags import Tags
from pakhus.services.tasks import Tasks
from pakhus.services.trust import Trust
from pakhus.services.uploads import Uploads
from pakhus.services.users import Users
from pakhus.services.versions import Versions


@dataclass(frozen=True, slots=True)
class Services:
    """One for a process, made by `pakhus.app`."""

    data: Path
    now: Callable[[], datetime]
    database: Database
    catalog: Catalog
    stores: Stores
    engine: Engine
    downloads: Downloads
    sweep: Sweep
    accounts: Accounts
    passwords: Passwords
    repositories: Repositories
    users: Users
    roles: Roles
    access: Access
    blobstores: BlobStores
    s3: S3BlobStores
    health: Health
    routing: RoutingRules
    contents: Contents
    search: Search
    uploads: Uploads
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

    async def keep(self, key: str, value: Any) -> None:
        """Change a server-wide setting."""
        await self.database.write(values.put, key, value)
        await self.catalog.refresh()
