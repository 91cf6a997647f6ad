"""Leases: who, of several processes, does a thing now. Losing one costs a repetition, never correctness."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import bindparam, delete, insert, or_, select, update

from pakhus.database.tables import lease
from pakhus.database.transaction import Transaction

_MINE = (
    update(lease)
    .where(
        lease.c.name == bindparam("lease"),
        or_(lease.c.owner == bindparam("taker"), lease.c.expires < bindparam("now", type_=lease.c.expires.type)),
    )
    .values(owner=bindparam("taker"), expires=bindparam("until"))
)
_HELD = select(lease.c.owner).where(lease.c.name == bindparam("lease"))
_TAKE = insert(lease)
_RELEASE = delete(lease).where(lease.c.name == bindparam("lease"), lease.c.owner == bindparam("taker"))


def take(tx: Transaction, name: str, owner: str, seconds: float) -> bool:
    """Take or renew the lease; false while somebody else holds it."""
    tx.quiet = True
    until = tx.now + timedelta(seconds=seconds)
    if tx.execute(_MINE, {"lease": name, "taker": owner, "now": tx.now, "until": until}).rowcount:
        return True
    if tx.execute(_HELD, {"lease": name}).first() is not None:
        return False
    tx.execute(_TAKE, {"name": name, "owner": owner, "expires": until})
    return True


def release(tx: Transaction, name: str, owner: str) -> None:
    tx.quiet = True
    tx.execute(_RELEASE, {"lease": name, "taker": owner})
