"""Credentials → actor: whatever way a client of a format has to say who it is."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Protocol

from pakhus.domain.errors import Unauthenticated
from pakhus.domain.initiator import Initiator, claimed
from pakhus.domain.security import Actor
from pakhus.kit.format import BASIC, BEARER, Credential
from pakhus.web.exchange import Exchange

SESSION = "NXSESSIONID"
CSRF = "nx-anti-csrf-token"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
LOGIN_PATH = "/service/rapture/session"


class Accounts(Protocol):
    """What the gateway asks of the security services. All raise `Unauthenticated` for wrong credentials."""

    async def anonymous(self, address: str) -> Actor:
        """The actor of a request without credentials; without any rights where anonymous access is off."""
        ...

    async def by_password(
        self, username: str, password: str, address: str, *, format: str = "", header: str = "authorization"
    ) -> Actor:
        """A user's password, or a token in its place; `format` is that of the repository that was asked for."""
        ...

    async def by_session(self, token: str, address: str, *, csrf: str | None) -> Actor | None:
        """Whose session a browser's cookie is of; `csrf` came with a request that changes something."""
        ...

    async def by_remote_user(self, username: str, address: str) -> Actor:
        """Whom a trusted proxy has let in. Raises `Unauthenticated` for who is unknown here."""
        ...

    async def by_token(self, token: str, address: str, *, format: str = "", header: str = "authorization") -> Actor: ...


async def identify(
    exchange: Exchange,
    accounts: Accounts,
    address: str,
    credentials: Sequence[Credential] = (BASIC, BEARER),
    *,
    format: str = "",
) -> Actor:
    """The actor of a request for something in a repository of that format, or for anything else."""
    for credential in credentials:
        value = exchange.headers.get(credential.header, "").strip()
        if not value:
            continue
        if credential.scheme in ("raw", "header") and " " not in value:
            return await _token(accounts, value, address, format, credential.header)
        scheme, _, rest = value.partition(" ")
        if credential.scheme == "basic" and scheme.lower() == "basic":
            return await _basic(accounts, rest.strip(), address, format)
        if credential.scheme == "bearer" and scheme.lower() in ("bearer", "token"):
            return await _token(accounts, rest.strip(), address, format)
    if exchange.headers.get("authorization"):
        raise Unauthenticated("these credentials are of a kind that is not accepted here")
    return await _by_cookie(exchange, accounts, address) or await accounts.anonymous(address)


async def by_remote_user(exchange: Exchange, accounts: Accounts, named: str, address: str) -> Actor:
    """Who a trusted proxy says is asking.

    The proxy says so of every request of that browser: one that changes something must not come from another site.
    """
    if exchange.method not in SAFE and exchange.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise Unauthenticated("a request of another site changes nothing here")
    return await accounts.by_remote_user(named, address)


async def _by_cookie(exchange: Exchange, accounts: Accounts, address: str) -> Actor | None:
    """Who has a login open in this browser. Whoever logs in anew has not to show the old one."""
    cookies = exchange.headers.get("cookie", "")
    if SESSION not in cookies or exchange.target == LOGIN_PATH:
        return None
    token = next((value for name, value in _pairs(cookies) if name == SESSION), "")
    csrf = None if exchange.method in SAFE else exchange.headers.get(CSRF, "")
    return await accounts.by_session(token, address, csrf=csrf)


def _pairs(cookies: str) -> list[tuple[str, str]]:
    """Names and values of a Cookie header (RFC 6265, section 5.4)."""
    parts = (each.partition("=") for each in cookies.split(";"))
    return [(name.strip(), value.strip().strip('"')) for name, _, value in parts]


async def _token(accounts: Accounts, token: str, address: str, format: str, header: str = "authorization") -> Actor:
    claimed("", "token")
    return await accounts.by_token(token, address, format=format, header=header)


async def _basic(accounts: Accounts, encoded: str, address: str, format: str) -> Actor:
    try:
        text = base64.b64decode(encoded, validate=True).decode("utf-8")
    except ValueError as error:
        raise Unauthenticated("malformed Basic credentials") from error
    username, colon, password = text.partition(":")
    if not colon or "\0" in text:
        raise Unauthenticated("malformed Basic credentials")
    claimed(username, "password")
    return await accounts.by_password(username, password, address, format=format)


def initiator_of(actor: Actor, exchange: Exchange) -> Initiator:
    """In whose name the request goes on, and how that was proven."""
    credential = "session"
    if actor.anonymous:
        credential = "none"
    elif actor.token:
        credential = f"token {actor.token}"
    elif exchange.headers.get("authorization", "").lower().startswith("basic "):
        credential = "password"
    return Initiator(actor.user, actor.source, credential, actor.address, exchange.request_id)
