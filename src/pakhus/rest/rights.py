"""Who may call a route: each route declares one right, and a test refuses routes without.

A right is a dependency, decided before the body is read. Anonymous callers who lack it are told to log in (401),
known ones are refused (403).
"""

from __future__ import annotations

from typing import Annotated, Any, cast

from fastapi import Depends, Request

from pakhus.domain.errors import Forbidden, Unauthenticated
from pakhus.domain.repository import Repository
from pakhus.domain.security import ANY_NAME, Actor, Decision, Permission, may, permits
from pakhus.rest.problems import bare
from pakhus.services.services import Services


def services_of(request: Request) -> Services:
    return cast(Services, request.app.state.services)


def actor_of(request: Request) -> Actor:
    """Who asks; the gateway found out."""
    return cast(Actor, request.state.actor)


def base_url_of(request: Request) -> str:
    """The server's URL as the client wrote it, without trailing slash."""
    return str(request.state.base_url)


async def _services(request: Request) -> Services:
    return services_of(request)


async def _actor(request: Request) -> Actor:
    return actor_of(request)


async def _base_url(request: Request) -> str:
    return base_url_of(request)


Here = Annotated[Services, Depends(_services)]
Caller = Annotated[Actor, Depends(_actor)]
BaseUrl = Annotated[str, Depends(_base_url)]


class Right:
    """What a caller of a route needs."""

    async def __call__(self, request: Request) -> object:
        raise NotImplementedError


class OpenToAll(Right):
    """Nothing: the route is public, or shows each caller what it may see."""

    async def __call__(self, request: Request) -> None:
        return None


class Needs(Right):
    """An application privilege (`users`, `read`); `{name}` stands for the path's parameter."""

    def __init__(self, *wanted: str) -> None:
        self.wanted = wanted

    async def __call__(self, request: Request) -> None:
        wanted = [request.path_params[part[1:-1]] if part.startswith("{") else part for part in self.wanted]
        require(actor_of(request), permits(actor_of(request), wanted))


class Creating(Right):
    """An administrator's right to add some repository of a format: `check` asks for the one that the body names."""

    def __init__(self, format: str) -> None:
        self.format = format

    async def __call__(self, request: Request) -> None:
        require(actor_of(request), permits(actor_of(request), ("repository-admin", self.format, ANY_NAME, "add")))

    def check(self, actor: Actor, name: str) -> None:
        require(actor, permits(actor, ("repository-admin", self.format, name, "add")))


class SignedIn(Right):
    """An account, not narrowed by its token: a token must not make another one that may do more."""

    async def __call__(self, request: Request) -> Actor:
        actor = actor_of(request)
        if actor.anonymous:
            raise Unauthenticated("log in first")
        if actor.limits is not None:
            raise Forbidden(f"token '{actor.token}' is scoped: it cannot manage tokens")
        return actor


class OnRepository(Right):
    """A permission on some path at least of the repository that a parameter names: unknown is 404, missing 422."""

    def __init__(self, *actions: Permission, parameter: str = "repository") -> None:
        self.actions = actions
        self.parameter = parameter

    async def __call__(self, request: Request) -> Repository:
        name = request.path_params.get(self.parameter) or request.query_params.get(self.parameter)
        if not name:
            raise bare(422)
        found = services_of(request).catalog.find(name)
        if found is None:
            raise bare(404)
        return permitted(actor_of(request), found, *self.actions)


def needs(*wanted: str) -> list[Any]:
    return [Depends(Needs(*wanted))]


OPEN_TO_ALL = [Depends(OpenToAll())]


def permitted(actor: Actor, repository: Repository, *actions: Permission) -> Repository:
    """The repository, if the actor may do one of these things somewhere in it."""
    decisions = [may(actor, action, repository, None) for action in actions]
    require(actor, next((each for each in decisions if each.allowed), decisions[0]))
    return repository


def require(actor: Actor, decision: Decision) -> None:
    """Raise `Unauthenticated` or `Forbidden` unless the decision allows."""
    if decision.allowed:
        return
    if actor.anonymous:
        raise Unauthenticated(decision.reason)
    raise Forbidden(decision.reason)
