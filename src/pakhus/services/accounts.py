"""Credentials become actors: the realms say who it is, roles say what that somebody may. Remembered for a minute."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from cachetools import TTLCache

from pakhus.database import accounts, values
from pakhus.database.accounts import PrivilegeRow, Role, TokenRow, User
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.errors import Unauthenticated
from pakhus.domain.initiator import claimed
from pakhus.domain.security import Actor
from pakhus.engine.entrance import Located
from pakhus.services.identity.passing import SECONDS, Claims, PassingTokens
from pakhus.services.identity.people import People
from pakhus.services.identity.realm import LOCAL, TOKEN_PREFIX, WRONG, Door, Identity, is_token
from pakhus.services.identity.realms import CannotTell, Realms
from pakhus.services.identity.signing import EXPIRED, Signing
from pakhus.services.identity.tokens import Tokens, limits_of
from pakhus.services.privileges import grants_of
from pakhus.services.throttle import Throttle

CACHED_SECONDS = 60.0
ANONYMOUS = "anonymous"
LOGIN = "login"
"""The purpose of the JWT that `POST /api/v1/login` answers with."""
DEFAULT_REALM = "NexusAuthorizingRealm"


@dataclass(frozen=True, slots=True)
class Access:
    """Roles and privileges, as they stand in one generation of the configuration."""

    roles: Mapping[str, Role]
    privileges: Mapping[str, PrivilegeRow]
    anonymous: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Known:
    """A verified credential. It counts until `expires`, and while the generation stands."""

    actor: Actor
    expires: datetime | None = None
    token_id: int = 0


class Accounts:
    def __init__(
        self,
        database: Database,
        realms: Realms,
        people: People,
        tokens: Tokens,
        signing: Signing,
        throttle: Throttle,
        *,
        formats: Sequence[str],
        jwt_hours: int,
        now: Callable[[], datetime],
        seconds: Callable[[], float],
    ) -> None:
        self._database = database
        self._realms = realms
        self._people = people
        self._tokens = tokens
        self._signing = signing
        self._passing = PassingTokens(signing)
        self._throttle = throttle
        self._formats = formats
        self._jwt_hours = jwt_hours
        self._now = now
        self._verified: TTLCache[bytes, Known] = TTLCache(10_000, CACHED_SECONDS, timer=seconds)
        self._generation = -1
        self._access = Access({}, {}, {})

    # -- actors ----------------------------------------------------------------------------------------------------

    async def anonymous(self, address: str) -> Actor:
        access = await self._current()
        known = self._verified.get(b"anonymous")
        if known is None:
            known = Known(await self._anonymous(access))
            self._verified[b"anonymous"] = known
        return replace(known.actor, address=address)

    async def _anonymous(self, access: Access) -> Actor:
        """Acts as a local user, if the realm that was chosen for it is active."""
        nobody = Actor(ANONYMOUS, anonymous=True)
        realm = access.anonymous.get("realmName", DEFAULT_REALM)
        if not access.anonymous.get("enabled", False) or realm not in {each.id for each in await self._realms.active()}:
            return nobody
        user = await self._database.read(accounts.user, access.anonymous.get("userId", ANONYMOUS))
        if user is None or user.status != "active":
            return nobody
        return replace(self._actor(Identity(user.user_id), user, access), anonymous=True)

    async def by_password(
        self, username: str, password: str, address: str, *, format: str = "", header: str = "authorization"
    ) -> Actor:
        """A user's password, or a token in its place. `format`: of the repository that is asked for."""
        door = Door(address, format, header)
        key = _cache_key("basic", username, password, format, header)
        if (known := await self._known(key, address)) is not None:
            return known
        generation = self._generation
        identity = await self.verify(username, password, door)
        return await self._admitted(key, identity, address, generation)

    async def by_token(self, token: str, address: str, *, format: str = "", header: str = "authorization") -> Actor:
        key = _cache_key("token", token, format, header)
        if (known := await self._known(key, address)) is not None:
            return known
        generation = self._generation
        claims = self._passing.read(token)
        if claims is not None:
            return await self._passed(key, claims, Door(address, format, header), generation)
        identity = await self._by_login(token)
        if identity is None:
            identity = await self._realms.by_bearer(token, Door(address, format, header))
        return await self._admitted(key, identity, address, generation)

    async def verify(self, username: str, password: str, door: Door) -> Identity:
        """Whose password this is, or whose token. Raises `Unauthenticated`, `TooManyRequests` or `CannotTell`."""
        if not password:
            raise Unauthenticated(WRONG)
        claimed(username, "password")
        if is_token(password):
            return await self._realms.by_password(username, password, door)
        self._throttle.check(username, door.address)
        try:
            found = await self._realms.by_password(username, password, door)
        except Unauthenticated:
            self._throttle.failed(username, door.address)
            raise
        except CannotTell as error:
            if error.guessed:
                self._throttle.failed(username, door.address)
            raise
        self._throttle.succeeded(username, door.address)
        return found

    async def _admitted(self, key: bytes, identity: Identity, address: str, generation: int) -> Actor:
        """The actor of an identity, remembered unless something was changed while it was verified."""
        access = await self._current()
        user = await self._people.admit(identity)
        actor = self._actor(identity, user, access)
        if generation == self._generation == self._database.generation.configuration:
            self._verified[key] = Known(actor, identity.expires, identity.token_id)
        self._tokens.note_use(identity.token_id)
        return replace(actor, address=address)

    async def _passed(self, key: bytes, claims: Claims, door: Door, generation: int) -> Actor:
        """The actor of a passing token: it counts where the format's own tokens do."""
        if not await self._realms.takes_tokens_of(door.format):
            raise Unauthenticated(WRONG)
        actor = replace(await self._by_passing(claims), passing=True)
        if generation == self._generation == self._database.generation.configuration:
            self._verified[key] = Known(actor, claims.expires)
        return replace(actor, address=door.address)

    async def _known(self, key: bytes, address: str) -> Actor | None:
        await self._current()
        found = self._verified.get(key)
        if found is None or (found.expires is not None and found.expires <= self._now()):
            return None
        self._tokens.note_use(found.token_id)
        return replace(found.actor, address=address)

    async def _current(self) -> Access:
        """Roles and privileges as they are now; every change of the configuration empties the memory."""
        generation = self._database.generation.configuration
        if generation != self._generation:
            access = await self._database.read(_access)
            self._access = access
            self._verified.clear()
            self._generation = generation
        return self._access

    def _actor(self, identity: Identity, user: User, access: Access) -> Actor:
        """With the roles that were assigned here, those of the realm's mapping, and those named like a group."""
        named = [group for group in user.groups if group in access.roles]
        roles = tuple(dict.fromkeys((*user.roles, *identity.roles, *named)))
        grants = grants_of(roles, access.roles, formats=self._formats, custom=access.privileges)
        return Actor(
            user.user_id, grants, limits=identity.limits, source=user.source, token=identity.token, roles=roles
        )

    # -- passing tokens --------------------------------------------------------------------------------------------

    async def grant(self, actor: Actor, scopes: Sequence[Located]) -> tuple[str, int]:
        """A short-lived token of the actor for these scopes, and its seconds."""
        asked = [(each.repository, each.path, each.permissions) for each in scopes]
        return self._passing.issue(actor, await self._foundation(actor), asked), SECONDS

    async def offline(self, actor: Actor) -> str:
        """A long-lived token that is good for `grant` only."""
        if actor.anonymous:
            raise Unauthenticated("log in first")
        return self._passing.issue_offline(actor, await self._foundation(actor))

    async def by_offline(self, token: str, address: str) -> Actor:
        """Whom a long-lived token speaks of, with all that the login it rests on may."""
        claims = self._passing.read_offline(token)
        if claims is None:
            raise Unauthenticated(WRONG)
        actor = await self._by_passing(claims)
        row = await self._row(actor) if actor.token else None
        return replace(actor, limits=None if row is None else limits_of(row), address=address)

    async def _by_passing(self, claims: Claims) -> Actor:
        access = await self._current()
        if not claims.user:
            return replace(await self._anonymous(access), limits=claims.limits)
        identity = Identity(claims.user, claims.source, limits=claims.limits, token=claims.token)
        if not await self._realms.admits(claims.source):
            raise Unauthenticated(EXPIRED)
        actor = self._actor(identity, await self._people.admit(identity), access)
        if await self._foundation(actor) != claims.key:
            raise Unauthenticated(EXPIRED)
        return actor

    async def _foundation(self, actor: Actor) -> str:
        """What changes when tokens that rest on it are to be void: the password, or the API token."""
        if actor.anonymous:
            return ""
        if actor.token:
            return (await self._row(actor)).sha256[:16]
        user = await self._database.read(accounts.user, actor.user, actor.source)
        return "" if user is None else _fingerprint(user)

    async def _row(self, actor: Actor) -> TokenRow:
        """The API token that the actor came with, as it is now."""
        rows = await self._tokens.of(actor.user, actor.source)
        row = next((each for each in rows if each.name == actor.token), None)
        if row is None or (row.expires is not None and row.expires <= self._now()):
            raise Unauthenticated(WRONG)
        return row

    # -- logins ----------------------------------------------------------------------------------------------------

    async def open_session(self, username: str, password: str, address: str) -> tuple[str, datetime]:
        """A JWT for the user, and when it expires. It is void once a local user's password changes."""
        identity = await self.verify(username, password, Door(address))
        user = await self._people.admit(identity)
        claims = {"sub": user.user_id, "src": user.source, "pwd": _fingerprint(user)}
        return self._signing.make(LOGIN, claims, timedelta(hours=self._jwt_hours))

    async def _by_login(self, token: str) -> Identity | None:
        found = self._signing.read(LOGIN, token)
        if found is None:
            return None
        claims, expires = found
        user = await self._database.read(accounts.user, claims["sub"], claims["src"])
        if user is None or _fingerprint(user) != claims["pwd"] or not await self._realms.admits(user.source):
            raise Unauthenticated(EXPIRED)
        return Identity(user.user_id, user.source, expires=expires)

    async def login(self, username: str, password: str, *, label: str, address: str, format: str = "") -> str:
        """A protocol's own login (`npm login`): a token of its own name. Who shows a token keeps that one."""
        identity = await self.verify(username, password, Door(address, format))
        user = await self._people.admit(identity)
        if password.startswith(TOKEN_PREFIX):
            return password
        return await self._tokens.of_login(user.user_id, user.source, kind=label, address=address)

    async def logout(self, token: str) -> None:
        await self._tokens.forget(token)

    async def flush(self) -> None:
        await self._tokens.flush()


def _access(tx: Transaction) -> Access:
    return Access(
        {role.id: role for role in accounts.roles(tx)},
        {row.name: row for row in accounts.privileges(tx)},
        values.get(tx, "anonymous") or {},
    )


def _cache_key(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode()).digest()


def _fingerprint(user: User) -> str:
    return hashlib.sha256(user.password_hash.encode()).hexdigest()[:16] if user.source == LOCAL else ""
