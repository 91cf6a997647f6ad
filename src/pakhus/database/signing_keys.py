"""Signing keys of repositories: the newest signs, an older one beside it until its time is over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, or_, select, update

from pakhus.database.tables import signing_key
from pakhus.database.transaction import Transaction
from pakhus.domain import events


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key; `secret` is sealed. `signs_until` is `None` for the one that stays."""

    fingerprint: str
    user_ids: tuple[str, ...]
    public: str
    secret: Mapping[str, Any]
    created: datetime | None = None
    signs_until: datetime | None = None


def active(tx: Transaction, repository_id: int) -> list[KeyRow]:
    """The keys that sign now, the newest first."""
    statement = (
        select(signing_key)
        .where(signing_key.c.repository_id == repository_id)
        .where(or_(signing_key.c.signs_until.is_(None), signing_key.c.signs_until > tx.now))
        .order_by(signing_key.c.signs_until.is_not(None), signing_key.c.id.desc())
    )
    return [
        KeyRow(row.fingerprint, tuple(row.user_ids), row.public, row.secret, row.created, row.signs_until)
        for row in tx.rows(statement)
    ]


def first(tx: Transaction, repository_id: int, repository: str, key: KeyRow) -> list[KeyRow]:
    """Insert the key unless the repository has one: two processes may have made one each. Those that sign now."""
    if not active(tx, repository_id):
        rotate(tx, repository_id, repository, key, overlap=timedelta())
    return active(tx, repository_id)


def rotate(tx: Transaction, repository_id: int, repository: str, key: KeyRow, *, overlap: timedelta) -> None:
    """The key signs from now on; the one before it goes on for the overlap. Those whose time is over are forgotten."""
    mine = signing_key.c.repository_id == repository_id
    current = active(tx, repository_id)
    if current and current[0].fingerprint == key.fingerprint and current[0].signs_until is None:
        return
    tx.execute(delete(signing_key).where(mine, signing_key.c.fingerprint == key.fingerprint))
    stays = mine & signing_key.c.signs_until.is_(None)
    tx.execute(update(signing_key).where(stays).values(signs_until=tx.now + overlap))
    tx.execute(delete(signing_key).where(mine, signing_key.c.signs_until <= tx.now))
    tx.execute(
        insert(signing_key).values(
            repository_id=repository_id,
            fingerprint=key.fingerprint,
            user_ids=list(key.user_ids),
            public=key.public,
            secret=dict(key.secret),
            created=tx.now,
            signs_until=None,
        )
    )
    tx.record(events.SIGNING_KEY_CHANGED, repository, fingerprint=key.fingerprint)
