"""What repositories hold, as lists: components and assets page by page, one by its identity, and their removal."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from pakhus.csel import Expression, holds, narrowed
from pakhus.csel.expression import every
from pakhus.database import assets, components
from pakhus.database.transaction import Database
from pakhus.domain.content import Asset, Component
from pakhus.domain.errors import Invalid
from pakhus.domain.repository import Repository
from pakhus.domain.security import Actor, Permission, Reach, may, reach
from pakhus.engine.catalog import Catalog
from pakhus.engine.content import Engine
from pakhus.kit.context import Removal

PAGE = 100
LOOKED = 5000
"""A request looks at so many items for the few that its caller may see; then the page ends early."""
T = TypeVar("T", Component, Asset)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items; `token` asks for the next, `None` at the end. A page may have fewer items than it could."""

    items: Sequence[T]
    token: str | None


class BadToken(Invalid):
    """A continuation token that this server did not give for this list."""

    status = 406


class Contents:
    def __init__(self, database: Database, catalog: Catalog, engine: Engine) -> None:
        self._database = database
        self._catalog = catalog
        self._engine = engine

    async def components(self, repository: Repository, actor: Actor, token: str | None) -> Page[Component]:
        """Components that the actor may browse, with those of their assets that it may browse."""

        async def load(member: Repository, after: int, limit: int, reach: Reach) -> list[Component]:
            return await self._database.read(
                components.page, member.id, member.name, after=after, limit=limit, reach=reach
            )

        return await self._page([repository], actor, token, load, visible)

    async def assets(self, repository: Repository, actor: Actor, token: str | None) -> Page[Asset]:
        return await self._page([repository], actor, token, self._load_assets, visible_asset)

    async def selected(
        self, repositories: Sequence[Repository], actor: Actor, expression: Expression, token: str | None
    ) -> Page[Asset]:
        """Assets that an expression selects, of those that the actor may browse."""

        async def load(member: Repository, after: int, limit: int, reach: Reach) -> list[Asset]:
            both = every([reach, narrowed(expression, member.format)])
            return await self._load_assets(member, after, limit, both)

        def shown(asset: Asset, member: Repository, actor: Actor) -> Asset | None:
            selected = holds(expression, member.format, "/" + asset.path)
            return visible_asset(asset, member, actor) if selected else None

        return await self._page(repositories, actor, token, load, shown)

    async def _load_assets(self, member: Repository, after: int, limit: int, reach: Reach) -> list[Asset]:
        return await self._database.read(assets.page, member.id, member.name, after=after, limit=limit, reach=reach)

    async def _page(
        self,
        repositories: Sequence[Repository],
        actor: Actor,
        token: str | None,
        load: Callable[[Repository, int, int, Reach], Awaitable[list[T]]],
        shown: Callable[[T, Repository, Actor], T | None],
    ) -> Page[T]:
        """Walk the members one after the other, each in the order of its items' identities."""
        start, after = _position(token) if token else (0, 0)
        found: list[T] = []
        looked = 0
        holding = {each.id: each for start in repositories for each in members(self._catalog, start, actor)}
        for _, member in sorted(holding.items()):
            if member.id < start:
                continue
            if member.id != start:
                after = 0
            within = reach(actor, Permission.BROWSE, member)
            while True:
                wanted = PAGE + 1 - len(found)
                loaded = await load(member, after, wanted, within)
                for item in loaded:
                    if len(found) == PAGE:
                        return Page(found, _token(member.id, after))
                    after = item.id
                    if (seen := shown(item, member, actor)) is not None:
                        found.append(seen)
                if len(loaded) < wanted:
                    break
                if (looked := looked + len(loaded)) >= LOOKED:
                    return Page(found, _token(member.id, after))
        return Page(found, None)

    async def component(self, repository: Repository, id: int) -> Component | None:
        return await self._database.read(components.by_id, repository.id, repository.name, id)

    async def asset(self, repository: Repository, id: int) -> Asset | None:
        return await self._database.read(assets.by_id, repository.id, repository.name, id)

    async def below(self, repository: Repository, folder: str, *, limit: int) -> list[Asset]:
        """The assets below a folder (with its slash at the end), or the one that is named so."""
        one = await self._database.read(assets.by_path, repository.id, repository.name, folder.rstrip("/"))
        found = await self._database.read(assets.below, repository.id, repository.name, folder, limit=limit)
        return [*([one] if one is not None else []), *found]

    async def remove(self, repository: Repository, actor: Actor, gone: Sequence[Asset]) -> None:
        """Remove the assets, and the components that are empty then, in one transaction."""
        changes = [Removal(path=asset.path) for asset in gone]
        await self._engine.depositor.apply(self._engine.place(repository, actor), changes)


def members(catalog: Catalog, repository: Repository, actor: Actor) -> list[Repository]:
    """The repositories that hold what a repository shows, as far as the actor may browse them, by identity."""
    found: dict[int, Repository] = {}
    waiting, seen = [repository], set[int]()
    while waiting:
        each = waiting.pop()
        if each.id in seen or not may(actor, Permission.BROWSE, each, None).allowed:
            continue
        seen.add(each.id)
        if each.members:
            inside = (catalog.find(name) for name in each.members)
            waiting.extend(member for member in inside if member is not None)
        else:
            found[each.id] = each
    return [found[id] for id in sorted(found)]


def visible(component: Component, repository: Repository, actor: Actor) -> Component | None:
    """The component with the assets that the actor may browse; `None` without any."""
    seen = [asset for asset in component.assets if visible_asset(asset, repository, actor) is not None]
    if len(seen) == len(component.assets):
        return component
    return replace(component, assets=tuple(seen)) if seen else None


def visible_asset(asset: Asset, repository: Repository, actor: Actor) -> Asset | None:
    return asset if may(actor, Permission.BROWSE, repository, asset.path).allowed else None


def may_know(asset: Asset, repository: Repository, actor: Actor) -> bool:
    """May the actor learn that there is such an asset, by being refused to delete it?"""
    allowed = (may(actor, action, repository, asset.path).allowed for action in (Permission.BROWSE, Permission.DELETE))
    return any(allowed)


# -- identities and tokens -----------------------------------------------------------------------------------------


def identity(repository: str, id: int) -> str:
    """The opaque identity that REST shows: URL-safe base64 of `repository:id`."""
    return base64.urlsafe_b64encode(f"{repository}:{id}".encode()).rstrip(b"=").decode()


def parsed_identity(text: str) -> tuple[str, int] | None:
    """Repository and id; `None` for what is base64 and no identity. Raises `ValueError` for what is not base64."""
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise ValueError(text) from error
    repository, colon, id = plain.rpartition(":")
    if not colon or not repository or not (id.isascii() and id.isdigit()) or len(id) > 18:
        return None
    return repository, int(id)


def _token(repository_id: int, after: int) -> str:
    return identity(str(repository_id), after)


def _position(token: str) -> tuple[int, int]:
    try:
        found = parsed_identity(token)
    except ValueError:
        found = None
    if found is None or not found[0].isdigit() or len(found[0]) > 18:
        raise BadToken("the continuation token is not one of this list")
    return int(found[0]), found[1]
