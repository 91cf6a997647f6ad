"""The hosted source: what has been uploaded, and documents built from it."""

from __future__ import annotations

from typing import Any

from pakhus.database import assets, components, revisions
from pakhus.database.transaction import Database
from pakhus.domain.content import Asset
from pakhus.domain.repository import Repository
from pakhus.engine.found import Edition, Found, Stored, Visit
from pakhus.engine.stores import Stores
from pakhus.kit.context import Context
from pakhus.kit.format import Document, File


class HostedSource:
    def __init__(self, database: Database, stores: Stores) -> None:
        self._database = database
        self._stores = stores

    async def file(self, repository: Repository, route: File, ctx: Context, visit: Visit) -> Found | None:
        asset = await self._database.glance(assets.by_path, repository.id, repository.name, ctx.path)
        return None if asset is None else from_asset(asset, self._stores)

    async def document(
        self, repository: Repository, document: Document[Any], ctx: Context, visit: Visit
    ) -> Edition[Any] | None:
        query = document.select(ctx)
        revision, changed = await self._database.glance(revisions.current, repository.id, query)
        if revision == 0 and not document.local:
            return None

        async def model() -> Any:
            if document.local:
                return document.build(ctx, ())
            found = await self._database.read(components.find, repository.id, repository.name, query)
            return document.build(ctx, found)

        return Edition(f"{repository.id}.{revision}", model, changed)


def from_asset(asset: Asset, stores: Stores) -> Found:
    """What a GET of a kept asset sends. Its ETag is the one upstream gave, else the SHA-1, as Nexus does."""
    etag = asset.kept.etag if asset.kept is not None else ""
    return Found(
        body=Stored(stores.get(asset.blob.blob_store), asset.blob.key, asset.blob.size),
        content_type=asset.content_type,
        etag=etag or f'"{asset.blob.digests.sha1}"',
        modified=asset.updated,
        digests=asset.blob.digests,
        attributes=asset.attributes,
        asset=asset,
    )
