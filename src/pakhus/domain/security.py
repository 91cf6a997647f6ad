"""Who may do what: one function, `may`, decides for every path, and says why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeAlias

from pakhus.csel import Expression, holds
from pakhus.csel.expression import either, every, narrowed
from pakhus.domain.errors import Forbidden, OutOfScope
from pakhus.domain.repository import Repository


class Permission(StrEnum):
    """The actions on what a repository holds."""

    BROWSE = "browse"
    READ = "read"
    EDIT = "edit"
    ADD = "add"
    DELETE = "delete"


ANY_NAME = "\0any name"
"""Stands, where something is wanted, for whichever name a grant has there; this object, not what equals it."""

Reach: TypeAlias = Expression | bool
"""Which paths: all, none, or those for which an expression holds."""


@dataclass(frozen=True, slots=True)
class ContentSelector:
    """Some paths of some formats, by an expression in CSEL; `text` is the expression as it was written."""

    name: str
    text: str
    expression: Expression
    description: str = ""

    def selects(self, format: str, path: str | None) -> bool:
        """`path` has its leading slash; `None` asks whether some path of the format may be selected at all."""
        if path is None:
            return narrowed(self.expression, format) is not False
        return holds(self.expression, format, path)


@dataclass(frozen=True, slots=True)
class Grant:
    """One thing that is allowed: colon-separated parts, each a set of words or `*`.

    `repository-view:maven2:releases:read,browse` allows two actions on one repository; a shorter grant implies all
    that follows it. `privilege` names where it comes from; `selector` narrows it to some paths.
    """

    parts: tuple[frozenset[str], ...]
    privilege: str = ""
    role: str = ""
    selector: ContentSelector | None = None

    @classmethod
    def parse(
        cls, pattern: str, *, privilege: str = "", role: str = "", selector: ContentSelector | None = None
    ) -> Grant:
        parts = tuple(frozenset(part.split(",")) for part in pattern.split(":"))
        return cls(parts, privilege, role, selector)

    def implies(self, wanted: Sequence[str]) -> bool:
        for position, word in enumerate(wanted):
            if position >= len(self.parts):
                return True
            part = self.parts[position]
            if "*" not in part and word not in part and word is not ANY_NAME:
                return False
        return all("*" in part for part in self.parts[len(wanted) :])


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: a user with the grants of all its roles, perhaps narrowed by the token it came with.

    `limits` (from a token's scopes) must also imply an action; `None` is no limit. A `passing` actor came with a
    short-lived token, and can get another one for another scope. A `transient` one has no account.
    """

    user: str
    grants: tuple[Grant, ...] = ()
    limits: tuple[Grant, ...] | None = None
    anonymous: bool = False
    source: str = "default"
    token: str = ""
    address: str = ""
    roles: tuple[str, ...] = ()
    passing: bool = False
    transient: bool = False

    def behind(self) -> Actor:
        """The actor at a group's members: a token that is good for the group is good for what lies behind it.

        The user's own rights count there all the same.
        """
        return self if self.limits is None else replace(self, limits=None)


@dataclass(frozen=True, slots=True)
class Step:
    """One rule that was asked, and what it said."""

    rule: str
    allowed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome, the steps that led to it, and what would change it."""

    allowed: bool
    reason: str
    steps: tuple[Step, ...] = ()
    remedy: str = field(default="")
    out_of_scope: bool = False
    """The actor may, but not with the token that it came with."""


def permits(actor: Actor, wanted: Sequence[str], *, format: str = "", path: str | None = None) -> Decision:
    """May the actor do `wanted` (`("users", "read")`, `("repository-view", format, repository, action)`)?"""
    steps: list[Step] = []
    found = _implying(actor.grants, wanted, format, path, steps)
    name = ":".join(wanted)
    if found is None:
        who = "anonymous" if actor.anonymous else f"user '{actor.user}'"
        where = "" if path is None or not steps else f" for /{path}"
        return Decision(False, f"{who} lacks {name}{where}", tuple(steps), f"a role with a privilege for {name}{where}")
    if actor.limits is not None and _implying(actor.limits, wanted, format, path, steps, kind="scope") is None:
        reason = f"token '{actor.token}' is not scoped for {name}"
        return Decision(False, reason, tuple(steps), "a token with that scope", out_of_scope=True)
    return Decision(True, f"privilege '{found.privilege}' of role '{found.role}'", tuple(steps))


def refusal(decision: Decision) -> Forbidden:
    """What to raise for a decision that does not allow."""
    return OutOfScope(decision.reason) if decision.out_of_scope else Forbidden(decision.reason)


def may(actor: Actor, action: Permission, repository: Repository, path: str | None) -> Decision:
    """The one place where access to what a repository holds is decided.

    `path` is canonical, without leading slash; `None` asks for some path at least (listing repositories).
    """
    wanted = ("repository-view", repository.format, repository.name, action.value)
    return permits(actor, wanted, format=repository.format, path=path)


def reach(actor: Actor, action: Permission, repository: Repository) -> Reach:
    """On which paths `may` says yes: for lists, which ask the database for those alone."""
    wanted = ("repository-view", repository.format, repository.name, action.value)
    sets = [actor.grants] if actor.limits is None else [actor.grants, actor.limits]
    return every(
        either(_paths(grant, repository.format) for grant in grants if grant.implies(wanted)) for grants in sets
    )


def _paths(grant: Grant, format: str) -> Reach:
    return True if grant.selector is None else narrowed(grant.selector.expression, format)


def _implying(
    grants: Iterable[Grant],
    wanted: Sequence[str],
    format: str,
    path: str | None,
    steps: list[Step],
    *,
    kind: str = "privilege",
) -> Grant | None:
    for grant in grants:
        if not grant.implies(wanted):
            continue
        if grant.selector is None or grant.selector.selects(format, None if path is None else "/" + path):
            steps.append(Step(f"{kind} {grant.privilege}", True, "allows it"))
            return grant
        reason = f"would allow it, but its content selector '{grant.selector.name}' does not select this path"
        steps.append(Step(f"{kind} {grant.privilege}", False, reason))
    return None
