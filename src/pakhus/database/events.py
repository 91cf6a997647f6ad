"""The outbox: events that were committed with their change, and how far each subscriber has read."""

from __future__ import annotations

from sqlalchemy import delete, func, insert, select, update

from pakhus.database.tables import cursor, event
from pakhus.database.transaction import Transaction
from pakhus.domain.events import Event


def after(tx: Transaction, position: int, *, limit: int) -> list[Event]:
    statement = select(event).where(event.c.id > position).order_by(event.c.id).limit(limit)
    return [Event(row.id, row.kind, row.repository, row.created, row.details) for row in tx.rows(statement)]


def position(tx: Transaction, subscriber: str) -> int:
    found = tx.value(select(cursor.c.position).where(cursor.c.subscriber == subscriber))
    return int(found or 0)


def advance(tx: Transaction, subscriber: str, to: int) -> None:
    tx.quiet = True
    if not tx.execute(update(cursor).where(cursor.c.subscriber == subscriber).values(position=to)).rowcount:
        tx.execute(insert(cursor).values(subscriber=subscriber, position=to))


def trim(tx: Transaction) -> int:
    """Forget the events that every subscriber has read; how many."""
    tx.quiet = True
    read = tx.value(select(func.min(cursor.c.position)))
    return tx.execute(delete(event).where(event.c.id <= (read or 0))).rowcount
