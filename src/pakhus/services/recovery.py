"""Getting in again: a new password for a user whose old one is lost, by whoever may read the data directory."""

from __future__ import annotations

import secrets

from pakhus.database import accounts, sessions, values
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.errors import Invalid, NotFound
from pakhus.services.identity.realms import AUTHENTICATING, KEY
from pakhus.services.passwords import Passwords


async def reset_password(database: Database, passwords: Passwords, username: str, password: str = "") -> str:
    """Set the password (a generated one if empty), activate the account, and return the password.

    Its sessions and its second factor end, API tokens stay, and local passwords count again where they were switched
    off. A running server sees it at once.
    Raises `NotFound` for an unknown user, `Invalid` for a password that is too weak.
    """
    if password and (flaw := passwords.flaw(password, about=[username])):
        raise Invalid(flaw, field="password")
    chosen = password or secrets.token_urlsafe(15)
    await database.write(_put, username, await passwords.hash(chosen))
    return chosen


def _put(tx: Transaction, username: str, hashed: str) -> None:
    user = accounts.user(tx, username)
    if user is None:
        raise NotFound(f"there is no user '{username}'")
    accounts.put_password(tx, user, hashed, status="active")
    sessions.remove_second_factor(tx, username)
    active: list[str] | None = values.get(tx, KEY)
    if active is not None and AUTHENTICATING not in active:
        values.put(tx, KEY, [AUTHENTICATING, *active])
