"""Blobs: one row for each body of a blob store, shared by all assets with the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, exists, func, insert, select, update

from pakhus.database.assets import BLOB_COLUMNS, blob_from_row
from pakhus.database.tables import asset, blob
from pakhus.database.transaction import Transaction
from pakhus.domain.content import Blob, Digests

_SAME = select(*BLOB_COLUMNS).where(blob.c.blob_store == bindparam("store"), blob.c.sha256 == bindparam("digest"))
_TOUCH = update(blob).where(blob.c.id == bindparam("blob")).values(touched=bindparam("touched"))
_INSERT = insert(blob).returning(*BLOB_COLUMNS)


@dataclass(frozen=True, slots=True)
class NewBlob:
    """Bytes that are safe in the store under `key`, and have no row yet."""

    blob_store: str
    key: str
    size: int
    digests: Digests


def same(tx: Transaction, blob_store: str, sha256: str) -> Blob | None:
    """The blob of the store that has these bytes."""
    row = tx.execute(_SAME, {"store": blob_store, "digest": sha256}).first()
    return None if row is None else blob_from_row(row)


def touch(tx: Transaction, blob_id: int) -> bool:
    """Keep the sweep away from a blob that is about to be used; false when it is gone."""
    return tx.execute(_TOUCH, {"blob": blob_id, "touched": tx.now}).rowcount > 0


def keep(tx: Transaction, new: NewBlob) -> Blob:
    """The row for these bytes: a new one, or the one that another writer made first."""
    if (known := same(tx, new.blob_store, new.digests.sha256)) is not None:
        touch(tx, known.id)
        return known
    row = {"blob_store": new.blob_store, "key": new.key, "size": new.size, "created": tx.now, "touched": tx.now}
    return blob_from_row(tx.execute(_INSERT, {**row, **new.digests.as_mapping()}).one())


def release_unused(tx: Transaction, blob_store: str, *, before: datetime, limit: int = 500) -> list[Blob]:
    """Delete the rows of blobs that no asset has used since `before`; their bytes may go after the commit."""
    tx.quiet = True
    unused = (
        select(*BLOB_COLUMNS)
        .where(
            blob.c.blob_store == blob_store,
            blob.c.touched < before,
            ~exists().where(asset.c.blob_id == blob.c.id),
        )
        .limit(limit)
    )
    found = [blob_from_row(row) for row in tx.rows(unused)]
    if found:
        tx.execute(delete(blob).where(blob.c.id.in_([each.id for each in found])))
    return found


def known_keys(tx: Transaction, blob_store: str, keys: Sequence[str]) -> set[str]:
    statement = select(blob.c.key).where(blob.c.blob_store == blob_store, blob.c.key.in_(keys))
    return {row.key for row in tx.rows(statement)}


def is_used(tx: Transaction, blob_store: str) -> bool:
    """Does some asset have its bytes there?"""
    statement = select(blob.c.id).where(blob.c.blob_store == blob_store, exists().where(asset.c.blob_id == blob.c.id))
    return tx.one(statement.limit(1)) is not None


def usage(tx: Transaction, blob_store: str) -> tuple[int, int]:
    """How many blobs the store has, and their bytes."""
    counts = select(func.count().label("number"), func.coalesce(func.sum(blob.c.size), 0).label("total"))
    row = tx.execute(counts.where(blob.c.blob_store == blob_store)).one()
    return int(row.number), int(row.total)
