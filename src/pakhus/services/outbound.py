"""How all proxies reach their upstreams: user agent, timeout, retries, forward proxies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pakhus.database import values
from pakhus.database.transaction import Database
from pakhus.database.vault import Vault
from pakhus.engine.catalog import Catalog

KEY = "http"
Json = dict[str, Any]
PLACEHOLDER = "#~NXRM~PLACEHOLDER~PASSWORD~#"
"""Nexus's word for a secret that it does not show; sent back, it keeps what is kept."""


class OutboundSettings:
    """Kept as the object that the REST API takes and gives; secrets are sealed."""

    def __init__(self, database: Database, catalog: Catalog, vault: Vault) -> None:
        self._database = database
        self._catalog = catalog
        self._vault = vault

    async def get(self) -> Json:
        kept: Json = self._vault.open(await self._database.read(values.get, KEY) or {})
        return kept

    async def put(self, wanted: Json) -> None:
        """Replace the settings; a password that is left out stays, if the proxy is the same."""
        before = await self.get()
        for name in ("httpProxy", "httpsProxy"):
            _keep_password(wanted.get(name) or {}, before.get(name) or {})
        await self._database.write(values.put, KEY, self._vault.seal(wanted))
        await self._catalog.refresh()

    async def reset(self) -> None:
        await self._database.write(values.put, KEY, {})
        await self._catalog.refresh()


def _keep_password(wanted: Json, before: Mapping[str, Any]) -> None:
    login, known = wanted.get("authInfo") or {}, before.get("authInfo") or {}
    same = (wanted.get("host"), wanted.get("port"), login.get("username")) == (
        before.get("host"),
        before.get("port"),
        known.get("username"),
    )
    if login and login.get("password") in (None, "", PLACEHOLDER):
        kept = known.get("password") if same else None
        login["password"] = kept or (None if login.get("password") == PLACEHOLDER else login.get("password"))
