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
    return await accounts.anonymous(address)


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
