"""All that the application's doors (REST, UI, command line) hold of what is behind them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pakhus.database import values
from pakhus.database.transaction import Database
from pakhus.engine.catalog import Catalog
from pakhus.engine.content import Engine
from pakhus.engine.downloads import Downloads
from pakhus.engine.keyring import Keyring
from pakhus.engine.stores import Stores
from pakhus.engine.sweep import Sweep
from pakhus.services.access import Access
from pakhus.services.accounts import Accounts
from pakhus.services.administration import Administration
from pakhus.services.audit import Audit
from pakhus.services.blobstores import BlobStores
from pakhus.services.contents import Contents
from pakhus.services.download_log import DownloadLog
from pakhus.services.explain import Explain
from pakhus.services.federation.wiring import Federation
from pakhus.services.health import Health
from pakhus.services.identity.realms import Realms
from pakhus.services.identity.tokens import Tokens
from pakhus.services.identity.wiring import Identification
from pakhus.services.passwords import Passwords
from pakhus.services.privileges import Privileges
from pakhus.services.refusals import Refusals
from pakhus.services.repositories import Repositories
from pakhus.services.roles import Roles
from pakhus.services.routing import RoutingRules
from pakhus.services.selectors import Selectors
from pakhus.services.uploads import Uploads
from pakhus.services.users import Users
from pakhus.services.webhook_delivery import Deliverer
from pakhus.services.webhooks import Webhooks


@dataclass(frozen=True, slots=True)
class Services(Administration):
    """One for a process, made by `pakhus.app`."""

    data: Path
    now: Callable[[], datetime]
    database: Database
    catalog: Catalog
    stores: Stores
    engine: Engine
    keyring: Keyring
    downloads: Downloads
    sweep: Sweep
    accounts: Accounts
    federation: Federation
    identification: Identification
    realms: Realms
    tokens: Tokens
    passwords: Passwords
    repositories: Repositories
    users: Users
    roles: Roles
    privileges: Privileges
    selectors: Selectors
    explain: Explain
    access: Access
    blobstores: BlobStores
    health: Health
    routing: RoutingRules
    contents: Contents
    uploads: Uploads
    audit: Audit
    refusals: Refusals
    download_log: DownloadLog
    webhooks: Webhooks
    deliverer: Deliverer

    async def keep(self, key: str, value: Any) -> None:
        """Change a server-wide setting."""
        await self.database.write(values.put, key, value)
        await self.catalog.refresh()
