"""The privileges that are always there, and those that come and go with a repository: none is stored.

Names, types, actions and descriptions are Nexus's where its clients rely on them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pakhus.database.rights import PrivilegeRow
from pakhus.domain.repository import Repository

VIEW_ACTIONS = ("browse", "read", "edit", "add", "delete")
SCRIPT_ACTIONS = ("add", "browse", "delete", "edit", "read", "run")
REPOSITORY_KINDS = {"repository-view": "repository views", "repository-admin": "repository administration"}

_CRUD = ("all", "create", "read", "update", "delete")
_DOMAINS: dict[str, tuple[str, ...]] = {
    "analytics": ("all",),
    "apikey": ("all",),
    "atlas": ("all",),
    "audit": ("all", "read", "update"),
    "blobstores": _CRUD,
    "bundles": ("all", "read"),
    "capabilities": _CRUD,
    "component": ("upload",),
    "datastores": _CRUD,
    "healthcheck": ("read", "update"),
    "healthchecksummary": ("read",),
    "ldap": _CRUD,
    "licensing": ("all", "create", "read", "uninstall"),
    "logging": ("all", "create", "read", "update", "mark"),
    "metrics": ("all", "read"),
    "privileges": _CRUD,
    "roles": _CRUD,
    "search": ("read",),
    "selectors": _CRUD,
    "settings": ("all", "read", "update"),
    "ssl-truststore": _CRUD,
    "tasks": (*_CRUD, "run", "start", "stop"),
    "tokens": ("all", "create", "read", "delete"),
    "users": _CRUD,
    "userschangepw": ("create",),
    "usertoken": ("all", "current", "settings", "users"),
    "webhooks": _CRUD,
    "wonderland": ("all", "download"),
}
"""Part of the server → what can be done with it: `nx-<part>-<action>`."""

_SHOWN = {
    "all": ("ALL",),
    "create": ("ADD", "READ"),
    "read": ("READ",),
    "update": ("EDIT", "READ"),
    "delete": ("DELETE", "READ"),
    "run": ("START", "READ"),
    "start": ("START", "READ"),
    "stop": ("STOP", "READ"),
    "upload": ("ADD",),
    "uninstall": ("DELETE", "READ"),
    "mark": ("ADD", "READ"),
    "download": ("READ",),
    "current": ("READ",),
    "settings": ("READ", "EDIT"),
    "users": ("READ", "EDIT"),
}
"""Action → the actions that the privilege shows: who may change something also has to see it."""

_ALONE = {
    "component": "component:upload,create",
    "usertoken": "usertoken:{action}",
    "wonderland": "wonderland:{action}",
}
"""Parts whose actions are no changes or reads of a list: their patterns name the action itself."""

_CHANGE_PASSWORD = PrivilegeRow(
    "nx-userschangepw",
    "application",
    "Change password permission",
    True,
    {"domain": "userschangepw", "actions": ("ADD", "READ")},
)
_ALL = PrivilegeRow("nx-all", "wildcard", "All permissions", True, {"pattern": "nexus:*"})


def everything(formats: Iterable[str], repositories: Iterable[Repository]) -> Iterator[PrivilegeRow]:
    """All built-in privileges of a server with these formats and repositories."""
    yield _ALL
    yield _CHANGE_PASSWORD
    for domain, actions in _DOMAINS.items():
        yield from (_application(domain, action) for action in actions)
    for action in ("*", *SCRIPT_ACTIONS):
        yield _script(action)
    places = [("*", "*"), *((format, "*") for format in formats), *((each.format, each.name) for each in repositories)]
    for kind in REPOSITORY_KINDS:
        for format, name in places:
            yield from (_on_repository(kind, format, name, action) for action in ("*", *VIEW_ACTIONS))


def of_repository(repository: Repository) -> list[str]:
    """The names of the privileges that go with a repository."""
    return [
        f"nx-{kind}-{repository.format}-{repository.name}-{action}"
        for kind in REPOSITORY_KINDS
        for action in ("*", *VIEW_ACTIONS)
    ]


def named(name: str, formats: Iterable[str]) -> PrivilegeRow | None:
    """The built-in privilege of this name, whether or not a repository that it names is there."""
    if name in (_ALL.name, _CHANGE_PASSWORD.name):
        return _ALL if name == _ALL.name else _CHANGE_PASSWORD
    for kind in REPOSITORY_KINDS:
        if name.startswith(f"nx-{kind}-"):
            return _named_on_repository(kind, name.removeprefix(f"nx-{kind}-"), formats)
    if name.startswith("nx-script-*-"):
        action = name.removeprefix("nx-script-*-")
        return _script(action) if action in ("*", *SCRIPT_ACTIONS) else None
    domain, _, action = name.removeprefix("nx-").rpartition("-")
    if not name.startswith("nx-") or action not in _DOMAINS.get(domain, ()):
        return None
    return _application(domain, action)


def pattern_of(name: str) -> str | None:
    """What a privilege of an application means where that is not what its actions say."""
    domain, _, action = name.removeprefix("nx-").rpartition("-")
    if domain == "tasks" and action == "run":
        return "tasks:run,start,read"
    return _ALONE[domain].format(action=action) if domain in _ALONE and action != "all" else None


def _application(domain: str, action: str) -> PrivilegeRow:
    label = domain.replace("-", " ").title()
    description = f"{action.capitalize()} permissions for {label}"
    properties = {"domain": domain, "actions": _SHOWN[action]}
    return PrivilegeRow(f"nx-{domain}-{action}", "application", description, True, properties)


def _script(action: str) -> PrivilegeRow:
    shown = ("ALL",) if action == "*" else tuple(dict.fromkeys((action.upper(), "READ")))
    shown = ("BROWSE", "READ") if action == "browse" else shown
    description = f"{'All' if action == '*' else action.capitalize()} permissions for Scripts"
    return PrivilegeRow(f"nx-script-*-{action}", "script", description, True, {"scriptName": "*", "actions": shown})


def _on_repository(kind: str, format: str, name: str, action: str) -> PrivilegeRow:
    shown = "ALL" if action == "*" else action.upper()
    what = "All privileges" if action == "*" else f"{action.capitalize()} privilege"
    if format == "*":
        where = f"all {REPOSITORY_KINDS[kind]}"
    else:
        where = f"all '{format}'-format {REPOSITORY_KINDS[kind]}" if name == "*" else f"{name} {REPOSITORY_KINDS[kind]}"
    properties = {"format": format, "repository": name, "actions": (shown,)}
    return PrivilegeRow(f"nx-{kind}-{format}-{name}-{action}", kind, f"{what} for {where}", True, properties)


def _named_on_repository(kind: str, rest: str, formats: Iterable[str]) -> PrivilegeRow | None:
    for format in ("*", *sorted(formats, key=len, reverse=True)):
        if rest.startswith(format + "-"):
            repository, dash, action = rest.removeprefix(format + "-").rpartition("-")
            if dash and repository and action in ("*", *VIEW_ACTIONS):
                return _on_repository(kind, format, repository, action)
    return None
