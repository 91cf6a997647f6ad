"""API tokens: made, listed, revoked, and accepted by the realm of the door at which they are shown."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from pakhus.database import accounts
from pakhus.database.accounts import TokenRow
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.errors import AlreadyExists, Invalid, NotFound, Unauthenticated
from pakhus.domain.security import Grant
from pakhus.services.identity.realm import LOCAL, TOKEN_PREFIX, WRONG, Door, Identity, Realm

SCOPES: Mapping[str, tuple[str, ...]] = {
    "read": ("browse", "read"),
    "write": ("add", "edit"),
    "delete": ("delete",),
    "admin": (),
}
PLACEHOLDERS = frozenset({"__token__", "", "token", "oauth2accesstoken"})
"""What clients write where a user's name would be."""


class Tokens:
    def __init__(
        self, database: Database, *, secret: str, max_days: int | None, login_days: int, now: Callable[[], datetime]
    ) -> None:
        """`max_days`: the longest life of a token; `login_days`: that of what a protocol's own login makes."""
        self._database = database
        self._key = hashlib.sha256(b"pakhus protocol login\0" + secret.encode()).digest()
        self._max_days = max_days
        self._login_life = timedelta(days=min(login_days, max_days or login_days))
        self._now = now
        self._used: dict[int, datetime] = {}

    async def create(
        self,
        user_id: str,
        name: str,
        *,
        kind: str = "api",
        scopes: Sequence[str] = (),
        repositories: Sequence[str] = (),
        expires_days: int | None = None,
        source: str = LOCAL,
    ) -> tuple[str, TokenRow]:
        """A new token, shown this once, and what is kept of it."""
        if unknown := set(scopes) - set(SCOPES):
            raise Invalid(f"unknown scopes: {', '.join(sorted(unknown))}", field="scopes")
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)
        row = TokenRow(
            user_id,
            source,
            name,
            kind,
            digest(token),
            tuple(scopes),
            tuple(repositories),
            created=self._now(),
            expires=self._expiry(expires_days),
        )
        await self._database.write(_add, row)
        return token, row

    async def of_login(self, user_id: str, source: str, *, kind: str, address: str) -> str:
        """The token of a protocol's own login.

        Whoever logs in again from the same address gets the same one, until half of its life is over: clients that
        log in with every job leave one row, and it goes when it has expired.
        """
        return await self._database.write(self._logged_in, user_id, source, kind, address)

    def _logged_in(self, tx: Transaction, user_id: str, source: str, kind: str, address: str) -> str:
        kept = accounts.login_token(tx, user_id, source, kind, address)
        if kept is not None and kept.expires is not None and kept.expires - tx.now > self._login_life / 2:
            token = self._derived(kept.nonce)
            if digest(token) == kept.sha256:
                tx.quiet = True
                return token
        nonce = secrets.token_hex(16)
        token = self._derived(nonce)
        row = TokenRow(user_id, source, f"{kind} {nonce[:8]}", kind, digest(token), nonce=nonce, address=address)
        accounts.add_token(tx, replace(row, expires=tx.now + self._login_life))
        return token

    def _derived(self, nonce: str) -> str:
        """The nonce alone, as the database has it, is worth nothing without the server's secret."""
        mac = hmac.digest(self._key, nonce.encode(), "sha256")
        return TOKEN_PREFIX + base64.urlsafe_b64encode(mac).rstrip(b"=").decode()

    async def of(self, user_id: str, source: str = LOCAL) -> list[TokenRow]:
        return await self._database.read(accounts.tokens_of, user_id, source)

    async def revoke(self, user_id: str, name: str, source: str = LOCAL) -> None:
        if not await self._database.write(accounts.remove_token, user_id, name, source):
            raise NotFound(f"there is no token '{name}'")

    async def forget(self, token: str) -> None:
        """Revoke a token by itself; whoever holds it may."""
        await self._database.write(accounts.remove_token_by_digest, digest(token))

    async def identity(self, token: str, kinds: Collection[str]) -> tuple[Identity, TokenRow] | None:
        """Whose token it is, if it is one of these kinds. Raises `Unauthenticated` for one that has expired."""
        row = await self._database.read(accounts.token_by_digest, digest(token))
        if row is None or row.kind not in kinds:
            return None
        if row.expires is not None and row.expires <= self._now():
            raise Unauthenticated(f"token '{row.name}' expired on {row.expires:%Y-%m-%d}")
        found = Identity(
            row.user_id, row.source, limits=limits_of(row), token=row.name, token_id=row.id, expires=row.expires
        )
        return found, row

    def _expiry(self, days: int | None) -> datetime | None:
        if days is not None and days < 1:
            raise Invalid("a token lives for at least one day", field="expires_days")
        if self._max_days is not None:
            if days is not None and days > self._max_days:
                raise Invalid(f"a token may live for {self._max_days} days at most", field="expires_days")
            days = days or self._max_days
        return None if days is None else self._now() + timedelta(days=days)

    def note_use(self, token_id: int) -> None:
        if token_id:
            self._used[token_id] = self._now()

    async def flush(self) -> None:
        """Write when tokens were used last."""
        if self._used:
            moments, self._used = self._used, {}
            await self._database.write(accounts.used, moments)


