"""The objects that find out who somebody is, put together for one process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pakhus.database.transaction import Database
from pakhus.services.accounts import Accounts
from pakhus.services.identity.local import LocalRealm
from pakhus.services.identity.people import People
from pakhus.services.identity.realms import Realms
from pakhus.services.identity.signing import Signing
from pakhus.services.identity.tokens import Tokens, token_realms
from pakhus.services.passwords import Passwords
from pakhus.services.throttle import Throttle
from pakhus.settings.schema import Auth


@dataclass(frozen=True, slots=True)
class Identification:
    """`realms.register(…)` adds a way to log in; `signing` makes what a protocol wants signed."""

    realms: Realms
    people: People
    tokens: Tokens
    signing: Signing
    accounts: Accounts


def identification(
    database: Database,
    passwords: Passwords,
    settings: Auth,
    *,
    secret: str,
    formats: Sequence[str],
    now: Callable[[], datetime],
    seconds: Callable[[], float],
) -> Identification:
    realms = Realms(database)
    tokens = Tokens(
        database, secret=secret, max_days=settings.token_max_days, login_days=settings.login_token_days, now=now
    )
    signing = Signing(secret, now)
    people = People(database, realms, now)
    realms.register(LocalRealm(database, passwords, seconds))
    for realm in token_realms(tokens):
        realms.register(realm)
    accounts = Accounts(
        database,
        realms,
        people,
        tokens,
        signing,
        Throttle(seconds),
        formats=formats,
        jwt_hours=settings.jwt_expiry_hours,
        now=now,
        seconds=seconds,
    )
    return Identification(realms, people, tokens, signing, accounts)
