"""Roles: named sets of privileges and of other roles."""

from __future__ import annotations

from collections.abc import Sequence

from pakhus.database import accounts
from pakhus.database.accounts import Role
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.errors import Invalid, NotFound
from pakhus.engine.catalog import Catalog
from pakhus.services.privileges import check_known


class RoleNotFound(NotFound):
    def __init__(self, role_id: str) -> None:
        super().__init__(f"Role '{role_id}' not found.")


class Roles:
    def __init__(self, database: Database, catalog: Catalog) -> None:
        self._database = database
        self._catalog = catalog

    async def everything(self) -> list[Role]:
        return await self._database.read(accounts.roles)

    async def get(self, role_id: str) -> Role:
        return _found(await self.everything(), role_id)

    async def create(self, new: Role) -> Role:
        await self._catalog.refresh()
        await self._database.write(_create, new, self._catalog)
        return new

    async def update(self, changed: Role) -> None:
        await self._catalog.refresh()
        await self._database.write(_update, changed, self._catalog)

    async def delete(self, role_id: str) -> None:
        """The role goes, and its name from every user and role that has it."""
        await self._database.write(_delete, role_id)


def _found(roles: Sequence[Role], role_id: str) -> Role:
    found = next((each for each in roles if each.id == role_id), None)
    if found is None:
        raise RoleNotFound(role_id)
    return found


def _create(tx: Transaction, new: Role, catalog: Catalog) -> None:
    if "/" in new.id or new.id != new.id.strip():
        raise Invalid("may not contain slashes, or blanks at its ends", field="id")
    known = accounts.roles(tx)
    if any(each.id == new.id for each in known):
        raise Invalid(f"Role '{new.id}' already exists, use a unique roleId.")
    _check(tx, new, known, catalog)
    accounts.put_role(tx, new)


def _update(tx: Transaction, changed: Role, catalog: Catalog) -> None:
    known = accounts.roles(tx)
    before = _found(known, changed.id)
    _refuse_read_only(before)
    _check(tx, changed, known, catalog, before=before)
    accounts.put_role(tx, changed)


def _delete(tx: Transaction, role_id: str) -> None:
    _refuse_read_only(_found(accounts.roles(tx), role_id))
    accounts.remove_role(tx, role_id)


def _refuse_read_only(role: Role) -> None:
    if role.read_only:
        raise Invalid(f"Role '{role.id}' is read only: it can be neither changed nor removed.")


def _check(
    tx: Transaction, wanted: Role, known: Sequence[Role], catalog: Catalog, *, before: Role | None = None
) -> None:
    check_known(tx, wanted.privileges, catalog, but=() if before is None else before.privileges)
    by_id = {each.id: each for each in known}
    for name in wanted.roles:
        if name == wanted.id or _contains(by_id, name, wanted.id):
            raise Invalid(f"Role '{wanted.id}' cannot contain itself either directly or indirectly.", field="roles")
        if name not in by_id:
            raise Invalid(f"Unable to locate roleId: {name}", field="roles")


def _contains(roles: dict[str, Role], outer: str, inner: str) -> bool:
    waiting, seen = [outer], set[str]()
    while waiting:
        role = roles.get(waiting.pop())
        if role is None or role.id in seen:
            continue
        seen.add(role.id)
        if inner in role.roles:
            return True
        waiting.extend(role.roles)
    return False
