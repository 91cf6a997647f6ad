"""Passing tokens: short-lived JWTs for a scope, which say who somebody is and what at most they may do for a while.

They carry no rights: those are the user's at the moment of each request, narrowed to the token's scopes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from pakhus.domain.errors import Unauthenticated
from pakhus.domain.repository import Repository
from pakhus.domain.security import Actor, Grant, Permission

SECONDS = 900
OFFLINE_DAYS = 90
USE, OFFLINE = "use", "offline"


@dataclass(frozen=True, slots=True)
class Claims:
    """Whom a token speaks of. `key` changes when what the token rests on (a password, an API token) does."""

    user: str
    source: str
    key: str
    token: str
    offline: bool
    expires: datetime
    limits: tuple[Grant, ...]


class PassingTokens:
    def __init__(self, secret: str, now: Callable[[], datetime]) -> None:
        self._key = OctKey.import_key(hashlib.sha256(b"pakhus passing\0" + secret.encode()).digest())
        self._now = now

    def issue(self, actor: Actor, key: str, scopes: Iterable[tuple[Repository, str, Sequence[Permission]]]) -> str:
        """A token for an actor (the anonymous one, too), good for these paths or folders."""
        listed = [[each.format, each.name, path, [str(one) for one in able]] for each, path, able in scopes]
        return self._encoded(actor, key, timedelta(seconds=SECONDS), {"typ": USE, "scp": listed})

    def issue_offline(self, actor: Actor, key: str) -> str:
        """A token that only gets others."""
        return self._encoded(actor, key, timedelta(days=OFFLINE_DAYS), {"typ": OFFLINE})

    def read(self, token: str) -> Claims | None:
        """What a token says; `None` when it is none of ours. Raises `Unauthenticated` for an expired one."""
        try:
            claims = jwt.decode(token, self._key, algorithms=["HS256"]).claims
        except (JoseError, ValueError):
            return None
        expires = datetime.fromtimestamp(claims["exp"], self._now().tzinfo)
        if expires <= self._now():
            raise Unauthenticated("the token has expired")
        offline = claims["typ"] == OFFLINE
        return Claims(
            user=claims["sub"],
            source=claims["src"],
            key=claims["key"],
            token=claims["tok"],
            offline=offline,
            expires=expires,
            limits=() if offline else tuple(_limits(claims)),
        )

    def _encoded(self, actor: Actor, key: str, lifetime: timedelta, more: Mapping[str, Any]) -> str:
        now = self._now()
        claims = {
            "sub": "" if actor.anonymous else actor.user,
            "src": actor.source,
            "key": key,
            "tok": actor.token,
            "iat": int(now.timestamp()),
            "exp": int((now + lifetime).timestamp()),
            **more,
        }
        return jwt.encode({"alg": "HS256"}, claims, self._key)


def _limits(claims: Mapping[str, Any]) -> Iterable[Grant]:
    for format, repository, path, permissions in claims["scp"]:
        yield Grant.parse(
            f"repository-view:{format}:{repository}:{','.join(permissions)}",
            privilege=f"scope {repository}/{path}",
            selector=_Below(path),
        )


@dataclass(frozen=True, slots=True)
class _Below:
    """Selects a path, or all below a folder."""

    path: str

    def __call__(self, format: str, path: str) -> bool:
        wanted = "/" + self.path
        return path.startswith(wanted) if wanted.endswith("/") else path == wanted
