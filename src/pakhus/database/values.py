"""Server-wide settings that an administrator changes at run time: one JSON value under each key."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, select, update

from pakhus.database.tables import setting
from pakhus.database.transaction import Transaction
from pakhus.domain import events


def get(tx: Transaction, key: str) -> Any:
    return tx.value(select(setting.c.value).where(setting.c.key == key))


def everything(tx: Transaction) -> dict[str, Any]:
    """All of them, by key."""
    return {row.key: row.value for row in tx.rows(select(setting))}


def put(tx: Transaction, key: str, value: Any) -> None:
    tx.configures = True
    known = get(tx, key)
    tx.changed(events.SETTING, key, None if known is None else {key: known}, {key: value})
    if not tx.execute(update(setting).where(setting.c.key == key).values(value=value)).rowcount:
        tx.execute(insert(setting).values(key=key, value=value))
