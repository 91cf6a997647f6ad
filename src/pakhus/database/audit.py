"""The audit's tables: the chain and its head, what is sought in it, and the downloads beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, delete, func, insert, select, text, update

from pakhus.database.assets import starts_with
from pakhus.database.tables import audit, audit_download, audit_head
from pakhus.database.transaction import Transaction
from pakhus.domain.audit import GENESIS, Entry, Link, canonical
from pakhus.domain.events import START, Place

_THE_ONE = 1


@dataclass(frozen=True, slots=True)
class Head:
    """The chain's end and its beginning: entries up to `floor` were removed by retention, the last with `floor_hash`.

    `place` is the last event that was taken in. `seal` vouches for all but that.
    """

    position: int = 0
    hash: str = GENESIS
    floor: int = 0
    floor_hash: str = GENESIS
    place: Place = START
    seal: str = ""


@dataclass(frozen=True, slots=True)
class Sought:
    """What entries are asked for; empty members do not matter.

    `type` is an action's first word, `subject` how it begins.
    """

    since: datetime | None = None
    until: datetime | None = None
    user: str = ""
    action: str = ""
    type: str = ""
    repository: str = ""
    subject: str = ""
    result: str = ""
    address: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Download:
    """A file that went out whole; `size` is what was sent of it."""

    moment: datetime
    user: str
    credential: str
    address: str
    request_id: str
    repository: str
    path: str
    size: int
    id: int = 0


def head(tx: Transaction, *, locked: bool = False) -> Head | None:
    """Where the chain ends; `locked` keeps all others from adding to it until this transaction ends."""
    statement = select(audit_head).where(audit_head.c.id == _THE_ONE)
    row = tx.one(statement.with_for_update() if locked else statement)
    if row is None:
        return None
    place = Place(row.transaction, row.event)
    return Head(row.position, row.hash, row.floor, row.floor_hash, place, row.seal)


def put_head(tx: Transaction, new: Head) -> None:
    tx.quiet = True
    values = {
        "position": new.position,
        "hash": new.hash,
        "floor": new.floor,
        "floor_hash": new.floor_hash,
        "transaction": new.place.transaction,
        "event": new.place.id,
        "seal": new.seal,
    }
    if not tx.execute(update(audit_head).where(audit_head.c.id == _THE_ONE).values(**values)).rowcount:
        tx.execute(insert(audit_head).values(id=_THE_ONE, **values))


def append(tx: Transaction, links: Iterable[Link]) -> None:
    tx.quiet = True
    if rows := [_values(link) for link in links]:
        tx.execute(insert(audit), rows)


def last(tx: Transaction) -> tuple[int, str] | None:
    """Number and hash of the newest entry that is there."""
    row = tx.one(select(audit.c.id, audit.c.hash).order_by(audit.c.id.desc()).limit(1))
    return None if row is None else (row.id, row.hash)


def newest(tx: Transaction, sought: Sought, *, before: int | None, limit: int) -> list[Link]:
    """Entries, the newest first, from the one before number `before`."""
    statement = _selected(sought).order_by(audit.c.id.desc()).limit(limit)
    return _links(tx, statement if before is None else statement.where(audit.c.id < before))


def following(tx: Transaction, sought: Sought, *, after: int, limit: int, to: int | None = None) -> list[Link]:
    """Entries in the chain's order, from the one after number `after` up to number `to`."""
    statement = _selected(sought).where(audit.c.id > after).order_by(audit.c.id).limit(limit)
    return _links(tx, statement if to is None else statement.where(audit.c.id <= to))


def steady(tx: Transaction) -> None:
    """What this transaction reads, it reads as of one moment."""
    if tx.dialect == "postgresql":
        tx.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))


def expired(tx: Transaction, head: Head, before: datetime, *, limit: int) -> tuple[int, str] | None:
    """The last of the oldest entries, up to `limit`, that are all from before a moment. The newest of all stays."""
    statement = (
        select(audit.c.id, audit.c.hash, audit.c.moment)
        .where(audit.c.id > head.floor, audit.c.id < head.position)
        .order_by(audit.c.id)
        .limit(limit)
    )
    found = None
    for row in tx.rows(statement):
        if row.moment >= before:
            break
        found = (row.id, row.hash)
    return found


