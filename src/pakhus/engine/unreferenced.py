"""Assets that stay only while others refer to them: layers without a manifest, untagged manifests.

The format says which may go, and after how long. A push that is under way loses nothing: what it has uploaded, or asked
about, is younger than that, and the deposit that refers to it holds its row while the sweep looks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from pakhus.database import assets, components, revisions
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.content import Asset
from pakhus.domain.errors import PakhusError
from pakhus.domain.repository import Repository, RepositoryType
from pakhus.engine.catalog import Catalog
from pakhus.kit.context import Context
from pakhus.kit.format import File, Format

PAGE = 500


class Unreferenced:
    def __init__(self, database: Database, catalog: Catalog, now: Callable[[], datetime]) -> None:
        self._database = database
        self._catalog = catalog
        self._now = now

    async def run(self) -> int:
        """How many assets went. What they referred to follows at once, if it is old enough."""
        await self._catalog.refresh()
        gone = 0
        for repository in self._catalog.everything():
            if repository.type is RepositoryType.HOSTED and _has_expendables(self._catalog.format(repository)):
                while removed := await self._sweep(repository):
                    gone += removed
        return gone

    async def _sweep(self, repository: Repository) -> int:
        removed, after = 0, 0
        while page := await self._database.read(
            assets.unreferenced, repository.id, repository.name, after=after, limit=PAGE
        ):
            after = page[-1].id
            for delay, found in self._expired(repository, page).items():
                removed += await self._database.write(_remove, repository, found, self._now() - delay)
        return removed

    def _expired(
        self, repository: Repository, page: Sequence[Asset]
    ) -> dict[timedelta, list[tuple[Asset, Sequence[str]]]]:
        """Assets that may go, with what upholds them, by how long they had to stay."""
        format, options = self._catalog.format(repository), self._catalog.options(repository)
        found: dict[timedelta, list[tuple[Asset, Sequence[str]]]] = {}
        for asset in page:
            try:
                route, params = format.match("GET", asset.path)
            except PakhusError:
                continue
            if not isinstance(route, File):
                continue
            ctx = Context(repository.name, asset.path, params, {}, "", options, lambda path: path)
            delay = route.expendable(ctx, asset)
            if delay is not None and asset.updated < self._now() - delay:
                found.setdefault(delay, []).append((asset, route.upholders(ctx, asset)))
        return found


def _remove(
    tx: Transaction, repository: Repository, found: Sequence[tuple[Asset, Sequence[str]]], before: datetime
) -> int:
    free = assets.lock_unreferenced(tx, repository.id, [asset.id for asset, _ in found], before=before)
    upheld = assets.present(tx, repository.id, [path for _, upholders in found for path in upholders])
    going = [asset for asset, upholders in found if asset.id in free and not upheld.intersection(upholders)]
    for asset in going:
        assets.remove(tx, repository.name, asset)
        if asset.component_id is not None:
            components.prune(tx, asset.component_id)
    revisions.bump(tx, repository.id, {asset.coordinates for asset in going if asset.coordinates is not None})
    tx.quiet = not going
    return len(going)


def _has_expendables(format: Format) -> bool:
    return any(isinstance(route, File) and type(route).expendable is not File.expendable for route in format.routes)