class TokenRealm(Realm):
    """Accepts tokens of some `kinds`: at every door, or at those of one format, or in one header."""

    def __init__(
        self, id: str, name: str, tokens: Tokens, *, kinds: Collection[str], format: str = "", header: str = ""
    ) -> None:
        self.id = id
        self.name = name
        self._tokens = tokens
        self._kinds = frozenset(kinds)
        self.format = format
        self._header = header

    def takes(self, password: str) -> bool:
        return password.startswith(TOKEN_PREFIX)

    async def by_password(self, username: str, password: str, door: Door) -> Identity | None:
        found = await self._identity(password, door)
        if found is None:
            return None
        if username not in PLACEHOLDERS and username != found.user_id:
            raise Unauthenticated(WRONG)
        return found

    async def by_bearer(self, token: str, door: Door) -> Identity | None:
        return await self._identity(token, door) if token.startswith(TOKEN_PREFIX) else None

    async def _identity(self, token: str, door: Door) -> Identity | None:
        if self.format not in ("", door.format) or self._header not in ("", door.header):
            return None
        found = await self._tokens.identity(token, self._kinds)
        return None if found is None else found[0]


API = ("api",)
USER = ("user",)
_FORMATS = (
    ("Cargo", "Cargo Bearer Token Realm", "cargo", ""),
    ("ConanToken", "Conan Bearer Token Realm", "conan", ""),
    ("DockerToken", "Docker Bearer Token Realm", "docker", ""),
    ("NpmToken", "npm Bearer Token Realm", "npm", ""),
    ("NuGetApiKey", "NuGet API-Key Realm", "nuget", "x-nuget-apikey"),
    ("RubyGemsToken", "RubyGems API-Key Realm", "rubygems", ""),
)
"""Id, name, format and header of the realms that Nexus has for tokens of one format."""


def token_realms(tokens: Tokens) -> list[Realm]:
    """A token is good wherever one of these that is active accepts it; what a format's own login made, only there."""
    of_formats = [
        TokenRealm(id, name, tokens, kinds=(*API, login_kind(format)), format=format, header=header)
        for id, name, format, header in _FORMATS
    ]
    return [
        TokenRealm("User-Token-Realm", "User Token Realm", tokens, kinds=USER),
        TokenRealm("PakhusToken", "API Token Realm", tokens, kinds=API),
        *of_formats,
    ]


def login_kind(format: str) -> str:
    """The kind of the tokens that a protocol's own login makes."""
    return f"{format} login"


def limits_of(row: TokenRow) -> tuple[Grant, ...] | None:
    """What a token may at most, whatever its user may; `None` is no limit."""
    if not row.scopes and not row.repositories:
        return None
    scopes = row.scopes or ("read", "write", "delete")
    if "admin" in scopes and not row.repositories:
        return None
    actions = ",".join(action for scope in scopes for action in SCOPES.get(scope, ()))
    name = f"token {row.name}"
    grants = [
        Grant.parse(f"repository-view:*:{repository}:{actions}", privilege=name)
        for repository in (row.repositories or ("*",))
        if actions
    ]
    if "read" in scopes:
        grants.append(Grant.parse("search:read", privilege=name))
    if "write" in scopes:
        grants.append(Grant.parse("component:upload", privilege=name))
    return tuple(grants)


def _add(tx: Transaction, row: TokenRow) -> None:
    if any(each.name == row.name for each in accounts.tokens_of(tx, row.user_id, row.source)):
        raise AlreadyExists(f"there is a token '{row.name}' already")
    accounts.add_token(tx, replace(row, created=tx.now))


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
