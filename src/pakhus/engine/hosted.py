"""The hosted source: what has been uploaded, and documents built from it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pakhus.database import assets, components, revisions
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.content import Asset, Component, Query
from pakhus.domain.repository import Repository
from pakhus.engine.found import Edition, Found, Stored, Visit, moment
from pakhus.engine.stores import Stores
from pakhus.kit.context import Context
from pakhus.kit.format import Derived, DocumentSet, File


class HostedSource:
    def __init__(self, database: Database, stores: Stores) -> None:
        self._database = database
        self._stores = stores

    async def file(self, repository: Repository, route: File, ctx: Context, visit: Visit) -> Found | None:
        asset = await self._database.glance(assets.by_path, repository.id, repository.name, ctx.path)
        return None if asset is None else from_asset(asset, self._stores)

    async def document(
        self, repository: Repository, document: Derived[Any], ctx: Context, visit: Visit
    ) -> Edition[Any] | None:
        selected = document.select(ctx)
        queries = (selected,) if isinstance(selected, Query) else tuple(selected)
        is_set = isinstance(document, DocumentSet)
        keys = (
            [revisions.key_of_set(document.folder(ctx.params))]
            if isinstance(document, DocumentSet)
            else [revisions.key_of(query) for query in queries]
        )
        revision, changed = await self._database.glance(_revision, repository.id, keys)
        unknown = revision == 0 and any(query.name is not None for query in queries)
        if unknown and not document.local and not document.always:
            return None  # nothing of this name was ever here; an index of all names may be empty

        async def model() -> Any:
            if document.local or (is_set and revision == 0):
                return document.build(ctx, ())
            found = await self._database.read(_find, repository, queries)
            return document.build(ctx, found)

        return Edition(f"{repository.id}.{revision}", model, changed)


def _revision(tx: Transaction, repository_id: int, keys: Sequence[str]) -> tuple[int, datetime | None]:
    """Revisions only grow, so their sum changes with each; and when the last one did."""
    found = [revisions.current(tx, repository_id, key) for key in keys]
    return sum(value for value, _ in found), max((moment for _, moment in found if moment is not None), default=None)


def _find(tx: Transaction, repository: Repository, queries: Sequence[Query]) -> list[Component]:
    """Each component once, although several queries find it."""
    found = (each for query in queries for each in components.find(tx, repository.id, repository.name, query))
    return list({(each.id, each.coordinates): each for each in found}.values())


def from_asset(asset: Asset, stores: Stores) -> Found:
    """What a GET of a kept asset sends: upstream's ETag and time where it gave them, else the SHA-1 and ours."""
    etag = asset.kept.etag if asset.kept is not None else ""
    changed = moment(asset.kept.last_modified) if asset.kept is not None else None
    return Found(
        body=Stored(stores.get(asset.blob.blob_store), asset.blob.key, asset.blob.size),
        content_type=asset.content_type,
        etag=etag or f'"{asset.blob.digests.sha1}"',
        modified=changed or asset.updated,
        digests=asset.blob.digests,
        attributes=asset.attributes,
        asset=asset,
    )
