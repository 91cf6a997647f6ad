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
        code: str = "",
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
            code=code,
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

    async def revoke_all(self, user_id: str, source: str = LOCAL) -> None:
        await self._database.write(accounts.remove_tokens, user_id, source)

    async def rotate(
        self, user_id: str, name: str, source: str = LOCAL, *, overlap_hours: int = 0
    ) -> tuple[str, TokenRow]:
        """A new token in place of an old one, with its name, scopes and length of life. Raises `NotFound`.

        The old one is good for `overlap_hours` more, under another name, while its users are told the new one.
        """
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)
        row = await self._database.write(self._rotated, user_id, name, source, token, timedelta(hours=overlap_hours))
        return token, row

    def _rotated(
        self, tx: Transaction, user_id: str, name: str, source: str, token: str, overlap: timedelta
    ) -> TokenRow:
        old = next((each for each in accounts.tokens_of(tx, user_id, source) if each.name == name), None)
        if old is None:
            raise NotFound(f"there is no token '{name}'")
        if old.kind not in API:
            raise Invalid(f"'{name}' is not an API token: make it anew where it was made", field="name")
        ends = tx.now + overlap
        if overlap:
            accounts.retire_token(tx, old, f"{name} (old, {secrets.token_hex(2)})", min(ends, old.expires or ends))
        else:
            accounts.remove_token(tx, user_id, name, source)
        life = old.expires - old.created if old.expires and old.created else None
        expires = self._expiry(None) if life is None else tx.now + life
        new = replace(old, id=0, sha256=digest(token), created=tx.now, expires=expires, last_used=None)
        accounts.add_token(tx, new)
        return new

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
    """Accepts tokens of some `kinds`: at every door, or at those of one format, or in one header.

    `elsewhere` are formats that have a realm of their own for tokens without a user's name.
    """

    def __init__(
        self,
        id: str,
        name: str,
        tokens: Tokens,
        *,
        kinds: Collection[str],
        format: str = "",
        header: str = "",
        elsewhere: Collection[str] = (),
    ) -> None:
        self.id = id
        self.name = name
        self._tokens = tokens
        self._kinds = frozenset(kinds)
        self.format = format
        self._header = header
        self._elsewhere = frozenset(elsewhere)

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
        if not token.startswith(TOKEN_PREFIX) or door.format in self._elsewhere:
            return None
        return await self._identity(token, door)

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
    """Those of the formats: for tokens that come without a user's name, and for what a format's own login made."""
    return [
        TokenRealm(id, name, tokens, kinds=(*API, login_kind(format)), format=format, header=header)
        for id, name, format, header in _FORMATS
    ]


def api_tokens(tokens: Tokens) -> Realm:
    """API tokens in place of a password, and as bearers where no format has a realm for them."""
    own = [format for _, _, format, header in _FORMATS if not header]
    return TokenRealm("", "", tokens, kinds=API, elsewhere=own)


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
