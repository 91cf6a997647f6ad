"""The outbox: events that were committed with their change, and how far each subscriber has read.

On PostgreSQL ids are given out before commits: a reader that only remembered the last id would miss events of a slower
transaction. So events are read in the order of (transaction, id), and only those of transactions before the oldest one
that is still running: nothing can come in behind them any more. Nobody waits for that. SQLite has one writer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, delete, func, insert, or_, select, text, update

from pakhus.database.tables import audit_head, cursor, event
from pakhus.database.transaction import Transaction
from pakhus.domain.events import START, Event, Place
from pakhus.domain.initiator import Initiator

_SETTLED = text("event.transaction < pg_snapshot_xmin(pg_current_snapshot())::text::bigint")


def after(tx: Transaction, place: Place, *, limit: int) -> list[Event]:
    return [_event(row) for row in tx.rows(_ordered(tx, select(event).where(_behind(place))).limit(limit))]


def position(tx: Transaction, subscriber: str) -> Place:
    found = tx.one(select(cursor.c.transaction, cursor.c.position).where(cursor.c.subscriber == subscriber))
    return START if found is None else Place(found.transaction, found.position)


def advance(tx: Transaction, subscriber: str, to: Place) -> None:
    tx.quiet = True
    values = {"transaction": to.transaction, "position": to.id}
    if not tx.execute(update(cursor).where(cursor.c.subscriber == subscriber).values(**values)).rowcount:
        tx.execute(insert(cursor).values(subscriber=subscriber, **values))


def trim(tx: Transaction, subscribers: Iterable[str]) -> int:
    """Forget the events that all of these have read; how many."""
    tx.quiet = True
    read = min((position(tx, each) for each in subscribers), default=START)
    return tx.execute(delete(event).where(~_behind(read))).rowcount


def rebase(tx: Transaction) -> bool:
    """Start the order anew in a database that was restored on another server, whose transactions count from below.

    What is still there is delivered again; whether that was necessary.
    """
    if tx.dialect != "postgresql":
        return False
    tx.quiet = True
    next_one = int(tx.value(text("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")))
    tables = (event, cursor, audit_head)
    if all((tx.value(select(func.max(each.c.transaction))) or 0) <= next_one for each in tables):
        return False
    tx.execute(update(event).values(transaction=0))
    tx.execute(update(cursor).values(transaction=0, position=0))
    tx.execute(update(audit_head).values(transaction=0, event=0))
    return True


def _behind(place: Place) -> ColumnElement[bool]:
    later = event.c.transaction > place.transaction
    return or_(later, and_(event.c.transaction == place.transaction, event.c.id > place.id))


def _ordered(tx: Transaction, statement: Select[Any]) -> Select[Any]:
    if tx.dialect == "postgresql":
        return statement.where(_SETTLED).order_by(event.c.transaction, event.c.id)
    return statement.order_by(event.c.id)


def _event(row: Row[Any]) -> Event:
    change = row.change or {}
    return Event(
        id=row.id,
        kind=row.kind,
        repository=row.repository,
        created=row.created,
        details=row.details,
        place=Place(row.transaction, row.id),
        initiator=Initiator(**row.initiator),
        subject=row.subject,
        before=change.get("before"),
        after=change.get("after"),
    )
