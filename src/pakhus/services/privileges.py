"""Privileges: names that roles carry, and the grants that they mean; those that an administrator makes and changes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from pakhus.database import rights
from pakhus.database.accounts import Role
from pakhus.database.rights import SELECTING, PrivilegeRow
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.errors import Invalid, NotFound
from pakhus.domain.repository import NAME, NAME_RULE
from pakhus.domain.security import Grant
from pakhus.engine.catalog import Catalog
from pakhus.services import builtin_privileges

_STORED = {"ADD": "create", "EDIT": "update"}
"""What an application privilege's action is called by those who ask for it, where it is not its own name."""
_ON_REPOSITORY = {
    "repository-view": "repository-view",
    "repository-admin": "repository-admin",
    SELECTING: "repository-view",
}
"""Type of a privilege on repositories → the first word of what it grants."""


_WORDS = {
    "application": {"domain": re.compile(r"\*|[A-Za-z0-9_.-]+")},
    "script": {"scriptName": re.compile(r"\*|[A-Za-z0-9_.-]+")},
    "wildcard": {"pattern": re.compile(r"[^\s:,]+(?:\s*[:,]\s*[^\s:,]+)*")},
}


class PrivilegeNotFound(NotFound):
    def __init__(self, name: str) -> None:
        super().__init__(f"Privilege '{name}' not found.")


class Privileges:
    """`types` of privileges are application, wildcard, script and those on repositories."""

    def __init__(self, database: Database, catalog: Catalog) -> None:
        self._database = database
        self._catalog = catalog

    async def everything(self) -> list[PrivilegeRow]:
        """The built-in ones, those of every repository, and those that were made, by name."""
        await self._catalog.refresh()
        found = {
            each.name: each for each in builtin_privileges.everything(self._catalog.formats, self._catalog.everything())
        }
        found.update({each.name: each for each in await self._database.read(rights.privileges)})
        return [found[name] for name in sorted(found)]

    async def get(self, name: str) -> PrivilegeRow:
        await self._catalog.refresh()
        made = {each.name: each for each in await self._database.read(rights.privileges)}
        return _found(name, made, self._catalog)

    async def create(self, new: PrivilegeRow) -> None:
        """Names of built-in ones are taken, also those of repositories that are still to come."""
        await self._catalog.refresh()
        if not NAME.match(new.name):
            raise Invalid(NAME_RULE, field="name")
        self._check(new)
        await self._database.write(_create, new, self._catalog)

    async def update(self, changed: PrivilegeRow) -> None:
        """Change all but name and type."""
        await self._catalog.refresh()
        self._check(changed)
        await self._database.write(_update, changed, self._catalog)

    async def delete(self, name: str) -> None:
        """The privilege goes, and its name from every role that has it."""
        await self._catalog.refresh()
        await self._database.write(_delete, name, self._catalog)

    def _check(self, wanted: PrivilegeRow) -> None:
        """The words have to be words, and what a privilege on repositories names has to be there."""
        for member, rule in _WORDS.get(wanted.type, {}).items():
            if not rule.fullmatch(str(wanted.properties[member])):
                raise Invalid("has characters that it may not have, or none at all", field=member)
        if wanted.type in _ON_REPOSITORY:
            self._check_place(wanted)

    def _check_place(self, wanted: PrivilegeRow) -> None:
        format, name = str(wanted.properties["format"]), str(wanted.properties["repository"])
        if format != "*" and format not in self._catalog.formats:
            raise Invalid(f"there is no format '{format}'", field="format")
        every = name.removeprefix("*-")
        if name == "*" or (name.startswith("*-") and every in self._catalog.formats and format in ("*", every)):
            return
        found = self._catalog.find(name)
        if found is None:
            raise Invalid(f"there is no repository '{name}'", field="repository")
        if format not in ("*", found.format):
            raise Invalid(f"repository '{name}' is of format {found.format}", field="format")


def _create(tx: Transaction, new: PrivilegeRow, catalog: Catalog) -> None:
    made = {each.name for each in rights.privileges(tx)}
    if new.name in made or builtin_privileges.named(new.name, catalog.formats) is not None:
        raise Invalid(f"Privilege '{new.name}' already exists, use a unique name.")
    _check_selector(tx, new)
    rights.put_privilege(tx, new)


def _update(tx: Transaction, changed: PrivilegeRow, catalog: Catalog) -> None:
    known = _changeable(tx, changed.name, catalog)
    if known.type != changed.type:
        raise Invalid(f"Privilege '{changed.name}' is of type {known.type}.")
    _check_selector(tx, changed)
    rights.put_privilege(tx, changed)


