"""The objects that find out who somebody is, put together for one process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pakhus.database.transaction import Database
from pakhus.database.vault import Vault
from pakhus.services.accounts import Accounts
from pakhus.services.identity.ldap.realm import LdapRealm
from pakhus.services.identity.ldap.servers import LdapServers
from pakhus.services.identity.local import LocalRealm
from pakhus.services.identity.machines import ServiceAccounts
from pakhus.services.identity.people import People
from pakhus.services.identity.realms import AuthorizingRealm, Realms, RemoteUserRealm
from pakhus.services.identity.secondfactor import SecondFactors
from pakhus.services.identity.sessions import Sessions
from pakhus.services.identity.signing import Signing
from pakhus.services.identity.tokens import Tokens, api_tokens, token_realms
from pakhus.services.identity.usertokens import UserTokenRealm, UserTokens
from pakhus.services.passwords import Passwords
from pakhus.services.throttle import Throttle
from pakhus.settings.schema import Auth


@dataclass(frozen=True, slots=True)
class Identification:
    """`realms.register(…)` adds a way to log in; `signing` makes what a protocol wants signed."""

    realms: Realms
    people: People
    tokens: Tokens
    user_tokens: UserTokens
    machines: ServiceAccounts
    signing: Signing
    sessions: Sessions
    second_factors: SecondFactors
    throttle: Throttle
    ldap: LdapRealm
    ldap_servers: LdapServers
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
    realms.register(AuthorizingRealm())
    realms.always(api_tokens(tokens))
    user_tokens = UserTokens(database, tokens)
    realms.register(UserTokenRealm(tokens, user_tokens, now))
    vault = Vault(secret)
    ldap = LdapRealm(
        database,
        vault,
        cache_seconds=settings.ldap_cache_seconds,
        ca_file=settings.ldap_ca_file,
        seconds=seconds,
    )
    realms.register(ldap, active=False)
    realms.register(RemoteUserRealm(), active=False)
    for realm in token_realms(tokens):
        realms.register(realm)
    sessions = Sessions(database, signing, hours=settings.jwt_expiry_hours, secret=secret)
    second = SecondFactors(database, vault, now)
    throttle = Throttle(
        database,
        per_account=settings.lockout_failures,
        per_address=settings.lockout_address_failures,
        minutes=settings.lockout_minutes,
        exempt=settings.lockout_exempt,
        now=now,
    )
    accounts = Accounts(
        database,
        realms,
        people,
        tokens,
        sessions,
        second,
        signing,
        throttle,
        formats=formats,
        now=now,
        seconds=seconds,
    )
    return Identification(
        realms,
        people,
        tokens,
        user_tokens,
        ServiceAccounts(database),
        signing,
        sessions,
        second,
        throttle,
        ldap,
        LdapServers(database, vault, ldap),
        accounts,
    )
