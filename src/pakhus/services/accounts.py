"""Who somebody is: passwords, API tokens and JWT logins become actors. Verified credentials are remembered briefly."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from cachetools import TTLCache
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from pakhus.database import accounts, values
from pakhus.database.accounts import PrivilegeRow, Role, TokenRow, User
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.errors import AlreadyExists, Invalid, NotFound, Unauthenticated
from pakhus.domain.initiator import claimed
from pakhus.domain.security import Actor, Grant
from pakhus.services.passwords import Passwords
from pakhus.services.privileges import grants_of
from pakhus.services.throttle import Throttle

TOKEN_PREFIX = "phk_"  # noqa: S105 -- a prefix, not a token
CACHED_SECONDS = 60.0
SCOPES: Mapping[str, tuple[str, ...]] = {
    "read": ("browse", "read"),
    "write": ("add", "edit"),
    "delete": ("delete",),
    "admin": (),
}
WRONG = "wrong username, password or token"
ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True)
class Access:
    """Roles and privileges, as they stand in one generation of the configuration."""

    roles: Mapping[str, Role]
    privileges: Mapping[str, PrivilegeRow]
    anonymous: Mapping[str, Any]


class Accounts:
    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        *,
        formats: Sequence[str],
        secret: str,
        jwt_hours: int,
        token_max_days: int | None,
        now: Callable[[], datetime],
        seconds: Callable[[], float],
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._formats = formats
        self._key = OctKey.import_key(hashlib.sha256(b"pakhus login\0" + secret.encode()).digest())
        self._jwt_hours = jwt_hours
        self._token_max_days = token_max_days
        self._now = now
        self._throttle = Throttle(seconds)
        self._verified: TTLCache[bytes, tuple[Actor, datetime | None, int]] = TTLCache(
            10_000, CACHED_SECONDS, timer=seconds
        )
        self._proven: TTLCache[bytes, str] = TTLCache(10_000, CACHED_SECONDS, timer=seconds)
        self._verifying: dict[bytes, asyncio.Future[bool]] = {}
        self._generation = -1
        self._access = Access({}, {}, {})
        self._used: dict[int, datetime] = {}

    # -- actors ----------------------------------------------------------------------------------------------------

    async def anonymous(self, address: str) -> Actor:
        access = await self._current()
        known = self._verified.get(b"anonymous")
        if known is None:
            known = (await self._anonymous(access), None, 0)
            self._verified[b"anonymous"] = known
        return replace(known[0], address=address)

    async def _anonymous(self, access: Access) -> Actor:
        if not access.anonymous.get("enabled", False):
            return Actor(ANONYMOUS, anonymous=True)
        user = await self._database.read(accounts.user, access.anonymous.get("userId", ANONYMOUS))
        if user is None or user.status != "active":
            return Actor(ANONYMOUS, anonymous=True)
        return replace(self._actor(user, access), anonymous=True)

    async def by_password(self, username: str, password: str, address: str) -> Actor:
        if password.startswith(TOKEN_PREFIX):
            actor = await self.by_token(password, address)
            if username not in (actor.user, "__token__", "", "token", "oauth2accesstoken"):
                raise Unauthenticated(WRONG)
            return actor
        key = _cache_key("basic", username, password)
        if (known := await self._known(key, address)) is not None:
            return known
        user = await self.verify(username, password, address)
        actor = self._actor(user, await self._current())
        self._verified[key] = (actor, None, 0)
        return replace(actor, address=address)

    async def by_token(self, token: str, address: str) -> Actor:
        key = _cache_key("token", token)
        if (known := await self._known(key, address)) is not None:
            return known
        access = await self._current()
        row = await self._database.read(accounts.token_by_digest, _digest(token))
        expires: datetime | None
        if row is None:
            actor, expires = await self._by_jwt(token, access)
            token_id = 0
        else:
            actor, expires, token_id = await self._by_row(row, access), row.expires, row.id
        self._verified[key] = (actor, expires, token_id)
        self._note_use(token_id)
        return replace(actor, address=address)

    async def verify(self, username: str, password: str, address: str) -> User:
        """The active user whose password this is. Raises `Unauthenticated`, or `TooManyRequests`."""
        if not password:
            raise Unauthenticated(WRONG)
        claimed(username, "password")
        self._throttle.check(username, address)
        user = await self._database.read(accounts.user, username)
        if not await self._proves(username, password, user) or user is None:
            self._throttle.failed(username, address)
            raise Unauthenticated(WRONG)
        if user.status not in ("active", "changepassword"):
            raise Unauthenticated(f"user '{username}' is {user.status}")
        self._throttle.succeeded(username, address)
        return user

    async def _proves(self, username: str, password: str, user: User | None) -> bool:
        """Is it the user's password? A proof is remembered with the hash that it was made against."""
        hashed = user.password_hash if user is not None else ""
        key = _cache_key("proof", username, password)
        if hashed and self._proven.get(key) == hashed:
            return True
        if not await self._verified_once(key + hashed.encode(), hashed, password):
            return False
        self._proven[key] = hashed
        return True

    async def _verified_once(self, key: bytes, hashed: str, password: str) -> bool:
        """However many requests bring the same password at once, it is verified once."""
        verifying = self._verifying.get(key)
        if verifying is None:
            verifying = self._verifying[key] = asyncio.ensure_future(self._passwords.verify(hashed, password))
            verifying.add_done_callback(lambda done: self._verifying.pop(key, None))
        return await asyncio.shield(verifying)

    async def _known(self, key: bytes, address: str) -> Actor | None:
        await self._current()
        found = self._verified.get(key)
        if found is None or (found[1] is not None and found[1] <= self._now()):
            return None
        self._note_use(found[2])
        return replace(found[0], address=address)

    async def _current(self) -> Access:
        """Roles and privileges as they are now; every change of the configuration empties the memory."""
        generation = self._database.generation.configuration
        if generation != self._generation:
            self._access = await self._database.read(_access)
            self._verified.clear()
            self._generation = generation
        return self._access

    def _actor(self, user: User, access: Access) -> Actor:
        grants = grants_of(user.roles, access.roles, formats=self._formats, custom=access.privileges)
        return Actor(user.user_id, grants, source=user.source, roles=user.roles)

    async def _by_row(self, row: TokenRow, access: Access) -> Actor:
        if row.expires is not None and row.expires <= self._now():
            raise Unauthenticated(f"token '{row.name}' expired on {row.expires:%Y-%m-%d}")
        user = await self._database.read(accounts.user, row.user_id, row.source)
        if user is None or user.status not in ("active", "changepassword"):
            raise Unauthenticated(WRONG)
        return replace(self._actor(user, access), limits=limits_of(row), token=row.name)

    # -- JWT logins ------------------------------------------------------------------------------------------------

    async def open_session(self, username: str, password: str, address: str) -> tuple[str, datetime]:
        """A JWT for the user, and when it expires. It is void once the password changes."""
        user = await self.verify(username, password, address)
        expires = self._now() + timedelta(hours=self._jwt_hours)
        claims = {
            "sub": user.user_id,
            "src": user.source,
            "pwd": _fingerprint(user),
            "iat": int(self._now().timestamp()),
            "exp": int(expires.timestamp()),
        }
        return jwt.encode({"alg": "HS256"}, claims, self._key), expires

    async def _by_jwt(self, token: str, access: Access) -> tuple[Actor, datetime]:
        try:
            claims = jwt.decode(token, self._key, algorithms=["HS256"]).claims
        except (JoseError, ValueError) as error:
            raise Unauthenticated(WRONG) from error
        expires = datetime.fromtimestamp(claims["exp"], self._now().tzinfo)
        user = await self._database.read(accounts.user, claims["sub"], claims["src"])
        if expires <= self._now() or user is None or _fingerprint(user) != claims["pwd"]:
            raise Unauthenticated("this login has expired")
        if user.status not in ("active", "changepassword"):
            raise Unauthenticated(WRONG)
        return self._actor(user, access), expires

    # -- tokens ----------------------------------------------------------------------------------------------------

    async def create_token(
        self,
        user_id: str,
        name: str,
        *,
        kind: str = "api",
        scopes: Sequence[str] = (),
        repositories: Sequence[str] = (),
        expires_days: int | None = None,
        source: str = "default",
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
            _digest(token),
            tuple(scopes),
            tuple(repositories),
            created=self._now(),
            expires=self._expiry(expires_days),
        )
        await self._database.write(_add_token, row)
        return token, row

    async def tokens(self, user_id: str, source: str = "default") -> list[TokenRow]:
        return await self._database.read(accounts.tokens_of, user_id, source)

    async def revoke_token(self, user_id: str, name: str, source: str = "default") -> None:
        if not await self._database.write(accounts.remove_token, user_id, name, source):
            raise NotFound(f"there is no token '{name}'")

    def _expiry(self, days: int | None) -> datetime | None:
        if days is not None and days < 1:
            raise Invalid("a token lives for at least one day", field="expires_days")
        if self._token_max_days is not None:
            if days is not None and days > self._token_max_days:
                raise Invalid(f"a token may live for {self._token_max_days} days at most", field="expires_days")
            days = days or self._token_max_days
        return None if days is None else self._now() + timedelta(days=days)

    async def login(self, username: str, password: str, *, label: str, address: str) -> str:
        """A protocol's own login (`npm login`): a token of its own name. Who shows a token keeps that one."""
        if password.startswith(TOKEN_PREFIX):
            await self.by_password(username, password, address)
            return password
        user = await self.verify(username, password, address)
        token, _ = await self.create_token(user.user_id, f"{label} {secrets.token_hex(4)}", kind=label)
        return token

    async def logout(self, token: str) -> None:
        await self._database.write(accounts.remove_token_by_digest, _digest(token))

    def _note_use(self, token_id: int) -> None:
        if token_id:
            self._used[token_id] = self._now()

    async def flush(self) -> None:
        """Write when tokens were used last."""
        if self._used:
            moments, self._used = self._used, {}
            await self._database.write(accounts.used, moments)


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


def _add_token(tx: Transaction, row: TokenRow) -> None:
    if any(each.name == row.name for each in accounts.tokens_of(tx, row.user_id, row.source)):
        raise AlreadyExists(f"there is a token '{row.name}' already")
    accounts.add_token(tx, row)


def _access(tx: Transaction) -> Access:
    return Access(
        {role.id: role for role in accounts.roles(tx)},
        {row.name: row for row in accounts.privileges(tx)},
        values.get(tx, "anonymous") or {},
    )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _cache_key(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode()).digest()


def _fingerprint(user: User) -> str:
    return hashlib.sha256(user.password_hash.encode()).hexdigest()[:16]
