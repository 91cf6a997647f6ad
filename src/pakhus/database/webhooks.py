"""Webhooks and their deliveries: rows to and from the domain's words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, Row, delete, func, insert, select, update

from pakhus.database.tables import webhook, webhook_delivery
from pakhus.database.transaction import Transaction
from pakhus.domain import events
from pakhus.domain.webhooks import Attempt, Webhook

PENDING, DELIVERED, DEAD = "pending", "delivered", "dead"
LOGGED = 50
"""Attempts that are kept of a delivery which is made again and again."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message to one receiver. `log` has its attempts; `due` the moment of the next one."""

    id: int
    webhook_id: int
    message: str
    action: str
    payload: str
    state: str
    attempts: int
    log: Sequence[Mapping[str, Any]]
    due: datetime
    created: datetime
    finished: datetime | None


@dataclass(frozen=True, slots=True)
class Message:
    """A delivery to be."""

    webhook_id: int
    id: str
    action: str
    payload: str


def everything(tx: Transaction) -> list[Webhook]:
    return [_webhook(row) for row in tx.rows(select(webhook).order_by(webhook.c.name))]


def find(tx: Transaction, name: str) -> Webhook | None:
    row = tx.one(select(webhook).where(webhook.c.name == name))
    return None if row is None else _webhook(row)


def secrets_of(tx: Transaction, webhook_id: int) -> Mapping[str, Any]:
    """Sealed: `{"current": {"secret"}, "previous": {"secret", "until"}}`."""
    found: Mapping[str, Any] | None = tx.value(select(webhook.c.secrets).where(webhook.c.id == webhook_id))
    return found or {}


def add(tx: Transaction, new: Webhook, sealed: Mapping[str, Any]) -> None:
    tx.quiet = True
    values = {**_values(new), "secrets": sealed, "created": tx.now, "updated": tx.now}
    tx.execute(insert(webhook).values(name=new.name, **values))
    tx.changed(events.WEBHOOK, new.name, None, _shown(new))


def change(tx: Transaction, before: Webhook, after: Webhook, sealed: Mapping[str, Any] | None = None) -> None:
    """Replace a webhook; `sealed` secrets too, where they are given."""
    tx.quiet = True
    values = {**_values(after), "updated": tx.now, **({} if sealed is None else {"secrets": sealed})}
    tx.execute(update(webhook).where(webhook.c.id == before.id).values(**values))
    shown = _shown(after) if sealed is None else {**_shown(after), "exchanged": "secret"}
    tx.changed(events.WEBHOOK, after.name, _shown(before), shown)


def remove(tx: Transaction, gone: Webhook) -> None:
    """The webhook and all that waits for it."""
    tx.quiet = True
    tx.execute(delete(webhook_delivery).where(webhook_delivery.c.webhook_id == gone.id))
    tx.execute(delete(webhook).where(webhook.c.id == gone.id))
    tx.changed(events.WEBHOOK, gone.name, _shown(gone), None)


# -- deliveries ----------------------------------------------------------------------------------------------------


def enqueue(tx: Transaction, messages: Iterable[Message]) -> int:
    """Make deliveries of messages that are not there yet; how many."""
    tx.quiet = True
    wanted = {(each.webhook_id, each.id): each for each in messages}
    ids = [message for _, message in wanted]
    for start in range(0, len(ids), 500):
        column = webhook_delivery.c.message
        known = select(webhook_delivery.c.webhook_id, column).where(column.in_(ids[start : start + 500]))
        for row in tx.rows(known):
            wanted.pop((row.webhook_id, row.message), None)
    if rows := [_row(tx, each) for each in wanted.values()]:
        tx.execute(insert(webhook_delivery), rows)
    return len(rows)


def waiting(tx: Transaction) -> dict[int, int]:
    """How many deliveries wait, by webhook."""
    number = func.count().label("number")
    statement = select(webhook_delivery.c.webhook_id, number).where(webhook_delivery.c.state == PENDING)
    return {row.webhook_id: row.number for row in tx.rows(statement.group_by(webhook_delivery.c.webhook_id))}


def next_due(tx: Transaction) -> datetime | None:
    """When the next attempt is to be made; `None` when nothing waits."""
    first = (
        select(func.min(webhook_delivery.c.due))
        .where(webhook_delivery.c.webhook_id == webhook.c.id, webhook_delivery.c.state == PENDING)
        .scalar_subquery()
    )
    found: datetime | None = tx.value(
        select(func.min(first, type_=webhook_delivery.c.due.type)).where(webhook.c.enabled)
    )
    return found


def claim(tx: Transaction, busy: Mapping[int, int], *, each: int, seconds: float) -> list[Delivery]:
    """Take deliveries that are due, for so many seconds: up to `each` of a webhook, less those that are `busy`."""
    found: list[Delivery] = []
    for hook in tx.rows(select(webhook.c.id).where(webhook.c.enabled)):
        mine = webhook_delivery.c.webhook_id == hook.id
        if (limit := each - busy.get(hook.id, 0)) > 0:
            found.extend(_claimed(tx, mine, webhook_delivery.c.due <= tx.now, limit=limit, seconds=seconds))
    return found


