"""Who asks, and a model of what each may do that is written apart from the one of the server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

ALL_PATHS, NO_PATH = 'path =^ "/"', 'path =^ "/never-asked-for/"'


@dataclass(frozen=True)
class Caller:
    """`patterns` are what it may do, as wildcard permissions; `selector` narrows all. `refused`: no valid login."""

    name: str
    patterns: tuple[str, ...] = ()
    selector: str = ""
    anonymous: bool = False
    refused: bool = False
    narrowed: bool = False
    token: str = ""

    def may(self, wanted: Sequence[str], path: str | None = None) -> bool:
        if path is not None and self.selector == NO_PATH:
            return False
        return any(_implies(pattern, wanted) for pattern in self.patterns)

    def with_token(self, token: str) -> Caller:
        return replace(self, token=token)


def _implies(pattern: str, wanted: Sequence[str]) -> bool:
    parts = [part.split(",") for part in pattern.split(":")]
    for position, word in enumerate(wanted):
        if position == len(parts):
            return True
        if "*" not in parts[position] and word not in parts[position] and word != "any":
            return False
    return all("*" in part for part in parts[len(wanted) :])


def callers(here: Sequence[str], there: Sequence[str]) -> list[Caller]:
    """Each kind that there is. `here` are the repositories that are asked for, `there` others."""
    names, others = ",".join(here), ",".join(there)
    return [
        Caller("anonymous", anonymous=True),
        Caller("nobody", ("apikey:*",)),
        Caller("reader", (f"repository-view:*:{names}:browse,read", "search:read")),
        Caller("writer", (f"repository-view:*:{names}:add,edit",)),
        Caller("elsewhere", (f"repository-view:*:{others}:*", f"repository-admin:*:{others}:*", "search:read")),
        Caller("selected", ("repository-view:*:*:*",), ALL_PATHS),
        Caller("unselected", ("repository-view:*:*:*",), NO_PATH),
        Caller("expired", refused=True),
        Caller("disabled", refused=True),
        Caller("narrowed", ("repository-view:*:*:browse,read", "search:read"), narrowed=True),
        Caller("admin", ("*",)),
    ]
