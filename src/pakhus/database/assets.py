"""Assets and their blobs: rows to and from the domain's words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, delete, exists, insert, select, update

from pakhus.csel import holds
from pakhus.database.narrowing import is_exact, within
from pakhus.database.tables import asset, blob, component, reference
from pakhus.database.transaction import Transaction
from pakhus.domain import events
from pakhus.domain.content import Asset, Attributes, Blob, Coordinates, Digests, Kept
from pakhus.domain.repository import Repository
from pakhus.domain.security import Reach

BLOB_COLUMNS = (
    blob.c.id.label("blob_id"),
    blob.c.blob_store,
    blob.c.key,
    blob.c.size,
    blob.c.sha256,
    blob.c.sha1,
    blob.c.md5,
    blob.c.sha512,
    blob.c.created.label("blob_created"),
)
ASSET_COLUMNS = (
    asset.c.id,
    asset.c.repository_id,
    asset.c.component_id,
    asset.c.path,
    asset.c.content_type,
    asset.c.attributes,
    asset.c.created,
    asset.c.updated,
    asset.c.uploader,
    asset.c.uploader_ip,
    asset.c.downloads,
    asset.c.last_downloaded,
    asset.c.verified,
    asset.c.origin,
    asset.c.etag,
    asset.c.last_modified,
    *BLOB_COLUMNS,
)
_SELECT = (
    select(*ASSET_COLUMNS, component.c.namespace, component.c.name, component.c.version)
    .join(blob, blob.c.id == asset.c.blob_id)
    .outerjoin(component, component.c.id == asset.c.component_id)
)
_BY_PATH = _SELECT.where(asset.c.repository_id == bindparam("repository"), asset.c.path == bindparam("path"))

SOME = 500
"""Paths that are looked at together where the database cannot tell which of them are within reach."""

# Statements are built once: building one for every call costs as much as running it.
_INSERT = insert(asset).returning(asset.c.id)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row to be: what a deposit or a fill knows when its blob is safe.

    What is `derived` the server has made of other content, whose change was told already.
    """

    path: str
    blob_id: int
    content_type: str
    coordinates: Coordinates | None
    attributes: Attributes
    references: Sequence[str] = ()
    uploader: str = ""
    uploader_ip: str = ""
    kept: Kept | None = None
    sha256: str = ""
    derived: bool = False


def by_path(tx: Transaction, repository_id: int, repository: str, path: str) -> Asset | None:
    row = tx.execute(_BY_PATH, {"repository": repository_id, "path": path}).first()
    return None if row is None else from_row(row, repository)


def by_paths(tx: Transaction, repository_id: int, repository: str, paths: Sequence[str]) -> dict[str, Asset]:
    """Those of some paths that there are, by path."""
    found: dict[str, Asset] = {}
    for start in range(0, len(paths), 500):
        statement = _SELECT.where(asset.c.repository_id == repository_id, asset.c.path.in_(paths[start : start + 500]))
        found |= {row.path: from_row(row, repository) for row in tx.rows(statement)}
    return found


def by_id(tx: Transaction, repository_id: int, repository: str, asset_id: int) -> Asset | None:
    row = tx.one(_SELECT.where(asset.c.repository_id == repository_id, asset.c.id == asset_id))
    return None if row is None else from_row(row, repository)


def page(
    tx: Transaction, repository_id: int, repository: str, *, after: int, limit: int, reach: Reach = True
) -> list[Asset]:
    """Assets in the order of their identity, from the one after `after`: those within reach, and maybe more."""
    statement = _SELECT.where(asset.c.repository_id == repository_id, asset.c.id > after)
    statement = statement.where(within(asset.c.path, reach, tx.dialect))
    return [from_row(row, repository) for row in tx.rows(statement.order_by(asset.c.id).limit(limit))]


def below(tx: Transaction, repository_id: int, repository: str, prefix: str, *, limit: int) -> list[Asset]:
    """Assets whose path starts with `prefix`, in the order of their paths."""
    statement = _SELECT.where(asset.c.repository_id == repository_id, starts_with(asset.c.path, prefix))
    return [from_row(row, repository) for row in tx.rows(statement.order_by(asset.c.path).limit(limit))]


def children(
    tx: Transaction, repository_id: int, prefix: str, *, after: str = "", limit: int, reach: Reach = True
) -> list[str]:
    """The names right below a folder (`prefix` ends with `/` or is empty), folders with a trailing `/`.

    Only those that the reach holds for, and folders of such. Each step of the walk is one index seek, so that a folder
    of a million files costs what is shown of it.
    """
    names: list[str] = []
    floor = _behind(prefix, after)
    while len(names) < limit:
        path = _next(tx, repository_id, prefix, floor, reach)
        if path is None:
            break
        head, slash, _ = path[len(prefix) :].partition("/")
        names.append(head + slash)
        floor = _behind(prefix, head + slash)
    return names


