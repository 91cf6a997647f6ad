"""Explaining: who somebody is by the accounts, what they may do by the engine's checks, and what would change it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pakhus.database import accounts, rights, values
from pakhus.database.accounts import Role, User
from pakhus.database.rights import PrivilegeRow
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.repository import Repository
from pakhus.domain.security import Actor, Permission
from pakhus.engine.catalog import Catalog
from pakhus.engine.content import Engine
from pakhus.engine.inquiry import Answer, Change, Check, Inquiry
from pakhus.services.privileges import contained, grants_of
from pakhus.services.users import UserNotFound

ANONYMOUS = "anonymous"
ACTIVE = ("active", "changepassword")


@dataclass(frozen=True, slots=True)
class Known:
    """What the database says of an account, and of all rights."""

    user: User | None
    roles: dict[str, Role]
    privileges: dict[str, PrivilegeRow]
    anonymous: dict[str, Any]


class Explain:
    def __init__(self, database: Database, catalog: Catalog, engine: Engine) -> None:
        self._database = database
        self._catalog = catalog
        self._engine = engine

    async def explain(self, user_id: str, action: Permission, repository: str, path: str, *, by: Actor) -> Answer:
        """An empty `user_id` is a caller without credentials. Raises `UserNotFound`, `RepositoryNotFound`."""
        await self._catalog.refresh()
        place = self._catalog.get(repository)
        account, actor, privileges = await self._account(user_id)
        answer = await Inquiry(self._engine, actor, by=by).answer(action, place, path)
        changes = [self._precise(each, actor, place, privileges) for each in answer.changes]
        if account.allowed:
            return replace(answer, checks=(account, *answer.checks), changes=tuple(changes))
        possible = account.change is not None and (answer.allowed or changes)
        found = (account.change, *changes) if possible and account.change is not None else ()
        return Answer(False, (account, *answer.checks), found)

    async def _account(self, user_id: str) -> tuple[Check, Actor, Known]:
        """The actor, as the accounts would make it of a login, were the account active."""
        wanted = user_id
        known = await self._database.read(_known, user_id)
        if not user_id:
            wanted = str(known.anonymous.get("userId") or ANONYMOUS)
            known = await self._database.read(_known, wanted)
        if known.user is None:
            raise UserNotFound(wanted)
        user = known.user
        grants = grants_of(user.roles, known.roles, formats=self._catalog.formats, custom=known.privileges)
        actor = Actor(user.user_id, grants, anonymous=not user_id, source=user.source, roles=user.roles)
        return _active(user, known, anonymous=not user_id), actor, known

    def _precise(self, change: Change, actor: Actor, place: Repository, known: Known) -> Change:
        """Name the role that gets a privilege: one of the user's own that can be changed, if there is one."""
        about = dict(change.about)
        if change.kind != "privilege":
            return change
        name = next((each for each in contained(actor.roles, known.roles) if not known.roles[each].read_only), None)
        if name is None:
            text = f"give user '{actor.user}' a role with the privilege '{about['privilege']}'"
            return Change("role", text, change.about)
        text = f"add privilege '{about['privilege']}' to role '{name}'"
        return Change("privilege", text, (("privilege", about["privilege"]), ("role", name)))


def _active(user: User, known: Known, *, anonymous: bool) -> Check:
    roles = ", ".join(contained(user.roles, known.roles)) or "no roles"
    if anonymous and not known.anonymous.get("enabled", False):
        change = Change("anonymous", "enable anonymous access")
        return Check("account", user.user_id, False, "anonymous access is off: log in", change=change)
    if user.status not in ACTIVE:
        change = Change("account", f"set the status of user '{user.user_id}' to active", (("user", user.user_id),))
        return Check("account", user.user_id, False, f"user '{user.user_id}' is {user.status}", change=change)
    return Check("account", user.user_id, True, f"{user.status}, with {roles}")


def _known(tx: Transaction, user_id: str) -> Known:
    return Known(
        accounts.user(tx, user_id),
        {role.id: role for role in accounts.roles(tx)},
        {row.name: row for row in rights.privileges(tx)},
        values.get(tx, "anonymous") or {},
    )
