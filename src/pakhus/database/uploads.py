"""Upload sessions: what has been received of bodies that come in several requests, to whichever node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select, update

from pakhus.database import blobs
from pakhus.database.tables import upload, upload_part
from pakhus.database.transaction import Transaction
from pakhus.domain.content import Digests


@dataclass(frozen=True, slots=True)
class Session:
    """An upload that is under way: `size` bytes for `path` have been received."""

    id: str
    repository_id: int
    path: str
    blob_store: str
    size: int


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes of one request, from `start` on: a blob of the store that no asset has yet."""

    start: int
    blob_store: str
    key: str
    size: int
    digests: Digests


def begin(tx: Transaction, session: Session) -> None:
    tx.quiet = True
    tx.execute(
        insert(upload).values(
            id=session.id,
            repository_id=session.repository_id,
            path=session.path,
            blob_store=session.blob_store,
            size=0,
            closing=False,
            created=tx.now,
            updated=tx.now,
        )
    )


def find(tx: Transaction, repository_id: int, path: str, id: str) -> Session | None:
    wanted = (upload.c.id == id, upload.c.repository_id == repository_id, upload.c.path == path)
    row = tx.one(select(upload).where(*wanted, upload.c.closing.is_(False)))
    return None if row is None else Session(row.id, row.repository_id, row.path, row.blob_store, row.size)


def append(tx: Transaction, id: str, part: Part) -> bool:
    """Add a part at the end; false when the upload has gone on, or away, since the part's request began."""
    tx.quiet = True
    grown = (
        update(upload)
        .where(upload.c.id == id, upload.c.size == part.start, upload.c.closing.is_(False))
        .values(size=part.start + part.size, updated=tx.now)
    )
    if not tx.execute(grown).rowcount:
        return False
    tx.execute(
        insert(upload_part).values(
            upload_id=id,
            start=part.start,
            blob_store=part.blob_store,
            key=part.key,
            size=part.size,
            digests=part.digests.as_mapping(),
        )
    )
    return True


def close(tx: Transaction, id: str) -> list[Part] | None:
    """The parts of an upload, in their order, for the one who puts them together; `None` when another one does."""
    tx.quiet = True
    closing = update(upload).where(upload.c.id == id, upload.c.closing.is_(False)).values(closing=True, updated=tx.now)
    return _parts(tx, [id]) if tx.execute(closing).rowcount else None


def remove(tx: Transaction, ids: Sequence[str]) -> list[Part]:
    """Forget uploads; those of their parts that no blob row has taken over, whose bytes may go after the commit."""
    tx.quiet = True
    parts = _parts(tx, ids)
    tx.execute(delete(upload_part).where(upload_part.c.upload_id.in_(ids)))
    tx.execute(delete(upload).where(upload.c.id.in_(ids)))
    taken = {
        (store, key)
        for store in {part.blob_store for part in parts}
        for key in blobs.known_keys(tx, store, [part.key for part in parts if part.blob_store == store])
    }
    return [part for part in parts if (part.blob_store, part.key) not in taken]


def expire(tx: Transaction, blob_store: str, *, before: datetime, limit: int) -> tuple[int, list[Part]]:
    """Forget uploads to which nothing was added since `before`: how many, and their parts."""
    old = select(upload.c.id).where(upload.c.blob_store == blob_store, upload.c.updated < before).limit(limit)
    ids = [row.id for row in tx.rows(old)]
    return len(ids), remove(tx, ids) if ids else []


def known_keys(tx: Transaction, blob_store: str, keys: Sequence[str]) -> set[str]:
    """Which of these blobs are parts of uploads."""
    statement = select(upload_part.c.key).where(upload_part.c.blob_store == blob_store, upload_part.c.key.in_(keys))
    return {row.key for row in tx.rows(statement)}


def _parts(tx: Transaction, ids: Sequence[str]) -> list[Part]:
    statement = select(upload_part).where(upload_part.c.upload_id.in_(ids)).order_by(upload_part.c.start)
    return [Part(row.start, row.blob_store, row.key, row.size, Digests(**row.digests)) for row in tx.rows(statement)]
