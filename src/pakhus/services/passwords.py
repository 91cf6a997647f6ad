"""Passwords: argon2id, in threads, with the same cost for users that do not exist."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from pakhus.services.guesses import is_common
from pakhus.services.identity.realm import is_token

LONGEST = 1024


class Passwords:
    def __init__(self, *, min_length: int, refuse_common: bool = True) -> None:
        self._min_length = min_length
        self._refuse_common = refuse_common
        self._hasher = PasswordHasher()
        self._threads = ThreadPoolExecutor(2, "pakhus-argon2")
        self._decoy = self._hasher.hash("nobody has this password")

    def flaw(self, password: str, *, about: Collection[str] = ()) -> str | None:
        """Why a new password is refused, or `None`. `about`: the user's id, names and the like."""
        if not password.strip():
            return "Password must not be empty"
        if len(password) < self._min_length:
            return f"Password must have at least {self._min_length} characters"
        if len(password) > LONGEST:
            return f"Password must have at most {LONGEST} characters"
        if self._refuse_common and is_common(password, about=about):
            return "Password is one that is guessed early: a common word, a name or a pattern"
        if is_token(password):
            return "Password must not look like a token"
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
