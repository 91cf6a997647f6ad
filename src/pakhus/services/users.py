"""Users as an administrator sees them: made, changed, removed, given a new password."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from pakhus.database import accounts, values
from pakhus.database.accounts import User
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.errors import Invalid, NotFound, PakhusError, Unavailable
from pakhus.domain.security import Actor
from pakhus.services.bootstrap import PASSWORD_FILE, forget_password
from pakhus.services.identity.realm import LOCAL, SERVICE, Directory, Identity, Listed
from pakhus.services.identity.realms import Realms
from pakhus.services.passwords import Passwords

log = structlog.get_logger()
LISTED = 1000
"""Most users that a directory is asked to list."""
USER_ID = re.compile(r"[^\s:/\\\x00-\x1f](?:[^:/\\\x00-\x1f]*[^\s:/\\\x00-\x1f])?\Z")
NO_PASSWORD = "A non-empty password is required."  # noqa: S105 -- a message


class UserNotFound(NotFound):
    def __init__(self, user_id: str) -> None:
        super().__init__(f"User '{user_id}' not found.")


class Indispensable(PakhusError):
    """The user cannot go. Nexus answers 500 with the text, and its clients look for it."""

    status = 500


@dataclass(frozen=True, slots=True)
class Person:
    """All of a user but its password."""

    user_id: str
    first_name: str
    last_name: str
    email: str
    status: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A user with what its source says of it: `external` roles are the groups there."""

    user: User
    external: tuple[str, ...] = ()
    read_only: bool = False


class Users:
    def __init__(self, database: Database, passwords: Passwords, realms: Realms, data: Path) -> None:
        self._database = database
        self._passwords = passwords
        self._realms = realms
        self._data = data

    async def sources(self) -> Sequence[tuple[str, str]]:
        """Id and name of every source of users, the local one first."""
        return [(each.source, each.source_name) for each in await self._realms.sources()]

    async def everybody(self, *, prefix: str = "", source: str = "") -> Sequence[Shown]:
        """The users whose id starts with `prefix`, by name; of all sources, or of one.

        Of a directory those whom it lists, at most `LISTED`, and those who have been here. Raises `Unavailable` if it
        is the one that is asked for, and cannot be asked.
        """
        kept = await self._database.read(accounts.users)
        wanted = {id for id, _ in await self.sources()} if not source else {source}
        found = {
            (each.user_id, each.source): _shown(each)
            for each in kept
            if each.user_id.startswith(prefix) and each.source in wanted
        }
        for realm in await self._realms.active():
            if isinstance(realm, Directory) and realm.source in wanted:
                for listed in await self._listed(realm, prefix, needed=bool(source)):
                    known = found.get((listed.user_id, realm.source))
                    found[listed.user_id, realm.source] = _of_directory(listed, realm.source, known)
        return [found[key] for key in sorted(found)]

    async def _listed(self, realm: Directory, prefix: str, *, needed: bool) -> Sequence[Listed]:
        try:
            return await realm.search(prefix, limit=LISTED)
        except Unavailable as error:
            if needed:
                raise
            log.warning("directory_not_listed", source=realm.source, reason=error.message)
            return []

    async def get(self, user_id: str, source: str = LOCAL) -> User:
        found = await self._database.read(accounts.user, user_id, source)
        if found is None:
            raise UserNotFound(user_id)
        return found

    async def create(self, person: Person, password: str) -> User:
        if not USER_ID.match(person.user_id):
            raise Invalid("may not contain colons, slashes, or blanks at its ends", field="userId")
        if not password.strip():
            raise Invalid(NO_PASSWORD)
        hashed = await self._hashed(password, _user(person, ""))
        return await self._database.write(_create, _user(person, hashed))

    async def update(self, person: Person, source: str = LOCAL) -> None:
        """Change all but the password; of a user of another source only roles and status are kept here."""
        if source == LOCAL:
            await self._database.write(_update, person)
            return
        known = await self._database.read(accounts.user, person.user_id, source)
        if known is None and await self._find(person.user_id, source) is None:
            raise UserNotFound(person.user_id)
        await self._database.write(_assign, person, source)

    async def _find(self, user_id: str, source: str) -> Identity | None:
        realm = await self._realms.of(source)
        return await realm.find(user_id) if isinstance(realm, Directory) else None

    async def delete(self, user_id: str, *, source: str = "", by: Actor) -> None:
        """The user and its tokens. Of another source: what is kept of the user here, if that source is named.

        Raises `Indispensable` for oneself, and for the user that anonymous stands for.
        """
        if (user_id, source or LOCAL) == (by.user, by.source) and not by.anonymous:
            raise Indispensable("Can not delete currently signed in user")
        await self._database.write(_delete, user_id, source)

    async def change_password(self, user_id: str, password: str) -> None:
        """A new password; logins made with the old one end, and so does a generated password's file."""
        if not password.strip():
            raise Invalid("Password must be supplied.")
        before = await self.get(user_id)
        hashed = await self._hashed(password, before)
        generated = await asyncio.to_thread(_generated, self._data)
        await self._database.write(_set_password, user_id, hashed)
        if generated and await self._passwords.verify(before.password_hash, generated):
            await asyncio.to_thread(forget_password, self._data)

    async def _hashed(self, password: str, user: User) -> str:
        about = (user.user_id, user.first_name, user.last_name, user.email.partition("@")[0])
        if flaw := self._passwords.flaw(password, about=about):
            raise Invalid(flaw, field="password")
        return await self._passwords.hash(password)


