"""A browser's way through an identity provider and back: what it takes along, and what it gets in the end.

The browser keeps what the login has to remember, sealed, in a cookie. It gets a code, good once and soon, for whoever
began: a page, or a command line that listens on the loopback interface. Only who knows the verifier of the challenge
that came with the beginning can trade the code for a session (as in RFC 7636).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from pakhus.database import federation
from pakhus.database.transaction import Database
from pakhus.domain.errors import Invalid, NotFound, Unauthenticated
from pakhus.services.federation.oidc import Login, Oidc, Pending, challenge_of
from pakhus.services.federation.providers import OidcProvider, SamlProvider
from pakhus.services.federation.refusal import Refusals, Refused
from pakhus.services.federation.registry import OIDC, SAML, Registry
from pakhus.services.federation.saml import Saml
from pakhus.services.federation.sealed import Sealed
from pakhus.services.federation.sessions import Entered, Sessions
from pakhus.services.federation.spent import Spent
from pakhus.services.identity.sessions import Login as Opened

LOGIN_SECONDS = 600
CODE_SECONDS = 120
CODE = "code"
TICKET = "ticket"
EXPIRED = "this login was begun too long ago, or in another browser: begin again"


@dataclass(frozen=True, slots=True)
class Goal:
    """Who wants the login: a page of ours at `to`, or a program at `port` of the browser's machine.

    A program gets a code, which the verifier of the `challenge` trades, and its `state` back. Without either, a page
    shows the login's token.
    """

    to: str = ""
    port: int = 0
    challenge: str = ""
    state: str = ""

    def flaw(self) -> str | None:
        if self.to and (not self.to.startswith("/") or self.to[1:2] in ("/", "\\") or not self.to.isprintable()):
            return "'to' is a path of this server"
        if not 0 <= self.port <= 65535:
            return "'port' is a port"
        if self.port and not 43 <= len(self.challenge) <= 128:
            return "'challenge' is missing: the base64url SHA-256 of a verifier"
        return "'state' is too long" if len(self.state) > 512 else None


@dataclass(frozen=True, slots=True)
class Browser:
    """Who came back: from which address, and what it calls itself."""

    address: str
    agent: str


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the browser goes, and the cookie that it needs to come back."""

    location: str
    cookie: str
    value: str


@dataclass(frozen=True, slots=True)
class Ended:
    """Where the browser goes (`location`), with the login if that is a page of ours; or what it is shown."""

    entered: Entered | None = None
    location: str = ""


@dataclass(frozen=True, slots=True)
class Button:
    """A provider on the login page."""

    kind: str
    name: str
    text: str
    path: str


