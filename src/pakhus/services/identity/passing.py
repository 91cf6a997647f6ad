"""Passing tokens: short-lived JWTs for a scope, which say who somebody is and what at most they may do for a while.

They carry no rights: those are the user's at the moment of each request, narrowed to the token's scopes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pakhus.csel import Comparison, Operator, Subject
from pakhus.domain.repository import Repository
from pakhus.domain.security import Actor, ContentSelector, Grant, Permission
from pakhus.services.identity.signing import Signing

SECONDS = 900
OFFLINE_DAYS = 90
USE, OFFLINE = "passing", "offline"


@dataclass(frozen=True, slots=True)
class Claims:
    """Whom a token speaks of. `key` changes when what the token rests on (a password, an API token) does."""

    user: str
    source: str
    key: str
    token: str
    expires: datetime
    limits: tuple[Grant, ...] = ()


class PassingTokens:
    def __init__(self, signing: Signing) -> None:
        self._signing = signing

    def issue(self, actor: Actor, key: str, scopes: Iterable[tuple[Repository, str, Sequence[Permission]]]) -> str:
        """A token for an actor (the anonymous one, too), good for these paths or folders."""
        listed = [[each.format, each.name, path, [str(one) for one in able]] for each, path, able in scopes]
        return self._signing.make(USE, {**_said(actor, key), "scp": listed}, timedelta(seconds=SECONDS))[0]

    def issue_offline(self, actor: Actor, key: str) -> str:
        """A token that only gets others."""
        return self._signing.make(OFFLINE, _said(actor, key), timedelta(days=OFFLINE_DAYS))[0]

    def read(self, token: str) -> Claims | None:
        """What a passing token says; `None` when it is none. Raises `Unauthenticated` for an expired one."""
        return self._read(USE, token)

    def read_offline(self, token: str) -> Claims | None:
        return self._read(OFFLINE, token)

    def _read(self, purpose: str, token: str) -> Claims | None:
        found = self._signing.read(purpose, token)
        if found is None:
            return None
        claims, expires = found
        limits = tuple(_limits(claims.get("scp", ())))
        return Claims(claims["sub"], claims["src"], claims["key"], claims["tok"], expires, limits)


def _said(actor: Actor, key: str) -> Mapping[str, Any]:
    return {"sub": "" if actor.anonymous else actor.user, "src": actor.source, "key": key, "tok": actor.token}


def _limits(scopes: Iterable[Any]) -> Iterable[Grant]:
    for format, repository, path, permissions in scopes:
        yield Grant.parse(
            f"repository-view:{format}:{repository}:{','.join(permissions)}",
            privilege=f"scope {repository}/{path}",
            selector=_below(path),
        )


def _below(path: str) -> ContentSelector:
    """Selects a path, or all below a folder."""
    operator = Operator.STARTS if path.endswith("/") else Operator.EQUAL
    comparison = Comparison(Subject.PATH, operator, f"/{path}")
    return ContentSelector(f"scope {path}", f'path {operator} "/{path}"', comparison)
