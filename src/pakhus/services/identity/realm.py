"""What a realm is: it knows some people, or some kind of token, and says whose a credential is.

A realm answers with an `Identity`; with `None` when the credential is none of its own, or wrong: then the next realm is
asked; with `Unauthenticated` when it knows better why not ("expired", "disabled"): the next one is asked all the same,
and the reason is told if nobody accepts; with `Unavailable` when it cannot say now.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pakhus.domain.security import Grant

LOCAL = "default"
"""The source of the users whom this server keeps itself."""
SERVICE = "service"
"""The source of service accounts."""
TOKEN_PREFIX = "phk_"  # noqa: S105 -- a prefix, not a token
WRONG = "wrong username, password or token"
_JWT = re.compile(r"eyJ[\w-]*\.[\w-]+\.[\w-]*\Z")


@dataclass(frozen=True, slots=True)
class Door:
    """Where a credential was shown: the client's address, the format of the repository (empty outside of one), and
    the header that carried it."""

    address: str = ""
    format: str = ""
    header: str = "authorization"


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody whose credential a realm has checked.

    `groups` are what an external source says now; `None` is "did not ask", then what it said last counts. Every role
    whose id is the name of a group is given, and the `roles` that the realm's own mapping names, and those that were
    assigned here to (user_id, source). `grants` come on top of what the roles give. `limits` narrow what a token may; a
    remembered credential counts until `expires`. A `transient` one is no account and never becomes one: a build.
    """

    user_id: str
    source: str = LOCAL
    groups: tuple[str, ...] | None = None
    roles: tuple[str, ...] = ()
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    limits: tuple[Grant, ...] | None = None
    token: str = ""
    token_id: int = 0
    expires: datetime | None = None
    grants: tuple[Grant, ...] = ()
    transient: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """Somebody as a directory lists them."""

    user_id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    groups: tuple[str, ...] = ()


class Realm:
    """One way to know somebody. `source` names the users it brings along; empty: they are of other realms.

    A realm for the tokens of one `format` counts in its repositories only.
    """

    id: str = ""
    format: str = ""
    name: str = ""
    source: str = ""
    source_name: str = ""

    def takes(self, password: str) -> bool:
        """Is this a secret that the realm should get to see? Tokens of others are nobody's password."""
        return not is_token(password)

    async def sources(self) -> Sequence[Realm]:
        """The realms whose users these are: usually this one; a realm of many providers has one for each."""
        return [self] if self.source else []

    async def by_password(self, username: str, password: str, door: Door) -> Identity | None:
        """Name and password, or what a client sends in their place."""
        return None

    async def by_bearer(self, token: str, door: Door) -> Identity | None:
        return None


class Directory(Realm):
    """A realm that can be asked for somebody without a credential."""

    async def find(self, user_id: str) -> Identity | None:
        """What is known of the user now; `None`: nobody (any more). Raises `Unavailable`."""
        raise NotImplementedError

    async def search(self, prefix: str, *, limit: int) -> Sequence[Listed]:
        """Users whose id starts with `prefix`. Raises `Unavailable`."""
        raise NotImplementedError


def is_token(secret: str) -> bool:
    """One of our tokens, or anybody's JWT: never to be tried as a password."""
    return secret.startswith(TOKEN_PREFIX) or is_jwt(secret)


def is_jwt(secret: str) -> bool:
    return _JWT.match(secret) is not None
