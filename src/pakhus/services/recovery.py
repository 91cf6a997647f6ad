"""Getting in again: a new password for a user whose old one is lost, by whoever may read the data directory."""

from __future__ import annotations

import secrets
from dataclasses import replace

from pakhus.database import accounts
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.errors import Invalid, NotFound
from pakhus.services.passwords import Passwords


async def reset_password(database: Database, passwords: Passwords, username: str, password: str = "") -> str:
    """Set the password (a generated one if empty), activate the account, and return the password.

    Sessions end because they are bound to the old password; API tokens stay. A running server sees it at once.
    Raises `NotFound` for an unknown user, `Invalid` for a password that is too weak.
    """
    if password and (flaw := passwords.flaw(password)):
        raise Invalid(flaw, field="password")
    chosen = password or secrets.token_urlsafe(15)
    await database.write(_put, username, await passwords.hash(chosen))
    return chosen


def _put(tx: Transaction, username: str, hashed: str) -> None:
    user = accounts.user(tx, username)
    if user is None:
        raise NotFound(f"there is no user '{username}'")
    accounts.put_user(tx, replace(user, password_hash=hashed, status="active"))
