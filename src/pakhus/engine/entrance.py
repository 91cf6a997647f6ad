"""What actions get to hold that need no repository: who asks, tokens for them, and what they may see."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from pakhus.domain.errors import Blocked, Unavailable
from pakhus.domain.repository import Repository
from pakhus.domain.security import Actor, Permission, may
from pakhus.engine.found import Visit
from pakhus.engine.request import Entering, Request
from pakhus.kit.context import Context, Granted, Headers, Scope
from pakhus.kit.format import Document, Format

if TYPE_CHECKING:
    from pakhus.engine.content import Engine

Model = TypeVar("Model")


class Sessions(Protocol):
    """How a protocol's own login reaches the accounts."""

    async def login(self, username: str, password: str, *, label: str, address: str, format: str = "") -> str:
        """A new token. Raises `Unauthenticated`."""
        ...

    async def logout(self, token: str) -> None: ...

    async def by_password(self, username: str, password: str, address: str, *, format: str = "") -> Actor: ...

    async def by_offline(self, token: str, address: str) -> Actor:
        """Whom a token that `offline` gave speaks of."""
        ...

    async def grant(self, actor: Actor, scopes: Sequence[Located], secret: str) -> tuple[str, int]:
        """A short-lived token of the actor, who came with this secret, for these scopes, and its seconds."""
        ...

    async def offline(self, actor: Actor) -> str:
        """A long-lived token that is good for `grant` only. Raises `Unauthenticated` for anonymous."""
        ...


@dataclass(frozen=True, slots=True)
class Located:
    """A scope inside a repository: a path, or all below a folder (which ends with a slash)."""

    repository: Repository
    path: str
    permissions: tuple[Permission, ...]


class EntranceHandle:
    """`kit.Entrance`: what needs no repository."""

    def __init__(self, engine: Engine, format: Format, request: Request | Entering) -> None:
        self._engine = engine
        self._format = format
        self._asked = request

    @property
    def user(self) -> str | None:
        return None if self._asked.actor.anonymous else self._asked.actor.user

    @property
    def identified(self) -> bool:
        return self._asked.actor.passing or not self._asked.actor.anonymous

    async def grant(
        self, scopes: Sequence[Scope], *, username: str = "", password: str = "", offline: str = ""
    ) -> Granted:
        sessions, actor = self._engine.sessions, self._asked.actor
        if offline:
            actor = await sessions.by_offline(offline, actor.address)
        elif password:
            actor = await sessions.by_password(username, password, actor.address, format=self._format.name)
        allowed, located = [], []
        for scope in scopes:
            place = self._asked.locate(scope.path)
            found = None if place is None else self._engine.catalog.find(place[0])
            if place is None or found is None or found.format != self._format.name:
                continue
            if actor.anonymous and not self._format.open_to_anonymous(self._engine.catalog.options(found)):
                continue
            able = [each for each in scope.permissions if may(actor, each, found, place[1]).allowed]
            if able:
                allowed.append(Scope(scope.path, tuple(able)))
                located.append(Located(found, place[1], tuple(able)))
        token, seconds = await sessions.grant(actor, located, password or _secret(self._asked.headers))
        has_account = not (actor.anonymous or actor.transient)
        return Granted(token, seconds, allowed, await sessions.offline(actor) if has_account else "")

    def repositories(self, path: str) -> Sequence[str]:
        catalog, actor = self._engine.catalog, self._asked.actor
        return [
            each.name
            for each in catalog.everything()
            if each.format == self._format.name
            and each.online
            and any(mount.enabled(catalog.options(each)) for mount in self._format.mounts)
            and may(actor, Permission.READ, each, path).allowed
        ]

    async def model_of(self, repository: str, document: Document[Model]) -> Model | None:
        found = self._engine.catalog.get(repository)
        options = self._engine.catalog.options(found)
        ctx = Context(found.name, document.path, {}, {}, document.media_types[0], options, lambda path: path)
        try:
            edition = await self._engine.edition(found, document, ctx, Visit(self._asked.actor))
            return None if edition is None else cast("Model | None", await self._engine.model(edition, document, ctx))
        except (Unavailable, Blocked):
            return None


def _secret(headers: Headers) -> str:
    """What a request showed to say who it is: the password of Basic credentials, or a token."""
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return rest.strip()
    try:
        return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        return ""
