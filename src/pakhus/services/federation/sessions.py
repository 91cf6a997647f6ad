"""Logins through identity providers, and what becomes of people whom their provider lets go.

A login ends when the provider says so (back-channel logout), when an administrator does, or by its time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pakhus.database import accounts, federation
from pakhus.database.accounts import User
from pakhus.database.federation import SessionRow, SubjectRow
from pakhus.database.transaction import Database, Transaction
from pakhus.database.vault import Vault
from pakhus.domain.errors import Unauthenticated
from pakhus.services.federation.oidc import Login, Oidc
from pakhus.services.federation.providers import OidcProvider, Person, SamlProvider, admits, roles_of
from pakhus.services.federation.refusal import Refusals, Refused
from pakhus.services.federation.registry import OIDC, Registry
from pakhus.services.identity.people import ADMITTED
from pakhus.services.identity.realm import WRONG, Directory, Door, Identity, Listed, Realm, is_jwt
from pakhus.services.identity.sessions import Login as Opened
from pakhus.services.identity.tokens import PLACEHOLDERS
from pakhus.services.identity.wiring import Identification

LONG_AGO = datetime(1970, 1, 2, tzinfo=UTC)
Provider = OidcProvider | SamlProvider


@dataclass(frozen=True, slots=True)
class Entered:
    """Somebody is in: the account, and the login that was opened."""

    user_id: str
    login: Opened


class Sessions:
    def __init__(
        self,
        database: Database,
        vault: Vault,
        registry: Registry,
        identification: Identification,
        oidc: Oidc,
        refusals: Refusals,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._vault = vault
        self._registry = registry
        self._accounts = identification.accounts
        self._sessions = identification.sessions
        self._oidc = oidc
        self._refusals = refusals
        self._now = now

    # -- coming in -------------------------------------------------------------------------------------------------

    async def enter(self, provider: Provider, login: Login, address: str, agent: str) -> Entered:
        """Let the person in, with an account if need be. Raises `Refused`."""
        person = login.person
        user_id = await self._database.write(_enter, person, provider, self._details(login))
        life = timedelta(hours=provider.session_hours)
        identity = identity_of(person, user_id, provider)
        opened = await self._accounts.open_session_for(identity, address, agent=agent, life=life)
        row = SessionRow(opened.id, provider.name, person.subject, person.session, user_id, opened.expires)
        await self._database.write(federation.add_session, row)
        return Entered(user_id, opened)

    async def identity(self, token: str, kind: str) -> Identity | None:
        """Whose login the token is of, if that somebody is of a provider of this kind."""
        found = await self._sessions.identity(token)
        configuration = await self._registry.current()
        sources = configuration.oidc if kind == OIDC else configuration.saml
        return found if found is not None and found.source in sources else None

    async def end(self, token: str) -> None:
        await self._sessions.log_out(token)

    async def end_all(self, source: str, *, subject: str = "", session: str = "") -> int:
        """The provider, or an administrator, ends logins: they are void at once, on every node."""
        return await self._database.write(federation.end_sessions, source, subject=subject, session=session)

    # -- staying ---------------------------------------------------------------------------------------------------

    async def standing(self, provider: Provider, user_id: str) -> Identity | None:
        """What the provider says of somebody who holds a token of ours; `None`: nobody who ever logged in.

        Raises `Unauthenticated` when it no longer stands by them, `Unavailable` when it cannot be asked.
        """
        row, user = await self._database.read(_subject_and_user, provider.name, user_id)
        if row is None or user is None or not provider.enabled:
            return None
        if provider.login_days and row.last_login + timedelta(days=provider.login_days) < self._now():
            raise Unauthenticated(f"log in again: the last login was more than {provider.login_days} days ago")
        person = _remembered(row, user)
        if isinstance(provider, OidcProvider) and provider.recheck_minutes:
            person = await self._rechecked(provider, row) or person
        try:
            admits(person, provider.admission, exists=True)
        except Refused as refused:
            raise Unauthenticated(refused.message) from refused
        return identity_of(person, user_id, provider)

    async def _rechecked(self, provider: OidcProvider, row: SubjectRow) -> Person | None:
        """Ask the provider anew once it is time, one node at a time: a refresh token is good for one use."""
        if row.checked + timedelta(minutes=provider.recheck_minutes) > self._now():
            return None
        token = self._vault.open(row.details).get("refresh_token", "")
        if not token:
            raise Unauthenticated("log in again: the identity provider cannot be asked about this account")
        if not await self._database.write(federation.claim_check, row):
            return None
        try:
            login = await self._oidc.refreshed(provider, token, row.subject)
        except Refused as refused:
            self._refusals.note("oidc", provider.name, refused.why, subject=row.subject)
            await self._database.write(_let_go, row)
            raise Unauthenticated("the identity provider no longer stands by this account") from refused
        except Exception:
            await self._database.write(federation.checked, row, row.checked, row.details)
            raise
        await self._database.write(federation.checked, row, self._now(), self._details(login))
        return login.person

    def _details(self, login: Login) -> dict[str, Any]:
        """What the provider said, so that a changed rule counts at once, for those who are logged in too."""
        person = login.person
        said = {"groups": list(person.groups), "email": person.email, "verified": person.email_is_verified}
        sealed: dict[str, Any] = self._vault.seal({**said, "refresh_token": login.refresh_token})
        return sealed


def _remembered(row: SubjectRow, user: User) -> Person:
    """The person as the provider described them at the last login."""
    said = row.details
    return Person(
        row.source,
        row.subject,
        row.user_id,
        said.get("email", ""),
        said.get("verified", False),
        user.first_name,
        user.last_name,
        tuple(said.get("groups", ())),
    )


def identity_of(person: Person, user_id: str, provider: Provider) -> Identity:
    """Groups become roles by the provider's rules; by their mere names only where that is wanted."""
    return Identity(
        user_id,
        provider.name,
        groups=person.groups if provider.admission.groups_are_roles else (),
        roles=roles_of(person, provider.admission),
        first_name=person.first_name,
        last_name=person.last_name,
        email=person.email,
    )


