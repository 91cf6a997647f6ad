"""Why somebody may do something, or not: the checks of the request path, in its order, with none of its effects.

Each check is made by the function that a request is checked with. A request ends at the first refusal; here all checks
are made, so that everything which stands in the way is told, with the change that would clear it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pakhus.database import assets
from pakhus.domain.errors import Blocked, NotAllowed, NotFound, PakhusError
from pakhus.domain.repository import Repository, RepositoryType
from pakhus.domain.security import Actor, Decision, Permission, Step, may
from pakhus.engine.content import Engine
from pakhus.engine.deposit import admit_removal, admit_write
from pakhus.engine.found import Visit
from pakhus.kit.context import Context
from pakhus.kit.format import Action, File, Format, Route
from pakhus.kit.paths import flaw

READING = frozenset({Permission.READ, Permission.BROWSE})
METHODS = {Permission.READ: "GET", Permission.ADD: "PUT", Permission.EDIT: "PUT", Permission.DELETE: "DELETE"}


@dataclass(frozen=True, slots=True)
class Change:
    """Something an administrator can do; `about` names the things by their kind."""

    kind: str
    text: str
    about: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """One rule that a request meets on its way: where, what it said, and what would let the request pass."""

    rule: str
    subject: str
    allowed: bool
    reason: str
    details: tuple[Step, ...] = ()
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """All checks in order. `changes` are the fewest that would make the answer yes; none, when it is."""

    allowed: bool
    checks: tuple[Check, ...] = ()
    changes: tuple[Change, ...] = field(default=())


class Inquiry:
    """What one actor may do; `by` asks, and is told of what is there only where it may browse."""

    def __init__(self, engine: Engine, actor: Actor, *, by: Actor) -> None:
        self._engine = engine
        self._actor = actor
        self._by = by

    async def answer(self, action: Permission, repository: Repository, path: str) -> Answer:
        """`path` is decoded, without leading slash; empty for the repository as such."""
        format = self._engine.catalog.format(repository)
        if path and (problem := flaw(path)) is not None:
            return Answer(False, (Check("path", path, False, problem),))
        path = format.canonical(path)
        if action in READING:
            return self._read(action, repository, format, path, Visit(self._actor))
        return await self._write(action, repository, format, path)

    # -- reading -------------------------------------------------------------------------------------------------

    def _read(self, action: Permission, repository: Repository, format: Format, path: str, visit: Visit) -> Answer:
        checks = [_online(repository), self._permission(action, repository, path)]
        if action is Permission.READ:
            checks.append(self._route(format, repository, path))
        if repository.type is not RepositoryType.GROUP:
            return _all_of(checks)
        inside = visit.entering(repository.id)
        answers = [
            self._read(action, member, format, path, inside)
            for name in repository.members
            if (member := self._engine.catalog.find(name)) is not None and member.id not in inside.behind
        ]
        return _one_of(checks, repository, answers)

    def _route(self, format: Format, repository: Repository, path: str) -> Check:
        """Is it a path of the format, and do routing rule and settings let it through?"""
        try:
            route, params = format.match("GET", path)
        except NotFound as error:
            if not path or path.endswith("/"):
                return Check("route", repository.name, True, "a folder, shown as far as one may browse it")
            return Check("route", repository.name, False, error.message)
        except NotAllowed as error:
            return Check("route", repository.name, False, error.message)
        if isinstance(route, Action) or not hasattr(route, "admit"):
            return Check("route", repository.name, True, f"GET {route.path}")
        return self._admission(route, repository, _context(self._engine, repository, path, params))

    def _admission(self, route: Route, repository: Repository, ctx: Context) -> Check:
        rule = repository.routing_rule
        try:
            inside = self._engine.inside(repository, route, ctx)  # type: ignore[arg-type]
        except Blocked as error:
            name = "" if rule is None else rule.name
            change = Change("routing-rule", f"let routing rule '{name}' pass /{ctx.path}", (("routingRule", name),))
            return Check("routing rule", repository.name, False, error.message, change=change)
        if inside is None:
            return Check("settings", repository.name, False, f"the repository's settings refuse {ctx.path}")
        reason = f"GET {route.path}" + ("" if rule is None else f", passed by routing rule '{rule.name}'")
        return Check("route", repository.name, True, reason)

    # -- writing -------------------------------------------------------------------------------------------------

    async def _write(self, action: Permission, repository: Repository, format: Format, path: str) -> Answer:
        online = _online(repository)
        try:
            target = self._engine.writable(repository)
        except NotAllowed as error:
            refused = Check("type", repository.name, False, error.message)
            return _all_of([online, self._permission(action, repository, path), refused])
        checks = [online, self._permission(action, target, path)]
        if target.id != repository.id:
            # On the way to where paths are known, the right to edit lets an addition pass as well.
            passing = action is Permission.ADD and may(self._actor, Permission.EDIT, repository, path).allowed
            way = self._permission(Permission.EDIT if passing else action, repository, path)
            checks = [online, way, _online(target), checks[1]]
        checks.append(await self._policy(action, target, format, path))
        return _all_of(checks)

    async def _policy(self, action: Permission, target: Repository, format: Format, path: str) -> Check:
        policy = target.write_policy.value
        known = None
        if may(self._by, Permission.BROWSE, target, path).allowed:
            known = await self._engine.database.read(assets.by_path, target.id, target.name, path)
        try:
            if action is Permission.DELETE:
                admit_removal(target, path)
            else:
                admit_write(target, path, exists=known is not None, rewritable=self._rewritable(target, format, path))
        except PakhusError as error:
            change = Change(
                "write-policy", f"set the write policy of '{target.name}' to ALLOW", (("repository", target.name),)
            )
            return Check("write policy", target.name, False, error.message, change=change)
        there = "is there" if known is not None else "is not there, or not to be seen by who asks"
        return Check("write policy", target.name, True, f"{policy}: /{path} {there}")

    def _rewritable(self, target: Repository, format: Format, path: str) -> bool:
        try:
            route, params = format.match("GET", path)
        except PakhusError:
            return False
        return isinstance(route, File) and route.rewritable(_context(self._engine, target, path, params))

    # -- rights --------------------------------------------------------------------------------------------------

    def _permission(self, action: Permission, repository: Repository, path: str) -> Check:
        decision = may(self._actor, action, repository, path or None)
        change = None if decision.allowed else self._remedy(decision, action, repository, path)
        return Check("permission", repository.name, decision.allowed, decision.reason, decision.steps, change)

    def _remedy(self, decision: Decision, action: Permission, repository: Repository, path: str) -> Change:
        """A selector that nearly allows it is widened; otherwise one privilege is missing."""
        wanted = ("repository-view", repository.format, repository.name, action.value)
        grants = [each for each in self._actor.grants if each.implies(wanted)]
        if any(each.selector is None or each.selector.selects(repository.format, "/" + path) for each in grants):
            return Change("token", f"use a token with the scope for {action.value}", (("token", self._actor.token),))
        if grants and path and (selector := grants[0].selector) is not None:
            text = f"let content selector '{selector.name}' (of privilege '{grants[0].privilege}') select /{path}"
            return Change("content-selector", text, (("contentSelector", selector.name), ("path", f"/{path}")))
        privilege = f"nx-repository-view-{repository.format}-{repository.name}-{action.value}"
        text = f"give a role of user '{self._actor.user}' the privilege '{privilege}'"
        return Change("privilege", text, (("privilege", privilege), ("user", self._actor.user)))


def _online(repository: Repository) -> Check:
    if repository.online:
        return Check("repository", repository.name, True, f"{repository.type.value}, {repository.format}, online")
    change = Change("online", f"bring repository '{repository.name}' online", (("repository", repository.name),))
    return Check("repository", repository.name, False, "Repository offline", change=change)


def _all_of(checks: Sequence[Check]) -> Answer:
    refusals = [each for each in checks if not each.allowed]
    changes = tuple(each.change for each in refusals if each.change is not None)
    return Answer(not refusals, tuple(checks), changes if len(changes) == len(refusals) else ())


def _one_of(checks: Sequence[Check], group: Repository, answers: Sequence[Answer]) -> Answer:
    """The group's own checks, and one member at least whose checks all pass."""
    own = _all_of(checks)
    inside = tuple(check for answer in answers for check in answer.checks)
    if any(answer.allowed for answer in answers):
        walk = Check("members", group.name, True, "one member at least can be asked")
        return Answer(own.allowed, (*own.checks, *inside, walk), own.changes)
    nearest = min((each for each in answers if each.changes), key=lambda each: len(each.changes), default=None)
    walk = Check("members", group.name, False, "no member can be asked")
    possible = nearest is not None and (own.allowed or own.changes)
    changes = (*own.changes, *nearest.changes) if nearest is not None and possible else ()
    return Answer(False, (*own.checks, *inside, walk), changes)


def _context(engine: Engine, repository: Repository, path: str, params: Any) -> Context:
    return Context(
        repository=repository.name,
        path=path,
        params=params,
        query={},
        accept="",
        settings=engine.catalog.options(repository),
        link=lambda inner: inner,
    )
