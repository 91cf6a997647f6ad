"""Service accounts: users without a password, for build servers and other machines. They log in by tokens only."""

from __future__ import annotations

from collections.abc import Sequence

from pakhus.database import accounts
from pakhus.database.accounts import User
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.errors import AlreadyExists, Invalid, NotFound
from pakhus.services.identity.realm import SERVICE
from pakhus.services.users import USER_ID, check_roles


class ServiceAccounts:
    """A `User` of the source `service`; its description stands where others have their first name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def everything(self) -> Sequence[User]:
        return [each for each in await self._database.read(accounts.users) if each.source == SERVICE]

    async def get(self, name: str) -> User:
        found = await self._database.read(accounts.user, name, SERVICE)
        if found is None:
            raise NotFound(f"there is no service account '{name}'")
        return found

    async def create(self, name: str, description: str, roles: Sequence[str], *, disabled: bool = False) -> User:
        if not USER_ID.match(name):
            raise Invalid("may not contain colons, slashes, or blanks at its ends", field="name")
        new = _account(name, description, roles, disabled)
        await self._database.write(_create, new)
        return new

    async def update(self, name: str, description: str, roles: Sequence[str], *, disabled: bool) -> User:
        changed = _account(name, description, roles, disabled)
        await self._database.write(_update, changed)
        return changed

    async def delete(self, name: str) -> None:
        """The account and its tokens."""
        await self.get(name)
        await self._database.write(accounts.remove_user, name, SERVICE)


def _account(name: str, description: str, roles: Sequence[str], disabled: bool) -> User:
    status = "disabled" if disabled else "active"
    return User(name, SERVICE, first_name=description, status=status, roles=tuple(dict.fromkeys(roles)))


def _create(tx: Transaction, new: User) -> None:
    check_roles(tx, new.roles)
    if any(each.user_id == new.user_id for each in accounts.users(tx)):
        raise AlreadyExists(f"there is a user or a service account '{new.user_id}' already")
    accounts.put_user(tx, new)


def _update(tx: Transaction, changed: User) -> None:
    check_roles(tx, changed.roles)
    if accounts.user(tx, changed.user_id, SERVICE) is None:
        raise NotFound(f"there is no service account '{changed.user_id}'")
    accounts.put_user(tx, changed)
