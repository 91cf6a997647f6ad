"""Server-wide security settings: what a caller without credentials may do, and the realms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pakhus.database import values
from pakhus.database.transaction import Database
from pakhus.domain.errors import Invalid

REALMS = {
    "NexusAuthenticatingRealm": "Local Authenticating Realm",
    "NexusAuthorizingRealm": "Local Authorizing Realm",
    "Cargo": "Cargo Bearer Token Realm",
    "ConanToken": "Conan Bearer Token Realm",
    "DockerToken": "Docker Bearer Token Realm",
    "NpmToken": "npm Bearer Token Realm",
    "NuGetApiKey": "NuGet API-Key Realm",
    "RubyGemsToken": "RubyGems API-Key Realm",
    "User-Token-Realm": "User Token Realm",
}
"""All that this server has. They are always on: a token is accepted wherever its format's clients send it."""


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Does a caller without credentials act as `user_id`?"""

    enabled: bool = False
    user_id: str = "anonymous"
    realm_name: str = "NexusAuthorizingRealm"


class Access:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def anonymous(self) -> Anonymous:
        kept = await self._database.read(values.get, "anonymous") or {}
        default = Anonymous()
        return Anonymous(
            bool(kept.get("enabled", default.enabled)),
            kept.get("userId") or default.user_id,
            kept.get("realmName") or default.realm_name,
        )

    async def set_anonymous(self, wanted: Anonymous) -> Anonymous:
        if wanted.realm_name not in REALMS:
            raise Invalid(f"Realm '{wanted.realm_name}' does not exist", field="realmName")
        kept = {"enabled": wanted.enabled, "userId": wanted.user_id, "realmName": wanted.realm_name}
        await self._database.write(values.put, "anonymous", kept)
        return wanted

    async def realms(self) -> list[str]:
        """The active realms in the order that an administrator gave them."""
        kept: list[str] | None = await self._database.read(values.get, "realms")
        return kept or list(REALMS)

    async def order_realms(self, wanted: Sequence[str]) -> None:
        """Keep an order. Realms cannot be switched off, so that those left out follow the others."""
        unknown = [each for each in wanted if each not in REALMS]
        if unknown:
            raise Invalid(f"Unknown realmIds: [{', '.join(unknown)}]")
        await self._database.write(values.put, "realms", list(dict.fromkeys(wanted)))
