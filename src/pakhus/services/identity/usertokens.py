"""User tokens, as Nexus has them: two codes in place of name and password, one pair for a user."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pakhus.database import accounts, values
from pakhus.database.accounts import TokenRow
from pakhus.database.transaction import Database
from pakhus.domain.errors import Forbidden, Unauthenticated
from pakhus.services.identity.realm import WRONG, Door, Identity
from pakhus.services.identity.tokens import PLACEHOLDERS, USER, TokenRealm, Tokens

KEY = "user-tokens"
NAME = "user-token"


@dataclass(frozen=True, slots=True)
class UserTokenSettings:
    """`protect_content`: repositories take tokens only, no passwords. Without expiration a token lives on."""

    enabled: bool = True
    protect_content: bool = False
    expiration_enabled: bool = False
    expiration_days: int = 30

    @classmethod
    def of(cls, kept: dict[str, Any] | None) -> UserTokenSettings:
        return cls(**(kept or {}))

    def expiry(self, row: TokenRow) -> datetime | None:
        """When the token ends: by these settings, as they stand now, or by its own."""
        if not self.expiration_enabled or row.created is None:
            return row.expires
        ends = row.created + timedelta(days=self.expiration_days)
        return ends if row.expires is None else min(ends, row.expires)


class UserTokens:
    def __init__(self, database: Database, tokens: Tokens) -> None:
        self._database = database
        self._tokens = tokens

    async def settings(self) -> UserTokenSettings:
        return UserTokenSettings.of(await self._database.read(values.get, KEY))

    async def change(self, wanted: UserTokenSettings) -> UserTokenSettings:
        await self._database.write(values.put, KEY, asdict(wanted))
        return wanted

    async def create(self, user_id: str, source: str) -> tuple[str, TokenRow]:
        """The pass code, shown this once, and the row with the name code. Raises `AlreadyExists`, `Forbidden`."""
        if not (await self.settings()).enabled:
            raise Forbidden("user tokens are switched off")
        code = secrets.token_hex(6)
        return await self._tokens.create(user_id, NAME, kind=USER[0], source=source, code=code)

    async def of(self, user_id: str, source: str) -> TokenRow | None:
        found = await self._tokens.of(user_id, source)
        return next((each for each in found if each.kind in USER), None)

    async def everything(self) -> list[TokenRow]:
        return await self._database.read(accounts.tokens_of_kind, USER[0])

    async def revoke(self, user_id: str, source: str) -> None:
        await self._tokens.revoke(user_id, NAME, source)

    async def reset(self) -> None:
        """Everybody's tokens end."""
        await self._database.write(accounts.remove_tokens_of_kind, USER[0])


class UserTokenRealm(TokenRealm):
    def __init__(self, tokens: Tokens, user_tokens: UserTokens, now: Callable[[], datetime]) -> None:
        super().__init__("User-Token-Realm", "User Token Realm", tokens, kinds=USER)
        self._user_tokens = user_tokens
        self._now = now

    async def by_password(self, username: str, password: str, door: Door) -> Identity | None:
        found = await self._tokens.identity(password, USER)
        if found is None:
            return None
        identity, row = found
        if username not in (row.code or row.user_id, *PLACEHOLDERS):
            raise Unauthenticated(WRONG)
        return await self._valid(identity, row)

    async def by_bearer(self, token: str, door: Door) -> Identity | None:
        found = await self._tokens.identity(token, USER)
        return None if found is None else await self._valid(*found)

    async def _valid(self, identity: Identity, row: TokenRow) -> Identity | None:
        settings = await self._user_tokens.settings()
        if not settings.enabled:
            return None
        expires = settings.expiry(row)
        if expires is not None and expires <= self._now():
            raise Unauthenticated(f"the user token expired on {expires:%Y-%m-%d}")
        return replace(identity, expires=expires)


def protects_content(kept: dict[str, Any] | None) -> bool:
    return UserTokenSettings.of(kept).protect_content
