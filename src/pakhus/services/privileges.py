"""Privileges: names that roles carry, and the grants that they mean. The built-in ones follow from their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pakhus.database.accounts import PrivilegeRow, Role
from pakhus.domain.security import Grant

VIEW_ACTIONS = ("browse", "read", "edit", "add", "delete")
_CRUD = ("create", "read", "update", "delete")
_DOMAINS = {
    "analytics": ("all",),
    "apikey": ("all",),
    "atlas": ("all",),
    "audit": ("all", "read", "update"),
    "blobstores": ("all", *_CRUD),
    "bundles": ("all", "read"),
    "capabilities": ("all", *_CRUD),
    "component": ("upload",),
    "datastores": ("all", *_CRUD),
    "healthcheck": ("read", "update"),
    "healthchecksummary": ("read",),
    "ldap": ("all", *_CRUD),
    "licensing": ("all", "create", "read", "uninstall"),
    "logging": ("all", "create", "read", "update", "mark"),
    "metrics": ("all", "read"),
    "privileges": ("all", *_CRUD),
    "roles": ("all", *_CRUD),
    "search": ("read",),
    "selectors": ("all", *_CRUD),
    "settings": ("all", "read", "update"),
    "ssl-truststore": ("all", *_CRUD),
    "tasks": ("all", *_CRUD, "run", "start", "stop"),
    "tokens": ("all", "create", "read", "delete"),
    "users": ("all", *_CRUD),
    "userschangepw": ("create",),
    "usertoken": ("all", "current", "settings", "users"),
    "webhooks": ("all", *_CRUD),
    "wonderland": ("all", "download"),
}


def grant_of(name: str, *, role: str, formats: Iterable[str], custom: Mapping[str, PrivilegeRow]) -> Grant | None:
    """What a privilege allows; `None` for a name that means nothing."""
    pattern = _custom_pattern(custom[name]) if name in custom else builtin_pattern(name, formats)
    return None if pattern is None else Grant.parse(pattern, privilege=name, role=role)


def builtin_pattern(name: str, formats: Iterable[str]) -> str | None:
    if name == "nx-all":
        return "nexus:*"
    for kind in ("repository-view", "repository-admin"):
        if name.startswith(f"nx-{kind}-"):
            return _repository_pattern(kind, name.removeprefix(f"nx-{kind}-"), formats)
    if name == "nx-userschangepw":
        return "userschangepw:create"
    domain, _, action = name.removeprefix("nx-").rpartition("-")
    if not name.startswith("nx-") or action not in _DOMAINS.get(domain, ()):
        return None
    return f"{domain}:{'*' if action == 'all' else action}"


def _repository_pattern(kind: str, rest: str, formats: Iterable[str]) -> str | None:
    for format in ("*", *sorted(formats, key=len, reverse=True)):
        if rest.startswith(format + "-"):
            repository, dash, action = rest.removeprefix(format + "-").rpartition("-")
            if dash and repository and action in ("*", *VIEW_ACTIONS):
                return f"{kind}:{format}:{repository}:{action}"
    return None


def _custom_pattern(row: PrivilegeRow) -> str | None:
    properties: Mapping[str, Any] = row.properties
    actions = ",".join(_action(each) for each in properties.get("actions", ())) or "*"
    if row.type == "wildcard":
        return str(properties["pattern"])
    if row.type in ("repository-view", "repository-admin"):
        return f"{row.type}:{properties['format']}:{properties['repository']}:{actions}"
    if row.type == "application":
        return f"{properties['domain']}:{actions}"
    return None


def _action(name: str) -> str:
    return "*" if name.upper() == "ALL" else name.lower()


def grants_of(
    role_ids: Iterable[str], roles: Mapping[str, Role], *, formats: Iterable[str], custom: Mapping[str, PrivilegeRow]
) -> tuple[Grant, ...]:
    """All grants of some roles and of the roles that they contain."""
    known = tuple(formats)
    found: list[Grant] = []
    waiting, seen = list(role_ids), set[str]()
    while waiting:
        name = waiting.pop(0)
        role = roles.get(name)
        if role is None or name in seen:
            continue
        seen.add(name)
        waiting.extend(role.roles)
        grants = (grant_of(each, role=name, formats=known, custom=custom) for each in role.privileges)
        found.extend(grant for grant in grants if grant is not None)
    return tuple(found)
