"""Users as an administrator sees them: made, changed, removed, given a new password."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pakhus.database import accounts, values
from pakhus.database.accounts import User
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.errors import Invalid, NotFound, PakhusError
from pakhus.domain.security import Actor
from pakhus.services.bootstrap import PASSWORD_FILE, forget_password
from pakhus.services.identity.realm import LOCAL
from pakhus.services.passwords import Passwords

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


class Users:
    def __init__(self, database: Database, passwords: Passwords, data: Path) -> None:
        self._database = database
        self._passwords = passwords
        self._data = data

    async def everybody(self, *, prefix: str = "") -> Sequence[User]:
        """The users whose name starts with `prefix`, by name."""
        found = await self._database.read(accounts.users)
        return [each for each in found if each.user_id.startswith(prefix)]

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
        hashed = await self._hashed(password)
        return await self._database.write(_create, _user(person, hashed))

    async def update(self, person: Person) -> None:
        """Change all but the password."""
        await self._database.write(_update, person)

    async def delete(self, user_id: str, *, by: Actor) -> None:
        """The user and its tokens. Raises `Indispensable` for oneself, and for the user that anonymous stands for."""
        if user_id == by.user and not by.anonymous:
            raise Indispensable("Can not delete currently signed in user")
        await self._database.write(_delete, user_id)

    async def change_password(self, user_id: str, password: str) -> None:
        """A new password; logins made with the old one end, and so does a generated password's file."""
        if not password.strip():
            raise Invalid("Password must be supplied.")
        before = await self.get(user_id)
        hashed = await self._hashed(password)
        generated = await asyncio.to_thread(_generated, self._data)
        await self._database.write(_set_password, user_id, hashed)
        if generated and await self._passwords.verify(before.password_hash, generated):
            await asyncio.to_thread(forget_password, self._data)

    async def _hashed(self, password: str) -> str:
        if flaw := self._passwords.flaw(password):
            raise Invalid(flaw, field="password")
        return await self._passwords.hash(password)


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
    _check_roles(tx, new.roles)
    if accounts.user(tx, new.user_id) is not None:
        raise Invalid(f"User {new.user_id} already exists.")
    accounts.put_user(tx, new)
    return new


def _update(tx: Transaction, person: Person) -> None:
    found = accounts.user(tx, person.user_id)
    if found is None:
        raise UserNotFound(person.user_id)
    _check_roles(tx, person.roles)
    accounts.put_user(tx, _user(person, found.password_hash))


def _delete(tx: Transaction, user_id: str) -> None:
    if accounts.user(tx, user_id) is None:
        raise UserNotFound(user_id)
    anonymous = values.get(tx, "anonymous") or {}
    if anonymous.get("enabled") and anonymous.get("userId") == user_id:
        raise Indispensable(f"Can not delete user {user_id}: anonymous access goes by it")
    accounts.remove_user(tx, user_id)


def _set_password(tx: Transaction, user_id: str, hashed: str) -> None:
    found = accounts.user(tx, user_id)
    if found is None:
        raise UserNotFound(user_id)
    status = "active" if found.status == "changepassword" else found.status
    accounts.put_user(tx, replace(found, password_hash=hashed, status=status))


def _check_roles(tx: Transaction, wanted: Sequence[str]) -> None:
    known = {role.id for role in accounts.roles(tx)}
    for each in wanted:
        if each not in known:
            raise Invalid(f"Unable to locate roleId: {each}", field="roles")
