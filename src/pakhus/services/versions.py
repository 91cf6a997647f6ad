"""One component in many repositories: which versions there are, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pakhus.database import components
from pakhus.database.transaction import Database
from pakhus.domain.content import Component, Query
from pakhus.domain.errors import Invalid
from pakhus.domain.repository import Repository
from pakhus.domain.security import Actor
from pakhus.engine.catalog import Catalog
from pakhus.services.contents import members, visible

SORTS = ("version", "lastUpdated", "repositories")


@dataclass(frozen=True, slots=True)
class VersionFound:
    """A version, the repositories that have it, and when one of them last changed it."""

    version: str
    repositories: tuple[str, ...]
    updated: datetime


class Versions:
    def __init__(self, database: Database, catalog: Catalog) -> None:
        self._database = database
        self._catalog = catalog

    async def found(self, actor: Actor, format: str, namespace: str, name: str) -> list[tuple[Repository, Component]]:
        """The component in every repository of the format where the actor may browse it."""
        if format not in self._catalog.formats:
            raise Invalid(f"there is no format '{format}'", field="format")
        query = Query(namespace=namespace, name=name)
        result: list[tuple[Repository, Component]] = []
        for repository in self._catalog.everything():
            if repository.format != format or repository.members or not members(self._catalog, repository, actor):
                continue
            for each in await self._database.read(components.find, repository.id, repository.name, query):
                seen = visible(each, repository, actor) if each.version and each.assets else None
                if seen is not None:
                    result.append((repository, seen))
        return result

    def ordered(
        self, format: str, found: Sequence[tuple[Repository, Component]], *, sort: str, descending: bool
    ) -> list[VersionFound]:
        """Each version once."""
        grouped: dict[str, list[tuple[Repository, Component]]] = {}
        for repository, component in found:
            grouped.setdefault(component.version, []).append((repository, component))
        versions = [
            VersionFound(
                version, tuple(sorted(each.name for each, _ in places)), max(each.updated for _, each in places)
            )
            for version, places in grouped.items()
        ]
        key = self._catalog.formats[format].version_key
        versions.sort(key=lambda each: key(each.version), reverse=descending)
        if sort == "lastUpdated":
            versions.sort(key=lambda each: each.updated, reverse=descending)
        elif sort == "repositories":
            versions.sort(key=lambda each: (len(each.repositories), each.repositories), reverse=descending)
        return versions
