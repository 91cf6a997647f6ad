"""Server-wide security settings: what a caller without credentials may do, and the realms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pakhus.database import values
from pakhus.database.transaction import Database
from pakhus.domain.errors import Invalid
from pakhus.services.identity.realm import Realm
from pakhus.services.identity.realms import Realms


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Does a caller without credentials act as `user_id`? Only while the realm is active."""

    enabled: bool = False
    user_id: str = "anonymous"
    realm_name: str = "NexusAuthorizingRealm"


class Access:
    def __init__(self, database: Database, realms: Realms) -> None:
        self._database = database
        self._realms = realms

    async def anonymous(self) -> Anonymous:
        kept = await self._database.read(values.get, "anonymous") or {}
        default = Anonymous()
        return Anonymous(
            bool(kept.get("enabled", default.enabled)),
            kept.get("userId") or default.user_id,
            kept.get("realmName") or default.realm_name,
        )

    async def set_anonymous(self, wanted: Anonymous) -> Anonymous:
        if wanted.realm_name not in {each.id for each in self._realms.available}:
            raise Invalid(f"Realm '{wanted.realm_name}' does not exist", field="realmName")
        kept = {"enabled": wanted.enabled, "userId": wanted.user_id, "realmName": wanted.realm_name}
        await self._database.write(values.put, "anonymous", kept)
        return wanted

    def available_realms(self) -> Sequence[Realm]:
        return self._realms.available

    async def active_realms(self) -> list[str]:
        """In the order in which they are asked."""
        return [each.id for each in await self._realms.active()]

    async def activate_realms(self, wanted: Sequence[str]) -> None:
        """These, in this order, and no other: a realm that is left out authenticates nobody."""
        await self._realms.choose(wanted)