def _next(tx: Transaction, repository_id: int, prefix: str, floor: str, reach: Reach) -> str | None:
    """The first path below a folder after `floor` that the reach holds for."""
    while True:
        statement = select(asset.c.path).where(
            asset.c.repository_id == repository_id,
            asset.c.path > floor,
            *([asset.c.path < _successor(prefix)] if prefix else []),
            within(asset.c.path, reach, tx.dialect),
        )
        exact = is_exact(reach, tx.dialect)
        paths = [row.path for row in tx.rows(statement.order_by(asset.c.path).limit(1 if exact else SOME))]
        if exact or isinstance(reach, bool):
            return paths[0] if paths else None
        found = next((path for path in paths if holds(reach, "", "/" + path)), None)
        if found is not None or len(paths) < SOME:
            return found
        floor = paths[-1]


def _behind(prefix: str, name: str) -> str:
    """What sorts after a name in a folder, and after all that is inside when it is a folder."""
    return _successor(prefix + name) if name.endswith("/") else prefix + name


def starts_with(column: ColumnElement[str], prefix: str) -> ColumnElement[bool]:
    """A prefix comparison that uses the index on every database."""
    if not prefix:
        return column.is_not(None)
    return and_(column >= prefix, column < _successor(prefix))


def _successor(prefix: str) -> str:
    return prefix + "\U0010ffff"


def put(
    tx: Transaction,
    repository_id: int,
    repository: str,
    entry: Entry,
    component_id: int | None,
    *,
    known: Asset | None,
) -> int:
    """Insert the asset, or let the path of the `known` one point to the new blob; records the event. Its identity."""
    values: dict[str, Any] = {
        "component_id": component_id,
        "blob_id": entry.blob_id,
        "content_type": entry.content_type,
        "attributes": dict(entry.attributes),
        "updated": tx.now,
        "uploader": entry.uploader,
        "uploader_ip": entry.uploader_ip,
        **_kept(entry.kept),
    }
    if known is None:
        asset_id = _insert(tx, repository_id, entry.path, values)
    else:
        asset_id = known.id
        tx.execute(update(asset).where(asset.c.id == asset_id).values(**values))
        tx.execute(delete(reference).where(reference.c.asset_id == asset_id))
    if entry.references:
        rows = [
            {"asset_id": asset_id, "path": path, "repository_id": repository_id}
            for path in dict.fromkeys(entry.references)
        ]
        tx.execute(insert(reference), rows)
    tx.record(
        events.ASSET_STORED,
        repository,
        subject=entry.path,
        before=known and {"sha256": known.blob.digests.sha256},
        after={"sha256": entry.sha256},
        path=entry.path,
        asset=asset_id,
        created=known is None,
        cached=entry.kept is not None,
        derived=entry.derived,
        **_named(entry.coordinates),
    )
    return asset_id


def _named(coordinates: Coordinates | None) -> dict[str, str]:
    if coordinates is None:
        return {}
    return {"namespace": coordinates.namespace, "name": coordinates.name, "version": coordinates.version}


def _insert(tx: Transaction, repository_id: int, path: str, values: Mapping[str, Any]) -> int:
    row = {"repository_id": repository_id, "path": path, "created": tx.now, "downloads": 0, "last_downloaded": None}
    return int(tx.execute(_INSERT, {**row, **values}).scalar_one())


def _kept(kept: Kept | None) -> dict[str, Any]:
    if kept is None:
        return {"verified": None, "origin": "", "etag": "", "last_modified": ""}
    return {
        "verified": kept.verified,
        "origin": kept.origin,
        "etag": kept.etag,
        "last_modified": kept.last_modified,
    }


def verified(tx: Transaction, asset_id: int, kept: Kept) -> None:
    """The upstream confirmed a kept copy."""
    tx.execute(update(asset).where(asset.c.id == asset_id).values(**_kept(kept)))


def moved(tx: Transaction, found: Asset, blob_id: int) -> bool:
    """Let the asset have an equal blob of another store; false when it has other bytes by now."""
    statement = update(asset).where(asset.c.id == found.id, asset.c.blob_id == found.blob.id)
    return tx.execute(statement.values(blob_id=blob_id)).rowcount > 0


def transfer(tx: Transaction, found: Asset, source: str, target: Repository, component_id: int) -> None:
    """Let an asset stand in another repository under its path; told as a removal here and an arrival there."""
    values = {"repository_id": target.id, "component_id": component_id, "updated": tx.now}
    tx.execute(update(asset).where(asset.c.id == found.id).values(**values))
    tx.execute(update(reference).where(reference.c.asset_id == found.id).values(repository_id=target.id))
    tx.record(events.ASSET_REMOVED, source, path=found.path, blob=found.blob.id)
    tx.record(events.ASSET_STORED, target.name, path=found.path, asset=found.id, created=True)