def _enter(tx: Transaction, person: Person, provider: Provider, details: dict[str, Any]) -> str:
    """The account of the person: the one that the subject had before, whatever it is called at the provider by now."""
    known = federation.subject(tx, provider.name, person.subject)
    user_id = known.user_id if known is not None else person.user_id
    user = accounts.user(tx, user_id, provider.name)
    holder = federation.subject_of(tx, provider.name, user_id)
    if user is not None and holder is not None and holder.subject != person.subject:
        raise Refused(
            f"the account '{user_id}' is that of the subject '{holder.subject}', not of '{person.subject}'",
            f"the account '{user_id}' is somebody else's",
        )
    admits(person, provider.admission, exists=user is not None)
    if user is not None and user.status not in ADMITTED:
        raise Refused(f"the account '{user_id}' is {user.status}", f"the account '{user_id}' is {user.status}")
    federation.link(tx, provider.name, person.subject, user_id, details)
    return user_id


def _let_go(tx: Transaction, row: SubjectRow) -> None:
    """All sessions end, and tokens wait for the next login."""
    federation.end_sessions(tx, row.source, subject=row.subject)
    federation.checked(tx, row, LONG_AGO, {})
    tx.quiet, tx.configures = False, True


def _subject_and_user(tx: Transaction, source: str, user_id: str) -> tuple[SubjectRow | None, User | None]:
    return federation.subject_of(tx, source, user_id), accounts.user(tx, user_id, source)


class ProviderDirectory(Directory):
    """One provider's people, as far as they have been here."""

    def __init__(self, provider: Provider, sessions: Sessions) -> None:
        self.id = self.source = provider.name
        self.source_name = provider.button or provider.name
        self._provider = provider
        self._sessions = sessions

    async def find(self, user_id: str) -> Identity | None:
        return await self._sessions.standing(self._provider, user_id)

    async def search(self, prefix: str, *, limit: int) -> Sequence[Listed]:
        """Nobody: a provider cannot be asked for people, and those who have been here have an account."""
        return ()


class FederatedRealm(Realm):
    """The people of all providers of one kind, each of which is a source of users.

    Their logins are like all others; here their tokens also stand for a password, for clients that know nothing else.
    """

    def __init__(self, id: str, name: str, kind: str, sessions: Sessions, registry: Registry) -> None:
        self.id = id
        self.name = name
        self._kind = kind
        self._sessions = sessions
        self._registry = registry

    def takes(self, password: str) -> bool:
        return is_jwt(password)

    async def sources(self) -> Sequence[Realm]:
        configuration = await self._registry.current()
        providers: Sequence[Provider] = [*(configuration.oidc if self._kind == OIDC else configuration.saml).values()]
        return [ProviderDirectory(each, self._sessions) for each in providers]

    async def by_password(self, username: str, password: str, door: Door) -> Identity | None:
        """The token of a login in place of a password."""
        found = await self._sessions.identity(password, self._kind)
        if found is not None and username not in PLACEHOLDERS and username != found.user_id:
            raise Unauthenticated(WRONG)
        return found