def claim_one(tx: Transaction, delivery_id: int, *, seconds: float) -> list[Delivery]:
    """Take one delivery, whenever it is due, if it waits at all."""
    return _claimed(tx, webhook_delivery.c.id == delivery_id, limit=1, seconds=seconds)


def _claimed(tx: Transaction, *which: ColumnElement[bool], limit: int, seconds: float) -> list[Delivery]:
    tx.quiet = True
    statement = (
        select(webhook_delivery)
        .where(webhook_delivery.c.state == PENDING, *which)
        .order_by(webhook_delivery.c.due, webhook_delivery.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    found = [_delivery(row) for row in tx.rows(statement)]
    if found:
        ids = [delivery.id for delivery in found]
        until = tx.now + timedelta(seconds=seconds)
        tx.execute(update(webhook_delivery).where(webhook_delivery.c.id.in_(ids)).values(due=until))
    return found


def attempted(tx: Transaction, delivery: Delivery, attempt: Attempt, *, state: str, pause: float) -> None:
    """Write down how an attempt ended, and when the next one is."""
    tx.quiet = True
    tx.execute(
        update(webhook_delivery)
        .where(webhook_delivery.c.id == delivery.id)
        .values(
            state=state,
            attempts=delivery.attempts + 1,
            log=[*delivery.log, attempt.as_mapping()][-LOGGED:],
            due=tx.now + timedelta(seconds=pause),
            finished=None if state == PENDING else tx.now,
        )
    )


def again(tx: Transaction, webhook_id: int, *, delivery_id: int | None = None) -> int:
    """Deliver once more, from the first attempt on: one delivery, or all that are dead; how many."""
    tx.quiet = True
    which = webhook_delivery.c.state == DEAD if delivery_id is None else webhook_delivery.c.id == delivery_id
    statement = update(webhook_delivery).where(webhook_delivery.c.webhook_id == webhook_id, which)
    return tx.execute(statement.values(state=PENDING, attempts=0, due=tx.now, finished=None)).rowcount


def deliveries(
    tx: Transaction, webhook_id: int, *, state: str = "", action: str = "", before: int | None = None, limit: int
) -> list[Delivery]:
    """Deliveries of a webhook, the newest first."""
    statement = select(webhook_delivery).where(webhook_delivery.c.webhook_id == webhook_id)
    for column, wanted in ((webhook_delivery.c.state, state), (webhook_delivery.c.action, action)):
        if wanted:
            statement = statement.where(column == wanted)
    if before is not None:
        statement = statement.where(webhook_delivery.c.id < before)
    return [_delivery(row) for row in tx.rows(statement.order_by(webhook_delivery.c.id.desc()).limit(limit))]


def delivery(tx: Transaction, webhook_id: int, delivery_id: int) -> Delivery | None:
    where = (webhook_delivery.c.webhook_id == webhook_id, webhook_delivery.c.id == delivery_id)
    row = tx.one(select(webhook_delivery).where(*where))
    return None if row is None else _delivery(row)


def forget(tx: Transaction, webhook_id: int, before: datetime, *, limit: int) -> int:
    """Remove deliveries that ended before a moment, `limit` at once; how many."""
    tx.quiet = True
    old = select(webhook_delivery.c.id).where(
        webhook_delivery.c.webhook_id == webhook_id, webhook_delivery.c.finished < before
    )
    return tx.execute(delete(webhook_delivery).where(webhook_delivery.c.id.in_(old.limit(limit)))).rowcount


# -- rows ----------------------------------------------------------------------------------------------------------


def _row(tx: Transaction, message: Message) -> dict[str, Any]:
    return {
        "webhook_id": message.webhook_id,
        "message": message.id,
        "action": message.action,
        "payload": message.payload,
        "state": PENDING,
        "attempts": 0,
        "log": [],
        "due": tx.now,
        "created": tx.now,
    }


def _values(new: Webhook) -> dict[str, Any]:
    return {
        "url": new.url,
        "events": list(new.events),
        "repositories": list(new.repositories),
        "enabled": new.enabled,
        "retention_days": new.retention_days,
        "disabled": new.disabled,
    }


def _shown(found: Webhook) -> dict[str, Any]:
    """For the audit: of the address only the host, since many receivers keep a secret in its path."""
    parts = urlsplit(found.url)
    members = {name: value for name, value in asdict(found).items() if name not in ("id", "created", "updated")}
    return {**members, "url": f"{parts.scheme}://{parts.hostname}/…"}


def _webhook(row: Row[Any]) -> Webhook:
    return Webhook(
        row.name,
        row.url,
        tuple(row.events),
        tuple(row.repositories),
        row.enabled,
        row.retention_days,
        row.disabled,
        row.id,
        row.created,
        row.updated,
    )


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        row.id,
        row.webhook_id,
        row.message,
        row.action,
        row.payload,
        row.state,
        row.attempts,
        row.log,
        row.due,
        row.created,
        row.finished,
    )
