"""Logins that are open, logins that failed, and second factors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, or_, select, update

from pakhus.database.tables import lockout, second_factor, session, token
from pakhus.database.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Session:
    """An open login: of whom, from where, with which program."""

    id: str
    user_id: str
    source: str
    address: str
    agent: str
    created: datetime
    expires: datetime


@dataclass(frozen=True, slots=True)
class Lockout:
    """Failed logins of a user from an address since the first of them; without user: of anybody from there."""

    user_id: str
    address: str
    failures: int
    expires: datetime


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """`secret` is sealed; `last_step` is the newest time step whose code was used."""

    user_id: str
    secret: dict[str, Any]
    confirmed: bool
    last_step: int = 0


# -- sessions ------------------------------------------------------------------------------------------------------


def open_session(tx: Transaction, new: Session) -> None:
    tx.quiet = True
    values = {name: getattr(new, name) for name in Session.__slots__}
    tx.execute(insert(session).values(**values))


def session_by_id(tx: Transaction, id: str) -> Session | None:
    row = tx.one(select(session).where(session.c.id == id))
    return None if row is None else Session(**row._mapping)


def sessions_of(tx: Transaction, user_id: str, source: str) -> list[Session]:
    where = (session.c.user_id == user_id, session.c.source == source)
    return [Session(**row._mapping) for row in tx.rows(select(session).where(*where).order_by(session.c.created))]


def end_sessions(tx: Transaction, user_id: str, source: str, *, id: str | None = None) -> int:
    """All sessions of the user, or one."""
    tx.configures = True
    where = [session.c.user_id == user_id, session.c.source == source]
    if id is not None:
        where.append(session.c.id == id)
    return tx.execute(delete(session).where(*where)).rowcount


def sweep(tx: Transaction, *, login_kinds_like: str, forgotten: datetime) -> int:
    """What has expired: sessions, lockouts, the tokens of protocols' logins; other tokens if before `forgotten`."""
    tx.quiet = True
    gone = tx.execute(delete(session).where(session.c.expires <= tx.now)).rowcount
    gone += tx.execute(delete(lockout).where(lockout.c.expires <= tx.now)).rowcount
    over = or_(token.c.kind.like(login_kinds_like), token.c.expires <= forgotten)
    return gone + tx.execute(delete(token).where(token.c.expires <= tx.now, over)).rowcount


# -- failed logins -------------------------------------------------------------------------------------------------


def failures(tx: Transaction, user_id: str, address: str) -> dict[str, int]:
    """How often it failed lately: for the user from the address, and under "" for anybody from there."""
    statement = select(lockout.c.user_id, lockout.c.failures).where(
        lockout.c.address == address, lockout.c.user_id.in_([user_id, ""]), lockout.c.expires > tx.now
    )
    return {row.user_id: row.failures for row in tx.rows(statement)}


def count_failure(tx: Transaction, users: Sequence[str], address: str, until: datetime) -> None:
    """One more, for each of the names; the window begins with the first failure."""
    tx.quiet = True
    for user_id in users:
        where = (lockout.c.user_id == user_id, lockout.c.address == address)
        more = update(lockout).where(*where, lockout.c.expires > tx.now).values(failures=lockout.c.failures + 1)
        if not tx.execute(more).rowcount:
            tx.execute(delete(lockout).where(*where))
            tx.execute(insert(lockout).values(user_id=user_id, address=address, failures=1, expires=until))


def clear_failures(tx: Transaction, user_id: str, address: str | None = None) -> int:
    tx.quiet = True
    where = [lockout.c.user_id == user_id]
    if address is not None:
        where.append(lockout.c.address == address)
    return tx.execute(delete(lockout).where(*where)).rowcount


def lockouts(tx: Transaction) -> list[Lockout]:
    statement = select(lockout).where(lockout.c.expires > tx.now).order_by(lockout.c.user_id, lockout.c.address)
    return [Lockout(**row._mapping) for row in tx.rows(statement)]


# -- second factors ------------------------------------------------------------------------------------------------


def second_factor_of(tx: Transaction, user_id: str) -> SecondFactor | None:
    row = tx.one(select(second_factor).where(second_factor.c.user_id == user_id))
    return None if row is None else SecondFactor(**row._mapping)


def put_second_factor(tx: Transaction, new: SecondFactor) -> None:
    tx.configures = True
    tx.execute(delete(second_factor).where(second_factor.c.user_id == new.user_id))
    values = {name: getattr(new, name) for name in SecondFactor.__slots__}
    tx.execute(insert(second_factor).values(**values))


def use_step(tx: Transaction, user_id: str, step: int) -> bool:
    """Note that the code of a time step was used; false if it, or a later one, was already."""
    tx.quiet = True
    where = (second_factor.c.user_id == user_id, second_factor.c.last_step < step)
    return tx.execute(update(second_factor).where(*where).values(last_step=step)).rowcount > 0


def remove_second_factor(tx: Transaction, user_id: str) -> bool:
    tx.configures = True
    return tx.execute(delete(second_factor).where(second_factor.c.user_id == user_id)).rowcount > 0
