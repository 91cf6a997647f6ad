"""Passwords: argon2id, in threads, with the same cost for users that do not exist."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

COMMON = frozenset({"password", "12345678", "123456789", "qwertyui", "admin123", "changeme", "letmein1", "iloveyou"})


class Passwords:
    def __init__(self, *, min_length: int) -> None:
        self._min_length = min_length
        self._hasher = PasswordHasher()
        self._threads = ThreadPoolExecutor(2, "pakhus-argon2")
        self._decoy = self._hasher.hash("nobody has this password")

    def flaw(self, password: str) -> str | None:
        """Why a new password is refused, or `None`."""
        if not password.strip():
            return "Password must not be empty"
        if len(password) < self._min_length:
            return f"Password must have at least {self._min_length} characters"
        if password.lower() in COMMON:
            return "Password is one of the most common ones"
        return None

    async def hash(self, password: str) -> str:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._hasher.hash, password)

    async def verify(self, hashed: str, password: str) -> bool:
        """Does the password belong to the hash? An empty hash is compared with a decoy, and never equal."""
        loop = asyncio.get_running_loop()
        equal = await loop.run_in_executor(self._threads, self._verify, hashed or self._decoy, password)
        return equal and bool(hashed)

    def _verify(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False
