"""Tags, and what is done with all that a search finds: tagged, moved to another repository, removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pakhus.database import tags
from pakhus.database.tags import Tag
from pakhus.database.transaction import Database
from pakhus.domain.content import Component
from pakhus.domain.errors import Invalid, NotFound
from pakhus.domain.repository import NAME, NAME_RULE, Repository
from pakhus.domain.security import Actor
from pakhus.engine.catalog import Catalog
from pakhus.engine.content import Engine
from pakhus.engine.promotion import Promotion
from pakhus.kit.context import Removal
from pakhus.services.contents import Page
from pakhus.services.search import Search

PAGE = 100
MOST = 5000
"""More components than this are not changed by one request."""
Parameters = Mapping[str, str]


class Tags:
    def __init__(self, database: Database, catalog: Catalog, engine: Engine, search: Search) -> None:
        self._database = database
        self._catalog = catalog
        self._engine = engine
        self._search = search

    async def page(self, token: str | None) -> Page[Any]:
        """A hundred tags; the token is the name of the last one."""
        found = await self._database.read(tags.page, after=token or "", limit=PAGE + 1)
        return Page(found[:PAGE], found[PAGE - 1].name if len(found) > PAGE else None)

    async def get(self, name: str) -> Tag:
        found = await self._database.read(tags.get, name)
        if found is None:
            raise NotFound(f"Tag '{name}' not found.")
        return found

    async def create(self, name: str, attributes: Mapping[str, Any]) -> Tag:
        if not NAME.match(name):
            raise Invalid(NAME_RULE, field="name")
        made = await self._database.write(tags.create, name, attributes)
        if made is None:
            raise Invalid("Name is already used, must be unique", field="name")
        return made

    async def change(self, name: str, attributes: Mapping[str, Any]) -> Tag:
        if not await self._database.write(tags.change, name, attributes):
            raise NotFound(f"Tag '{name}' not found.")
        return await self.get(name)

    async def delete(self, name: str) -> None:
        """The tag goes, the components that had it stay."""
        if not await self._database.write(tags.remove, name):
            raise NotFound(f"Tag '{name}' not found.")

    async def associate(self, name: str, actor: Actor, parameters: Parameters) -> list[Component]:
        """Give the tag to what the search finds."""
        await self.get(name)
        found = await self._found(actor, parameters)
        await self._database.write(tags.associate, name, [each.id for each in found])
        return found

    async def dissociate(self, name: str, actor: Actor, parameters: Parameters) -> list[Component]:
        await self.get(name)
        found = await self._found(actor, {**parameters, "tag": name})
        await self._database.write(tags.dissociate, name, [each.id for each in found])
        return found

    async def delete_found(self, actor: Actor, parameters: Parameters) -> list[Component]:
        """Remove what the search finds: all of it, or, where something may not go, nothing of that repository."""
        found = await self._found(actor, parameters)
        for repository, group in self._by_repository(found):
            changes = [Removal(path=asset.path) for each in group for asset in each.assets]
            await self._engine.depositor.apply(self._engine.place(repository, actor), changes)
        return found

    async def move(self, destination: str, actor: Actor, parameters: Parameters) -> list[Component]:
        """Move what the search finds to another hosted repository of the same format."""
        target = self._catalog.get(destination)
        found = [each for each in await self._found(actor, parameters) if each.repository != destination]
        for repository, group in self._by_repository(found):
            if repository.format != target.format:
                raise Invalid(f"{repository.name} and {target.name} are of different formats")
            await Promotion(self._database, self._engine).move(repository, self._engine.writable(target), actor, group)
        return found

    async def _found(self, actor: Actor, parameters: Parameters) -> list[Component]:
        """All that the search finds. Raises `Invalid` without a condition, or where it is too much, or nothing."""
        asked = {name: value for name, value in parameters.items() if name not in ("sort", "direction", "timeout")}
        if not any(asked.values()):
            raise Invalid("Search criteria are needed to say what is meant")
        found: list[Component] = []
        while True:
            page = await self._search.components(actor, asked)
            found.extend(page.items)
            if len(found) > MOST:
                raise Invalid(f"the search finds more than {MOST} components")
            if page.token is None:
                break
            asked["continuationToken"] = page.token
        if not found:
            raise NotFound("No components found")
        return found

    def _by_repository(self, found: Sequence[Component]) -> list[tuple[Repository, list[Component]]]:
        groups: dict[str, list[Component]] = {}
        for each in found:
            groups.setdefault(each.repository, []).append(each)
        return [(self._catalog.get(name), group) for name, group in groups.items()]
