"""Credentials become actors: the realms say who it is, roles say what that somebody may. Remembered for a minute."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from cachetools import TTLCache

from pakhus.database import accounts, sessions, values
from pakhus.database.accounts import PrivilegeRow, Role, TokenRow, User
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.errors import Forbidden, Unauthenticated
from pakhus.domain.initiator import claimed
from pakhus.domain.security import Actor
from pakhus.engine.entrance import Located
from pakhus.services.identity.passing import SECONDS, Claims, PassingTokens
from pakhus.services.identity.people import People
from pakhus.services.identity.realm import LOCAL, WRONG, Door, Identity, is_jwt, is_token
from pakhus.services.identity.realms import CannotTell, Realms
from pakhus.services.identity.secondfactor import CodeNeeded, SecondFactors
from pakhus.services.identity.sessions import Login, Sessions
from pakhus.services.identity.signing import EXPIRED, Signing
from pakhus.services.identity.tokens import Tokens, limits_of, login_kind
from pakhus.services.identity.usertokens import KEY as USER_TOKENS
from pakhus.services.identity.usertokens import protects_content
from pakhus.services.privileges import grants_of
from pakhus.services.throttle import Throttle

CACHED_SECONDS = 60.0
FORGOTTEN = timedelta(days=30)
"""How long an expired token is still listed."""
ANONYMOUS = "anonymous"
DEFAULT_REALM = "NexusAuthorizingRealm"


@dataclass(frozen=True, slots=True)
class Access:
    """Roles and privileges, as they stand in one generation of the configuration."""

    roles: Mapping[str, Role]
    privileges: Mapping[str, PrivilegeRow]
    anonymous: Mapping[str, Any]
    tokens_only: bool = False


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
        sessions: Sessions,
        second: SecondFactors,
        signing: Signing,
        throttle: Throttle,
        *,
        formats: Sequence[str],
        now: Callable[[], datetime],
        seconds: Callable[[], float],
    ) -> None:
        self._database = database
        self._realms = realms
        self._people = people
        self._tokens = tokens
        self._sessions = sessions
        self._second = second
        self._passing = PassingTokens(signing)
        self._throttle = throttle
        self._formats = formats
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
        if format and not is_token(password) and self._access.tokens_only:
            raise Unauthenticated("repositories take no passwords here: use a token")
        return await self._admitted(key, identity, address, generation)

    async def by_token(self, token: str, address: str, *, format: str = "", header: str = "authorization") -> Actor:
        key = _cache_key("token", token, format, header)
        if (known := await self._known(key, address)) is not None:
            return known
        generation = self._generation
        claims = self._passing.read(token)
        if claims is not None:
            return await self._passed(key, claims, Door(address, format, header), generation)
        identity = await self._sessions.identity(token)
        if identity is None:
            identity = await self._realms.by_bearer(token, Door(address, format, header))
        elif not await self._realms.admits(identity.source):
            raise Unauthenticated(EXPIRED)
        return await self._admitted(key, identity, address, generation)

    async def by_session(self, token: str, address: str, *, csrf: str | None) -> Actor | None:
        """Who a browser's cookie is of; `None` once that login is over.

        `csrf` is what came with a request that changes something, `None` for one that does not: a cookie alone does
        not prove that the user, and no foreign page, sent it. Raises `Unauthenticated`.
        """
        if not is_jwt(token):
            return None
        try:
            actor = await self.by_token(token, address)
        except Unauthenticated:
            return None
        if csrf is not None and not hmac.compare_digest(csrf.encode(), self._sessions.csrf(token).encode()):
            raise Unauthenticated("Anti cross-site request forgery token mismatch")
        return actor

    async def by_remote_user(self, username: str, address: str) -> Actor:
        """Whom a trusted proxy has let in, if the realm for that is active and knows the user."""
        key = _cache_key("remote user", username)
        if (known := await self._known(key, address)) is not None:
            return known
        generation = self._generation
        return await self._admitted(key, await self._realms.by_remote_user(username), address, generation)

    async def verify(self, username: str, password: str, door: Door, *, code: str | None = None) -> Identity:
        """Whose password this is, or whose token; `code` is of a second factor.

        Raises `Unauthenticated` (`CodeNeeded`), `TooManyRequests` or `CannotTell`.
        """
        if not password:
            raise Unauthenticated(WRONG)
        claimed(username, "password")
        if is_token(password):
            return await self._realms.by_password(username, password, door)
        failed_lately = await self._throttle.check(username, door.address)
        try:
            found = await self._realms.by_password(username, password, door)
            if found.source == LOCAL:
                await self._second.check(found.user_id, code)
        except CodeNeeded:
            raise
        except Unauthenticated:
            await self._throttle.failed(username, door.address)
            raise
        except CannotTell as error:
            if error.guessed:
                await self._throttle.failed(username, door.address)
            raise
        # Guesses that were made at once all came past the first look.
        await self._throttle.check(username, door.address)
        if failed_lately:
            await self._throttle.succeeded(username, door.address)
        return found

    async def prove(self, username: str, password: str, address: str, *, code: str | None = None) -> None:
        """Is this the local user's password? Raises `Forbidden` if not: the caller is known, and this is not it."""
        if is_token(password):
            raise Forbidden("a token is not the password")
        try:
            found = await self.verify(username, password, Door(address), code=code)
        except Unauthenticated as error:
            raise Forbidden(error.message if isinstance(error, CodeNeeded) else "this is not the password") from error
        if found.source != LOCAL:
            raise Forbidden("this is not the password")

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
        grants = grants_of(roles, access.roles, formats=self._formats, custom=access.privileges) + identity.grants
        # What is no account must not manage any, and so never be without limits, however wide.
        limits = grants if identity.transient and identity.limits is None else identity.limits
        return Actor(
            user.user_id,
            grants,
            limits=limits,
            source=user.source,
            token=identity.token,
            roles=roles,
            transient=identity.transient,
        )

    # -- passing tokens --------------------------------------------------------------------------------------------

    async def grant(self, actor: Actor, scopes: Sequence[Located], secret: str) -> tuple[str, int]:
        """A short-lived token of the actor for these scopes, and its seconds.

        For what has no account, and came with a token of somebody else's making, that token is good enough.
        """
        asked = [(each.repository, each.path, each.permissions) for each in scopes]
        if actor.transient:
            return secret, SECONDS
        return self._passing.issue(actor, await self._foundation(actor), asked), SECONDS

    async def offline(self, actor: Actor) -> str:
        """A long-lived token that is good for `grant` only."""
        if actor.anonymous or actor.transient:
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
        return "" if user is None else hashlib.sha256(user.password_hash.encode()).hexdigest()[:16]

    async def _row(self, actor: Actor) -> TokenRow:
        """The API token that the actor came with, as it is now."""
        rows = await self._tokens.of(actor.user, actor.source)
        row = next((each for each in rows if each.name == actor.token), None)
        if row is None or (row.expires is not None and row.expires <= self._now()):
            raise Unauthenticated(WRONG)
        return row

    # -- logins ----------------------------------------------------------------------------------------------------

    async def open_session(
        self, username: str, password: str, address: str, *, code: str | None = None, agent: str = ""
    ) -> Login:
        """A login for name and password. It is void once it is ended, or a local user's password changes."""
        identity = await self.verify(username, password, Door(address), code=code)
        if identity.token_id or is_token(password):
            raise Unauthenticated("a token opens no login: send it as it is")
        return await self.open_session_for(identity, address, agent=agent)

    async def open_session_for(
        self, identity: Identity, address: str, *, agent: str = "", life: timedelta | None = None
    ) -> Login:
        """A login for somebody whom a realm has found out otherwise, by a redirect of the browser say."""
        user = await self._people.admit(identity)
        return await self._sessions.open(user, address, agent, self._now(), life)

    async def login(self, username: str, password: str, *, label: str, address: str, format: str = "") -> str:
        """A protocol's own login (`npm login`): a token of its own name. Who shows a token keeps that one."""
        identity = await self.verify(username, password, Door(address, format))
        user = await self._people.admit(identity)
        if is_token(password):
            return password
        return await self._tokens.of_login(user.user_id, user.source, kind=label, address=address)

    async def logout(self, token: str) -> None:
        await self._tokens.forget(token)

    async def flush(self) -> None:
        await self._tokens.flush()

    async def sweep(self) -> None:
        """What has expired and nobody looks at any more."""
        await self._database.write(sessions.sweep, login_kinds_like=login_kind("%"), forgotten=self._now() - FORGOTTEN)


def _access(tx: Transaction) -> Access:
    return Access(
        {role.id: role for role in accounts.roles(tx)},
        {row.name: row for row in accounts.privileges(tx)},
        values.get(tx, "anonymous") or {},
        protects_content(values.get(tx, USER_TOKENS)),
    )


def _cache_key(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode()).digest()
