"""Folders: what lies right below a path, in a repository of any type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pakhus.csel.expression import either, every
from pakhus.database import assets
from pakhus.database.transaction import Database
from pakhus.domain.content import Asset
from pakhus.domain.repository import Repository
from pakhus.domain.security import Permission, Reach, may, reach
from pakhus.engine.catalog import Catalog
from pakhus.engine.found import Visit

PAGE = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """A name in a folder; folders have no asset."""

    name: str
    asset: Asset | None = None


@dataclass(frozen=True, slots=True)
class Folder:
    """A page of a folder's entries, in the order of their names; `more` is the name after which the next begins."""

    entries: Sequence[Entry]
    more: str | None = None


class Browser:
    def __init__(self, database: Database, catalog: Catalog) -> None:
        self._database = database
        self._catalog = catalog

    async def folder(self, repository: Repository, prefix: str, visit: Visit, *, after: str = "") -> Folder:
        """A folder (`prefix` ends with `/`, or is empty) as the actor may browse it."""
        sources = self._sources(repository, visit, True)
        names: dict[str, Repository] = {}
        for source, within in sources:
            found = await self._database.read(
                assets.children, source.id, prefix, after=after, limit=PAGE + 1, reach=within
            )
            for name in found:
                names.setdefault(name, source)
        ordered = sorted(names)
        shown = ordered[:PAGE]
        files = await self._files(names, prefix, shown)
        entries = [Entry(name, files.get(name)) for name in shown]
        permitted = [
            entry for entry in entries if entry.asset is None or self._visible(names[entry.name], visit, entry.asset)
        ]
        return Folder(permitted, shown[-1] if len(ordered) > PAGE else None)

    async def _files(self, names: Mapping[str, Repository], prefix: str, shown: Sequence[str]) -> dict[str, Asset]:
        """The assets behind names that are no folders: one query for each repository that they come from."""
        wanted: dict[int, list[str]] = {}
        for name in shown:
            if not name.endswith("/"):
                wanted.setdefault(names[name].id, []).append(prefix + name)
        found: dict[str, Asset] = {}
        for source in {each.id: each for each in names.values()}.values():
            if paths := wanted.get(source.id):
                assets_found = await self._database.read(assets.by_paths, source.id, source.name, paths)
                found |= {path[len(prefix) :]: asset for path, asset in assets_found.items()}
        return found

    def _visible(self, source: Repository, visit: Visit, asset: Asset) -> bool:
        return may(visit.actor, Permission.BROWSE, source, asset.path).allowed

    def _sources(self, repository: Repository, visit: Visit, within: Reach) -> list[tuple[Repository, Reach]]:
        """The repository itself, or the members of a group, and the paths that the actor may browse there.

        On the way through a group its rights narrow those on a member, as they do for a download.
        """
        paths = every([within, reach(visit.actor, Permission.BROWSE, repository)])
        if repository.id in visit.behind or paths is False:
            return []
        if not repository.members:
            return [(repository, paths)]
        inside = visit.entering(repository.id)
        found: dict[int, tuple[Repository, Reach]] = {}
        for name in repository.members:
            member = self._catalog.find(name)
            for each, way in [] if member is None else self._sources(member, inside, paths):
                found[each.id] = (each, either([way, found[each.id][1]]) if each.id in found else way)
        return list(found.values())
