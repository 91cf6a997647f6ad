"""The users whom this server keeps itself, and their passwords. A proof is remembered by its digest, for a minute."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable

from cachetools import TTLCache

from pakhus.database import accounts
from pakhus.database.accounts import User
from pakhus.database.transaction import Database
from pakhus.services.identity.realm import LOCAL, Door, Identity, Realm
from pakhus.services.identity.realms import AUTHENTICATING, WrongPassword
from pakhus.services.passwords import Passwords

PROVEN_SECONDS = 60.0


class LocalRealm(Realm):
    id = AUTHENTICATING
    name = "Local Authenticating Realm"
    source = LOCAL
    source_name = "Local"

    def __init__(self, database: Database, passwords: Passwords, seconds: Callable[[], float]) -> None:
        self._database = database
        self._passwords = passwords
        self._proven: TTLCache[bytes, str] = TTLCache(10_000, PROVEN_SECONDS, timer=seconds)
        self._verifying: dict[bytes, asyncio.Future[bool]] = {}

    async def by_password(self, username: str, password: str, door: Door) -> Identity | None:
        """Takes as long for users that do not exist as for wrong passwords."""
        user = await self._database.read(accounts.user, username)
        if await self._proves(username, password, user) and user is not None:
            return Identity(user.user_id)
        if user is not None:
            raise WrongPassword
        return None

    async def _proves(self, username: str, password: str, user: User | None) -> bool:
        """Is it the user's password? A proof is remembered with the hash that it was made against."""
        hashed = user.password_hash if user is not None else ""
        key = hashlib.sha256(f"proof\0{username}\0{password}".encode()).digest()
        if hashed and self._proven.get(key) == hashed:
            return True
        if not await self._verified_once(key + hashed.encode(), hashed, password):
            return False
        self._proven[key] = hashed
        return True

    async def _verified_once(self, key: bytes, hashed: str, password: str) -> bool:
        """However many requests bring the same password at once, it is verified once."""
        verifying = self._verifying.get(key)
        if verifying is None:
            verifying = self._verifying[key] = asyncio.ensure_future(self._passwords.verify(hashed, password))
            verifying.add_done_callback(lambda done: self._verifying.pop(key, None))
        return await asyncio.shield(verifying)