class Logins:
    def __init__(
        self,
        database: Database,
        registry: Registry,
        sealed: Sealed,
        oidc: Oidc,
        saml: Saml,
        sessions: Sessions,
        spent: Spent,
        refusals: Refusals,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._registry = registry
        self._sealed = sealed
        self._oidc = oidc
        self._saml = saml
        self._sessions = sessions
        self._spent = spent
        self._refusals = refusals
        self._now = now

    async def buttons(self) -> list[Button]:
        configuration = await self._registry.current()
        found: list[tuple[str, OidcProvider | SamlProvider]] = [
            *((OIDC, each) for each in configuration.oidc.values()),
            *((SAML, each) for each in configuration.saml.values()),
        ]
        return [
            Button(kind, each.name, each.button or f"Log in with {each.name}", f"/login/{kind}/{each.name}")
            for kind, each in found
            if each.enabled
        ]

    async def oidc_provider(self, name: str) -> OidcProvider:
        found = (await self._registry.current()).oidc.get(name)
        if found is None or not found.enabled:
            raise NotFound(f"there is no identity provider '{name}'")
        return found

    async def saml_provider(self, name: str) -> SamlProvider:
        found = (await self._registry.current()).saml.get(name)
        if found is None or not found.enabled:
            raise NotFound(f"there is no identity provider '{name}'")
        return found

    # -- OpenID Connect --------------------------------------------------------------------------------------------

    async def begin_oidc(self, name: str, base_url: str, goal: Goal) -> Begun:
        provider = await self.oidc_provider(name)
        _check(goal)
        location, pending = await self._oidc.begin(provider, f"{base_url}/login/oidc/{name}/callback")
        kept = {"pending": asdict(pending), "goal": asdict(goal)}
        return Begun(location, cookie_of(pending.state), self._sealed.seal(_purpose(OIDC, name), kept, LOGIN_SECONDS))

    async def end_oidc(
        self, name: str, query: Mapping[str, str], cookies: Mapping[str, str], browser: Browser
    ) -> Ended:
        provider = await self.oidc_provider(name)
        state = query.get("state", "")
        try:
            kept = self._sealed.open(_purpose(OIDC, name), cookies.get(cookie_of(state), ""))
            if kept is None or not hmac.compare_digest(kept["pending"]["state"].encode(), state.encode()):
                raise Refused("state is not that of a login of this browser", EXPIRED)
            login = await self._oidc.finish(provider, Pending(**kept["pending"]), query)
            entered = await self._sessions.enter(provider, login, browser.address, browser.agent)
        except Refused as refused:
            self._refusals.note(OIDC, name, refused.why, address=browser.address)
            raise
        return await self._ended(entered, Goal(**kept["goal"]))

    async def log_out(self, name: str, logout_token: str, address: str) -> None:
        """The provider ends sessions (back-channel). Raises `Invalid` for a token that is not its word."""
        provider = await self.oidc_provider(name)
        try:
            logout = await self._oidc.logout(provider, logout_token)
            if not await self._spent.spend(f"logout {name} {logout.id}", logout.expires):
                raise Refused("the logout token was used before")
        except Refused as refused:
            self._refusals.note("oidc logout", name, refused.why, address=address)
            raise Invalid("the logout token was not accepted") from refused
        # With a session's name only that one ends, whoever else the subject is logged in as (section 2.7).
        subject = "" if logout.session else logout.subject
        await self._sessions.end_all(name, subject=subject, session=logout.session)

    # -- SAML ------------------------------------------------------------------------------------------------------

    async def begin_saml(self, name: str, base_url: str, goal: Goal) -> Begun:
        provider = await self.saml_provider(name)
        _check(goal)
        request = self._sealed.request_id(_purpose(SAML, name))
        location = self._saml.redirect(provider, base_url, request, self._now())
        kept = {"request": request, "goal": asdict(goal)}
        return Begun(location, cookie_of(request), self._sealed.seal(_purpose(SAML, name), kept, LOGIN_SECONDS))

    async def answer_saml(self, name: str, base_url: str, answer: str, browser: Browser) -> str:
        """A ticket for the browser that comes with the provider's answer.

        The answer is a POST from the provider's page, so that the browser sends no cookie along. It is sent on, by GET,
        to where it does; only there it is seen whether it is the one that began.
        """
        provider = await self.saml_provider(name)
        try:
            said = self._saml.read(provider, base_url, answer, self._now())
            if not self._sealed.is_request_id(_purpose(SAML, name), said.request, LOGIN_SECONDS):
                raise Refused(f"InResponseTo is {said.request[:100]!r}, which is no request of ours", EXPIRED)
            if not await self._spent.spend(f"assertion {name} {said.id}", said.expires):
                raise Refused(f"the assertion {said.id[:100]} was used before")
            entered = await self._sessions.enter(provider, Login(said.person), browser.address, browser.agent)
        except Refused as refused:
            self._refusals.note(SAML, name, refused.why, address=browser.address)
            raise
        kept = {"user": entered.user_id, "login": _kept(entered.login), "request": said.request}
        return self._sealed.seal(f"{TICKET} {name}", kept, CODE_SECONDS)

    async def end_saml(self, name: str, ticket: str, cookies: Mapping[str, str], browser: Browser) -> Ended:
        said = self._sealed.open(f"{TICKET} {name}", ticket)
        if said is None:
            raise Refused("the ticket is not ours, or too old", EXPIRED)
        kept = self._sealed.open(_purpose(SAML, name), cookies.get(cookie_of(said["request"]), ""))
        entered = Entered(said["user"], _opened(said["login"]))
        if kept is None or kept["request"] != said["request"]:
            await self._sessions.end(entered.login.token)
            why = "the answer came to another browser than the one that asked"
            self._refusals.note(SAML, name, why, subject=entered.user_id, address=browser.address)
            raise Refused(why, EXPIRED)
        if not await self._spent.spend(f"ticket {entered.login.id}", self._now().timestamp() + CODE_SECONDS):
            raise Refused("the ticket was used before", EXPIRED)
        return await self._ended(entered, Goal(**kept["goal"]))

    # -- the end of both -------------------------------------------------------------------------------------------

    async def _ended(self, entered: Entered, goal: Goal) -> Ended:
        if not goal.port:
            return Ended(entered, goal.to)
        code = secrets.token_urlsafe(32)
        details = {"user": entered.user_id, "login": _kept(entered.login), "challenge": goal.challenge}
        expires = self._now() + timedelta(seconds=CODE_SECONDS)
        sealed = {"sealed": self._sealed.seal(CODE, details, CODE_SECONDS)}
        await self._database.write(federation.keep_state, _digest(code), CODE, sealed, expires)
        return Ended(location=f"http://127.0.0.1:{goal.port}/?{urlencode({'code': code, 'state': goal.state})}")

    async def redeem(self, code: str, verifier: str) -> Entered:
        """The login that a program began. Raises `Unauthenticated`."""
        row = await self._database.write(federation.take_state, _digest(code), CODE)
        kept = None if row is None else self._sealed.open(CODE, row["sealed"])
        if kept is None or not verifier.isascii() or challenge_of(verifier) != kept["challenge"]:
            raise Unauthenticated("the code is not valid, or was used before: log in again")
        return Entered(kept["user"], _opened(kept["login"]))


def _kept(login: Opened) -> dict[str, Any]:
    return {**asdict(login), "expires": login.expires.timestamp()}


def _opened(kept: Mapping[str, Any]) -> Opened:
    return Opened(**{**kept, "expires": datetime.fromtimestamp(kept["expires"], UTC)})


def cookie_of(state: str) -> str:
    """The name of the cookie, so that several logins of one browser do not disturb each other."""
    return f"pakhus_login_{hashlib.sha256(state.encode()).hexdigest()[:12]}"


def _check(goal: Goal) -> None:
    if flaw := goal.flaw():
        raise Invalid(flaw)


def _purpose(kind: str, name: str) -> str:
    return f"{kind} {name}"


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
