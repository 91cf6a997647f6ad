"""A second factor for local users: codes of an authenticator application (RFC 6238: SHA-1, 6 digits, 30 seconds).

Who has one logs in with password and code. Package clients cannot send a code: they use tokens, and the password alone
is refused everywhere.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import quote

from pakhus.database import sessions
from pakhus.database.sessions import SecondFactor
from pakhus.database.transaction import Database
from pakhus.database.vault import Vault
from pakhus.domain.errors import Conflict, Invalid, NotFound, Unauthenticated

STEP_SECONDS = 30
DIGITS = 6
ISSUER = "Pakhus"
SECRET_BYTES = 20


class CodeNeeded(Unauthenticated):
    """The password is right, and is not enough."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the authenticator application has to know, shown once. `uri` is for a QR code."""

    secret: str
    uri: str


class SecondFactors:
    def __init__(self, database: Database, vault: Vault, now: Callable[[], datetime]) -> None:
        self._database = database
        self._vault = vault
        self._now = now

    async def enrol(self, user_id: str) -> Enrolment:
        """A new secret; it is asked for from `confirm` on. Raises `Conflict` while there is a confirmed one."""
        kept = await self._database.read(sessions.second_factor_of, user_id)
        if kept is not None and kept.confirmed:
            raise Conflict("there is a second factor already; remove it first")
        secret = base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()
        row = SecondFactor(user_id, self._vault.seal({"password": secret}), confirmed=False)
        await self._database.write(sessions.put_second_factor, row)
        label = quote(f"{ISSUER}:{user_id}")
        return Enrolment(secret, f"otpauth://totp/{label}?secret={secret}&issuer={ISSUER}")

    async def confirm(self, user_id: str, code: str) -> None:
        """The first code, which proves that the application has the secret."""
        kept = await self._database.read(sessions.second_factor_of, user_id)
        if kept is None:
            raise NotFound("there is no second factor to confirm")
        step = self._step(kept, code)
        if step is None:
            raise Invalid("this is not the code of the moment", field="code")
        await self._database.write(sessions.put_second_factor, replace(kept, confirmed=True, last_step=step))

    async def is_on(self, user_id: str) -> bool:
        kept = await self._database.read(sessions.second_factor_of, user_id)
        return kept is not None and kept.confirmed

    async def check(self, user_id: str, code: str | None) -> None:
        """Raises `CodeNeeded` where there is a second factor and no code, `Unauthenticated` for a wrong or used one."""
        kept = await self._database.read(sessions.second_factor_of, user_id)
        if kept is None or not kept.confirmed:
            return
        if not code:
            raise CodeNeeded("this account has a second factor: send its code, or use a token")
        step = self._step(kept, code)
        if step is None or not await self._database.write(sessions.use_step, user_id, step):
            raise Unauthenticated("this is not the code of the moment")

    async def remove(self, user_id: str) -> None:
        if not await self._database.write(sessions.remove_second_factor, user_id):
            raise NotFound("there is no second factor")

    def _step(self, kept: SecondFactor, code: str) -> int | None:
        """The time step that the code is of: now, or one before or after, as clocks differ (RFC 6238, section 5.2)."""
        secret = base64.b32decode(self._vault.open(kept.secret)["password"])
        current = int(self._now().timestamp()) // STEP_SECONDS
        for step in (current, current - 1, current + 1):
            if hmac.compare_digest(totp(secret, step).encode(), code.strip().encode()):
                return step
        return None


def totp(secret: bytes, step: int, *, digits: int = DIGITS) -> str:
    """The code of a time step (RFC 4226, section 5.3)."""
    mac = hmac.digest(secret, struct.pack(">Q", step), "sha1")
    offset = mac[-1] & 0x0F
    number = struct.unpack(">I", mac[offset : offset + 4])[0] & 0x7FFFFFFF
    return str(number % 10**digits).zfill(digits)
