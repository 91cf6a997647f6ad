"""Who an identity is here: the account behind it, its state, and for external users what their source said last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from pakhus.database import accounts
from pakhus.database.accounts import User
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.errors import Unauthenticated, Unavailable
from pakhus.services.identity.realm import LOCAL, SERVICE, WRONG, Directory, Identity
from pakhus.services.identity.realms import Realms

ADMITTED = ("active", "changepassword")
SEEN_EVERY = timedelta(hours=1)
"""How often it is written down that a source still knows somebody."""
GRACE = timedelta(hours=24)
"""How long the tokens of an external user go on without their directory being reachable."""


class People:
    def __init__(self, database: Database, realms: Realms, now: Callable[[], datetime]) -> None:
        self._database = database
        self._realms = realms
        self._now = now

    async def admit(self, identity: Identity) -> User:
        """The account, with its groups. Raises `Unauthenticated` for one that is disabled, locked or gone."""
        if identity.transient:
            return User(identity.user_id, identity.source, groups=identity.groups or ())
        user = await self._database.read(accounts.user, identity.user_id, identity.source)
        if user is not None and user.status not in ADMITTED:
            raise Unauthenticated(f"user '{user.user_id}' is {user.status}")
        if identity.source in (LOCAL, SERVICE):
            if user is None:
                raise Unauthenticated(WRONG)
            return user
        if identity.groups is not None:
            return await self._remembered(identity, user)
        asked = await self._asked(identity, user)
        if asked is not None:
            return await self._remembered(asked, user)
        if user is None:
            raise Unauthenticated(WRONG)
        return user

    async def _asked(self, identity: Identity, user: User | None) -> Identity | None:
        """What the source says now of somebody who did not log in there this time; `None`: what it said last counts."""
        realm = await self._realms.of(identity.source)
        if realm is None:
            raise Unauthenticated(WRONG)
        if not isinstance(realm, Directory):
            return None
        try:
            found = await realm.find(identity.user_id)
        except Unavailable:
            if user is None or user.seen is None or user.seen + GRACE < self._now():
                raise
            return None
        if found is None:
            raise Unauthenticated(WRONG)
        return found

    async def _remembered(self, identity: Identity, user: User | None) -> User:
        """Keep what the source said, if it is new or was said long ago."""
        now = self._now()
        said = User(
            identity.user_id,
            identity.source,
            identity.first_name,
            identity.last_name,
            identity.email,
            groups=tuple(dict.fromkeys((*(identity.groups or ()), *identity.roles))),
            seen=now,
        )
        if user is None:
            return await self._database.write(_learn, said)
        told = replace(said, status=user.status, roles=user.roles)
        if replace(told, seen=user.seen) != user or user.seen is None or user.seen + SEEN_EVERY < now:
            return await self._database.write(_learn, told)
        return user


def _learn(tx: Transaction, said: User) -> User:
    """Roles and state are an administrator's; they stay as they are now."""
    found = accounts.user(tx, said.user_id, said.source)
    changed = said if found is None else replace(said, status=found.status, roles=found.roles)
    accounts.learn(tx, changed, news=found is not None and found.groups != said.groups)
    return changed