def _delete(tx: Transaction, name: str, catalog: Catalog) -> None:
    rights.remove_privilege(tx, _changeable(tx, name, catalog).name)


def _changeable(tx: Transaction, name: str, catalog: Catalog) -> PrivilegeRow:
    known = _found(name, {each.name: each for each in rights.privileges(tx)}, catalog)
    if known.read_only:
        raise Invalid(f"Privilege '{name}' is read only: it can be neither changed nor removed.")
    return known


def _check_selector(tx: Transaction, wanted: PrivilegeRow) -> None:
    name = str(wanted.properties.get("contentSelector", ""))
    if wanted.type == SELECTING and rights.selector(tx, name) is None:
        raise Invalid(f"there is no content selector '{name}'", field="contentSelector")


def _found(name: str, made: Mapping[str, PrivilegeRow], catalog: Catalog) -> PrivilegeRow:
    found = existing(name, made, catalog)
    if found is None:
        raise PrivilegeNotFound(name)
    return found


def existing(name: str, made: Mapping[str, PrivilegeRow], catalog: Catalog) -> PrivilegeRow | None:
    """The privilege of this name, if there is one now: those of a repository come and go with it."""
    if name in made:
        return made[name]
    found = builtin_privileges.named(name, catalog.formats)
    if found is None or found.properties.get("repository", "*") == "*":
        return found
    repository = catalog.find(str(found.properties["repository"]))
    return found if repository is not None and repository.format == found.properties["format"] else None


# -- what privileges mean ------------------------------------------------------------------------------------------


def grant_of(name: str, *, role: str, formats: Iterable[str], custom: Mapping[str, PrivilegeRow]) -> Grant | None:
    """What a privilege allows; `None` for a name that means nothing."""
    row = custom[name] if name in custom else builtin_privileges.named(name, formats)
    if row is None or (row.type == SELECTING and row.selector is None):
        return None
    pattern = (builtin_privileges.pattern_of(name) if row.read_only else None) or _pattern(row)
    return None if pattern is None else Grant.parse(pattern, privilege=name, role=role, selector=row.selector)


def _pattern(row: PrivilegeRow) -> str | None:
    if row.type == "wildcard":
        return _wildcard(str(row.properties["pattern"]))
    actions = ",".join(_action(row.type, str(each)) for each in row.properties.get("actions", ()))
    if not actions:
        return None
    if row.type in _ON_REPOSITORY:
        format, name = str(row.properties["format"]), str(row.properties["repository"])
        if name.startswith("*-"):
            format, name = name.removeprefix("*-"), "*"
        return f"{_ON_REPOSITORY[row.type]}:{format}:{name}:{actions}"
    if row.type == "script":
        return f"script:{row.properties['scriptName']}:{actions}"
    return f"{row.properties['domain']}:{actions}"


def _wildcard(pattern: str) -> str | None:
    """Everything here is below `nexus`: a pattern that begins otherwise allows nothing."""
    parts = [",".join(word.strip() for word in part.split(",")) for part in pattern.split(":")]
    if not {"nexus", "*"} & set(parts[0].split(",")):
        return None
    return ":".join(parts[1:]) or "*"


def _action(type: str, name: str) -> str:
    if name == "ALL":
        return "*"
    return _STORED.get(name, name.lower()) if type == "application" else name.lower()


def grants_of(
    role_ids: Iterable[str], roles: Mapping[str, Role], *, formats: Iterable[str], custom: Mapping[str, PrivilegeRow]
) -> tuple[Grant, ...]:
    """All grants of some roles and of the roles that they contain."""
    known = tuple(formats)
    found: list[Grant] = []
    for name in contained(role_ids, roles):
        grants = (grant_of(each, role=name, formats=known, custom=custom) for each in roles[name].privileges)
        found.extend(grant for grant in grants if grant is not None)
    return tuple(found)


def contained(role_ids: Iterable[str], roles: Mapping[str, Role]) -> list[str]:
    """Some roles and all that they contain, each once, the nearest first; names of no role are left out."""
    waiting, seen = list(role_ids), dict[str, None]()
    while waiting:
        name = waiting.pop(0)
        if name in seen or name not in roles:
            continue
        seen[name] = None
        waiting.extend(roles[name].roles)
    return list(seen)


def check_known(tx: Transaction, names: Sequence[str], catalog: Catalog, *, but: Iterable[str] = ()) -> None:
    """Raise `Invalid` for a privilege that is not there; `but` may stay although they went."""
    made = {row.name: row for row in rights.privileges(tx)}
    kept = set(but)
    for name in names:
        if name not in kept and existing(name, made, catalog) is None:
            raise Invalid(f"Unable to locate privilegeId: {name}", field="privileges")
