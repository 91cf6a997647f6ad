"""Content selectors: expressions that narrow privileges to some paths. Made, changed, removed, tried out."""

from __future__ import annotations

from pakhus.csel import Unsupported, parsed
from pakhus.database import rights
from pakhus.database.rights import SELECTING
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.content import Asset
from pakhus.domain.errors import Invalid, NotFound
from pakhus.domain.repository import NAME, NAME_RULE, Repository
from pakhus.domain.security import Actor, ContentSelector
from pakhus.engine.catalog import Catalog
from pakhus.services.contents import Contents, Page

DUPLICATE = "A selector with the same name already exists. Name must be unique."


class SelectorNotFound(NotFound):
    def __init__(self, name: str) -> None:
        super().__init__(f"No selector found for {name}")


class Selectors:
    def __init__(self, database: Database, catalog: Catalog, contents: Contents) -> None:
        self._database = database
        self._catalog = catalog
        self._contents = contents

    async def everything(self) -> list[ContentSelector]:
        return await self._database.read(rights.selectors)

    async def get(self, name: str) -> ContentSelector:
        return await self._database.read(_get, name)

    async def create(self, name: str, text: str, description: str) -> None:
        if not NAME.match(name):
            raise Invalid(NAME_RULE, field="name")
        await self._database.write(_create, _made(name, text, description))

    async def update(self, name: str, text: str, description: str) -> None:
        """What the privileges with this selector allow changes with it."""
        await self.get(name)
        await self._database.write(_update, _made(name, text, description))

    async def delete(self, name: str) -> None:
        """Refused while a privilege is narrowed by it: that would allow nothing then."""
        await self._database.write(_delete, name)

    async def preview(self, actor: Actor, text: str, repository: str, token: str | None) -> Page[Asset]:
        """What an expression selects of what the actor may browse, page by page.

        In a repository, in all of a format (`*-npm`), or in all (`*`).
        """
        expression = _made("preview", text, "").expression
        await self._catalog.refresh()
        return await self._contents.selected(self._repositories(repository), actor, expression, token)

    def _repositories(self, name: str) -> list[Repository]:
        if name == "*" or name.startswith("*-"):
            format = name.removeprefix("*").removeprefix("-")
            return [each for each in self._catalog.everything() if format in ("", each.format)]
        return [self._catalog.get(name)]


def _made(name: str, text: str, description: str) -> ContentSelector:
    try:
        return ContentSelector(name, text, parsed(text), description)
    except Unsupported as error:
        raise Invalid(str(error), field="expression") from error


def _get(tx: Transaction, name: str) -> ContentSelector:
    found = rights.selector(tx, name)
    if found is None:
        raise SelectorNotFound(name)
    return found


def _create(tx: Transaction, new: ContentSelector) -> None:
    if new.name.lower() in {each.name.lower() for each in rights.selectors(tx)}:
        raise Invalid(DUPLICATE, field="name")
    rights.put_selector(tx, new)


def _update(tx: Transaction, changed: ContentSelector) -> None:
    _get(tx, changed.name)
    rights.put_selector(tx, changed)


def _delete(tx: Transaction, name: str) -> None:
    _get(tx, name)
    if any(row.type == SELECTING and row.properties.get("contentSelector") == name for row in rights.privileges(tx)):
        raise Invalid(f"Content selector {name} is in use and cannot be deleted")
    rights.remove_selector(tx, name)
