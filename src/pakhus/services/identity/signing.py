"""Tokens that this server signs and keeps no row of: logins, and what a protocol wants signed. Short-lived JWTs.

The `aud` claim says what a token is for: one that was made for one purpose is nothing for another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from pakhus.domain.errors import Unauthenticated
from pakhus.services.identity.realm import is_jwt

EXPIRED = "this login has expired"


class Signing:
    def __init__(self, secret: str, now: Callable[[], datetime]) -> None:
        self._key = OctKey.import_key(hashlib.sha256(b"pakhus login\0" + secret.encode()).digest())
        self._now = now

    def make(self, purpose: str, claims: Mapping[str, Any], lifetime: timedelta) -> tuple[str, datetime]:
        """A token for `purpose`, and when it expires."""
        issued = self._now()
        expires = issued + lifetime
        whole = {**claims, "aud": purpose, "iat": int(issued.timestamp()), "exp": int(expires.timestamp())}
        return jwt.encode({"alg": "HS256"}, whole, self._key), expires

    def read(self, purpose: str, token: str) -> tuple[dict[str, Any], datetime] | None:
        """Claims and expiry of a token that was made here for `purpose`; `None` for any other.

        Raises `Unauthenticated` for one that has expired.
        """
        if not is_jwt(token):
            return None
        try:
            claims = jwt.decode(token, self._key, algorithms=["HS256"]).claims
        except (JoseError, ValueError):
            return None
        if claims.get("aud") != purpose:
            return None
        expires = datetime.fromtimestamp(claims["exp"], UTC)
        if expires <= self._now():
            raise Unauthenticated(EXPIRED)
        return dict(claims), expires
