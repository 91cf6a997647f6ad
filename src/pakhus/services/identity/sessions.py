"""Logins that are open: a JWT for the client, a row for the server, which can end it at any time."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from pakhus.database import sessions
from pakhus.database.accounts import User
from pakhus.database.sessions import Session
from pakhus.database.transaction import Database
from pakhus.domain.errors import NotFound, Unauthenticated
from pakhus.services.identity.realm import Identity
from pakhus.services.identity.signing import EXPIRED, Signing

LOGIN = "login"
"""The purpose of the JWT of a login."""
LONGEST_AGENT = 200


@dataclass(frozen=True, slots=True)
class Login:
    """What a client gets that logged in. `csrf` proves, beside a cookie, that a request is the user's own."""

    token: str
    expires: datetime
    csrf: str
    id: str


class Sessions:
    def __init__(self, database: Database, signing: Signing, *, hours: int, secret: str) -> None:
        self._database = database
        self._signing = signing
        self._life = timedelta(hours=hours)
        self._key = hashlib.sha256(b"pakhus csrf\0" + secret.encode()).digest()

    async def open(self, user: User, address: str, agent: str, now: datetime, life: timedelta | None = None) -> Login:
        """A login of the usual length, or of another one."""
        id = secrets.token_hex(16)
        claims = {"sub": user.user_id, "src": user.source, "sid": id}
        token, expires = self._signing.make(LOGIN, claims, life or self._life)
        row = Session(id, user.user_id, user.source, address, agent[:LONGEST_AGENT], now, expires)
        await self._database.write(sessions.open_session, row)
        return Login(token, expires, self.csrf(token), id)

    async def identity(self, token: str) -> Identity | None:
        """Whose login this is; `None` for other tokens. Raises `Unauthenticated` for one that is over."""
        found = self._signing.read(LOGIN, token)
        if found is None:
            return None
        row = await self._database.read(sessions.session_by_id, str(found[0].get("sid", "")))
        if row is None:
            raise Unauthenticated(EXPIRED)
        return Identity(row.user_id, row.source, expires=row.expires)

    def csrf(self, token: str) -> str:
        return hmac.digest(self._key, token.encode(), "sha256").hex()

    async def of(self, user_id: str, source: str) -> list[Session]:
        return await self._database.read(sessions.sessions_of, user_id, source)

    async def end(self, user_id: str, source: str, id: str) -> None:
        if not await self._database.write(sessions.end_sessions, user_id, source, id=id):
            raise NotFound(f"there is no session '{id}'")

    async def end_all(self, user_id: str, source: str) -> int:
        return await self._database.write(sessions.end_sessions, user_id, source)

    async def log_out(self, token: str) -> bool:
        """End the session that the token is of; false if it is of none."""
        try:
            found = self._signing.read(LOGIN, token)
        except Unauthenticated:
            return False
        if found is None:
            return False
        claims = found[0]
        ended = await self._database.write(
            sessions.end_sessions, claims["sub"], claims["src"], id=str(claims.get("sid", ""))
        )
        return ended > 0
