"""Leases: who, of several processes, does a thing now. Losing one costs a repetition, never correctness."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, insert, or_, select, update

from pakhus.database.tables import lease
from pakhus.database.transaction import Transaction


def take(tx: Transaction, name: str, owner: str, seconds: float) -> bool:
    """Take or renew the lease; false while somebody else holds it."""
    tx.quiet = True
    expires = tx.now + timedelta(seconds=seconds)
    mine = update(lease).where(lease.c.name == name, or_(lease.c.owner == owner, lease.c.expires < tx.now))
    if tx.execute(mine.values(owner=owner, expires=expires)).rowcount:
        return True
    if tx.one(select(lease.c.owner).where(lease.c.name == name)) is not None:
        return False
    tx.execute(insert(lease).values(name=name, owner=owner, expires=expires))
    return True


def release(tx: Transaction, name: str, owner: str) -> None:
    tx.quiet = True
    tx.execute(delete(lease).where(lease.c.name == name, lease.c.owner == owner))


def held(tx: Transaction, name: str) -> bool:
    return tx.one(select(lease.c.owner).where(lease.c.name == name, lease.c.expires >= tx.now)) is not None