def _shown(user: User) -> Shown:
    return Shown(user, user.groups, read_only=user.source != LOCAL)


def _of_directory(listed: Listed, source: str, known: Shown | None) -> Shown:
    """As the directory has it, with the roles and the status that were given here."""
    kept = known.user if known is not None else User(listed.user_id, source)
    user = replace(kept, first_name=listed.first_name, last_name=listed.last_name, email=listed.email)
    return Shown(user, listed.groups or user.groups, read_only=True)


def _user(person: Person, hashed: str) -> User:
    return User(
        person.user_id,
        LOCAL,
        person.first_name,
        person.last_name,
        person.email,
        person.status,
        hashed,
        person.roles,
    )


def _generated(data: Path) -> str:
    """The password that a first start made up, while its file is there."""
    try:
        return (data / PASSWORD_FILE).read_text("utf-8").strip()
    except FileNotFoundError:
        return ""


def _create(tx: Transaction, new: User) -> User:
    check_roles(tx, new.roles)
    if accounts.user(tx, new.user_id) is not None:
        raise Invalid(f"User {new.user_id} already exists.")
    accounts.put_user(tx, new)
    return new


def _update(tx: Transaction, person: Person) -> None:
    found = accounts.user(tx, person.user_id)
    if found is None:
        raise UserNotFound(person.user_id)
    check_roles(tx, person.roles)
    accounts.put_user(tx, _user(person, found.password_hash))


def _assign(tx: Transaction, person: Person, source: str) -> None:
    check_roles(tx, person.roles)
    kept = accounts.user(tx, person.user_id, source) or User(person.user_id, source)
    accounts.put_user(tx, replace(kept, roles=person.roles, status=person.status))


def _delete(tx: Transaction, user_id: str, source: str) -> None:
    if accounts.user(tx, user_id, source or LOCAL) is None:
        if not source and any(each.user_id == user_id and each.source != SERVICE for each in accounts.users(tx)):
            raise Invalid(f"User '{user_id}' is of another source and cannot be deleted here.")
        raise UserNotFound(user_id)
    anonymous = values.get(tx, "anonymous") or {}
    if source in ("", LOCAL) and anonymous.get("enabled") and anonymous.get("userId") == user_id:
        raise Indispensable(f"Can not delete user {user_id}: anonymous access goes by it")
    accounts.remove_user(tx, user_id, source or LOCAL)


def _set_password(tx: Transaction, user_id: str, hashed: str) -> None:
    found = accounts.user(tx, user_id)
    if found is None:
        raise UserNotFound(user_id)
    status = "active" if found.status == "changepassword" else found.status
    accounts.put_password(tx, found, hashed, status=status)


def check_roles(tx: Transaction, wanted: Sequence[str]) -> None:
    known = {role.id for role in accounts.roles(tx)}
    for each in wanted:
        if each not in known:
            raise Invalid(f"Unable to locate roleId: {each}", field="roles")