def cut(tx: Transaction, to: int) -> int:
    """Remove the entries up to a number; how many."""
    tx.quiet = True
    return tx.execute(delete(audit).where(audit.c.id <= to)).rowcount


# -- downloads -----------------------------------------------------------------------------------------------------


def add_downloads(tx: Transaction, found: Sequence[Download]) -> None:
    tx.quiet = True
    rows = [asdict(each) for each in found]
    tx.execute(insert(audit_download), [{k: v for k, v in row.items() if k != "id"} for row in rows])


def downloads(tx: Transaction, sought: Sought, *, before: int | None, limit: int) -> list[Download]:
    """Downloads, the newest first. Of what is sought only time, user, address, request, repository and path count."""
    columns = audit_download.c
    statement = select(audit_download).where(*_conditions(sought, columns, subject=columns.path))
    if before is not None:
        statement = statement.where(columns.id < before)
    return [Download(**row._mapping) for row in tx.rows(statement.order_by(columns.id.desc()).limit(limit))]


def forget_downloads(tx: Transaction, before: datetime, *, limit: int) -> int:
    """Remove old downloads, `limit` at once; how many."""
    tx.quiet = True
    old = select(audit_download.c.id).where(audit_download.c.moment < before).order_by(audit_download.c.moment)
    return tx.execute(delete(audit_download).where(audit_download.c.id.in_(old.limit(limit)))).rowcount


# -- rows ----------------------------------------------------------------------------------------------------------

_PREVIOUS = audit.alias("previous")


def _selected(sought: Sought) -> Select[Any]:
    before = select(_PREVIOUS.c.hash).where(_PREVIOUS.c.id == audit.c.id - 1).scalar_subquery()
    floor = select(audit_head.c.floor_hash).where(audit_head.c.floor == audit.c.id - 1).scalar_subquery()
    conditions = _conditions(sought, audit.c, subject=audit.c.subject)
    for column, wanted in ((audit.c.action, sought.action), (audit.c.result, sought.result)):
        if wanted:
            conditions.append(column == wanted)
    if sought.type:
        conditions.append(starts_with(audit.c.action, f"{sought.type}."))
    return select(audit, func.coalesce(before, floor, "").label("previous")).where(*conditions)


def _conditions(sought: Sought, columns: Any, *, subject: Any) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if sought.since is not None:
        found.append(columns.moment >= sought.since)
    if sought.until is not None:
        found.append(columns.moment < sought.until)
    exactly = {name: getattr(sought, name) for name in ("user", "repository", "address", "request_id")}
    found.extend(columns[name] == wanted for name, wanted in exactly.items() if wanted)
    if sought.subject:
        found.append(starts_with(subject, sought.subject))
    return found


def _links(tx: Transaction, statement: Select[Any]) -> list[Link]:
    return [_link(row) for row in tx.rows(statement)]


def _values(link: Link) -> dict[str, Any]:
    entry = link.entry
    body = {"details": dict(entry.details), "before": entry.before, "after": entry.after}
    return {
        "id": entry.id,
        "moment": entry.moment,
        "user": entry.user,
        "source": entry.source,
        "credential": entry.credential,
        "address": entry.address,
        "request_id": entry.request_id,
        "action": entry.action,
        "repository": entry.repository,
        "subject": entry.subject,
        "result": entry.result,
        "body": canonical(body),
        "hash": link.hash,
    }


def _link(row: Row[Any]) -> Link:
    body = _read(row.body)
    entry = Entry(
        row.id,
        row.moment,
        row.user,
        row.source,
        row.credential,
        row.address,
        row.request_id,
        row.action,
        row.repository,
        row.subject,
        row.result,
        body.get("details") or {},
        body.get("before"),
        body.get("after"),
    )
    return Link(entry, row.previous, row.hash)


def _read(body: str) -> Mapping[str, Any]:
    """The body; one that somebody made unreadable is shown as it is, and its hash tells."""
    try:
        found = json.loads(body)
    except ValueError:
        return {"details": {"unreadable": body}}
    return found if isinstance(found, dict) else {"details": {"unreadable": body}}