def remove(tx: Transaction, repository: str, found: Asset, *, derived: bool = False) -> None:
    """Take the path away; its blob stays for the sweep."""
    tx.execute(delete(asset).where(asset.c.id == found.id))
    tx.record(
        events.ASSET_REMOVED,
        repository,
        subject=found.path,
        before={"sha256": found.blob.digests.sha256},
        path=found.path,
        blob=found.blob.id,
        derived=derived,
        **_named(found.coordinates),
    )


def referenced(tx: Transaction, repository_id: int, paths: Iterable[str]) -> set[str]:
    """Which of these paths some asset of the repository refers to."""
    statement = select(reference.c.path).where(
        reference.c.repository_id == repository_id, reference.c.path.in_(list(paths))
    )
    return {row.path for row in tx.rows(statement)}


def present(tx: Transaction, repository_id: int, paths: Sequence[str], *, held: bool = False) -> set[str]:
    """Which of these paths exist; when they are `held`, they do until the transaction ends."""
    statement = select(asset.c.path).where(asset.c.repository_id == repository_id, asset.c.path.in_(paths))
    return {row.path for row in tx.rows(statement.with_for_update(read=True) if held else statement)}


def unreferenced(tx: Transaction, repository_id: int, repository: str, *, after: int, limit: int) -> list[Asset]:
    """Assets that no other refers to, in the order of their identity."""
    statement = _SELECT.where(asset.c.repository_id == repository_id, asset.c.id > after, ~_is_referenced())
    return [from_row(row, repository) for row in tx.rows(statement.order_by(asset.c.id).limit(limit))]


def lock_unreferenced(tx: Transaction, repository_id: int, ids: Sequence[int], *, before: datetime) -> set[int]:
    """Which of these assets nothing refers to, and nobody has held since `before`: it stays so until the end.

    The lock is taken first and the question asked then, since a deposit that refers to one of them may be under way.
    """
    tx.rows(select(asset.c.id).where(asset.c.id.in_(ids)).order_by(asset.c.id).with_for_update())
    statement = (
        select(asset.c.id)
        .join(blob, blob.c.id == asset.c.blob_id)
        .where(asset.c.id.in_(ids), asset.c.updated < before, blob.c.touched < before, ~_is_referenced())
    )
    return {row.id for row in tx.rows(statement)}


def _is_referenced() -> ColumnElement[bool]:
    return exists().where(reference.c.repository_id == asset.c.repository_id, reference.c.path == asset.c.path)


def downloaded(tx: Transaction, counts: Mapping[int, tuple[int, datetime]]) -> None:
    """Add a batch of downloads: asset → (how many, the last one). Changes nothing that a document shows."""
    tx.quiet = True
    tx.execute(
        update(asset)
        .where(asset.c.id == bindparam("asset"))
        .values(downloads=asset.c.downloads + bindparam("more"), last_downloaded=bindparam("last")),
        [{"asset": key, "more": more, "last": last} for key, (more, last) in counts.items()],
    )


def of_components(tx: Transaction, repository: str, ids: Sequence[int]) -> dict[int, list[Asset]]:
    """The assets of some components, in the order of their paths."""
    found: dict[int, list[Asset]] = {}
    for start in range(0, len(ids), 500):
        statement = _SELECT.where(asset.c.component_id.in_(ids[start : start + 500])).order_by(asset.c.path)
        for row in tx.rows(statement):
            found.setdefault(row.component_id, []).append(from_row(row, repository))
    return found


def by_digest(tx: Transaction, repository_id: int, repository: str, algorithm: str, digest: str) -> list[Asset]:
    statement = _SELECT.where(asset.c.repository_id == repository_id, blob.c[algorithm] == digest)
    return [from_row(row, repository) for row in tx.rows(statement.limit(1000))]


def selection() -> Select[Any]:
    """The statement behind every asset, for searches that add their own conditions."""
    return _SELECT


def from_row(row: Row[Any], repository: str) -> Asset:
    coordinates = None if row.name is None else Coordinates(row.name, row.version, row.namespace)
    kept = None
    if row.verified is not None:
        kept = Kept(row.verified, row.origin, row.etag, row.last_modified)
    return Asset(
        id=row.id,
        repository=repository,
        path=row.path,
        blob=blob_from_row(row),
        content_type=row.content_type,
        coordinates=coordinates,
        attributes=row.attributes,
        created=row.created,
        updated=row.updated,
        last_downloaded=row.last_downloaded,
        downloads=row.downloads,
        uploader=row.uploader,
        uploader_ip=row.uploader_ip,
        kept=kept,
        component_id=row.component_id,
    )


def blob_from_row(row: Row[Any]) -> Blob:
    digests = Digests(row.sha256, row.sha1, row.md5, row.sha512)
    return Blob(row.blob_id, row.blob_store, row.key, row.size, digests, row.blob_created)
