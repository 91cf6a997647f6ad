"""What the sidecar of a blob says: all that its hosted assets are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select

from pakhus.database.assets import BLOB_COLUMNS, blob_from_row
from pakhus.database.tables import asset, blob, component, repository
from pakhus.database.transaction import Transaction
from pakhus.domain.content import Blob


def blobs_of(tx: Transaction, asset_ids: Sequence[int]) -> set[int]:
    """The blobs that these assets have now."""
    return {row.blob_id for row in tx.rows(select(asset.c.blob_id).where(asset.c.id.in_(asset_ids)))}


def of_blob(tx: Transaction, blob_id: int) -> tuple[Blob, list[dict[str, object]]] | None:
    """A blob and all that its hosted assets are, for the sidecar beside it; `None` when it is gone."""
    row = tx.one(select(*BLOB_COLUMNS).where(blob.c.id == blob_id))
    if row is None:
        return None
    statement = (
        select(
            repository.c.name.label("repository"),
            repository.c.format,
            asset.c.path,
            asset.c.content_type,
            asset.c.attributes,
            asset.c.created,
            asset.c.updated,
            asset.c.uploader,
            asset.c.uploader_ip,
            component.c.namespace,
            component.c.name,
            component.c.version,
            component.c.attributes.label("component"),
        )
        .join(repository, repository.c.id == asset.c.repository_id)
        .outerjoin(component, component.c.id == asset.c.component_id)
        .where(asset.c.blob_id == blob_id, repository.c.type == "hosted")
    )
    return blob_from_row(row), [
        {key: value.isoformat() if isinstance(value, datetime) else value for key, value in each._mapping.items()}
        for each in tx.rows(statement)
    ]
