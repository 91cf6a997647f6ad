"""Tokens of workloads: whose they are, which roles accept them, and what they are exchanged for (RFC 8693)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pakhus.domain.errors import Invalid, Unauthenticated
from pakhus.domain.security import Grant
from pakhus.services.federation.jwt import Claimed, Json, check_times, taken_apart
from pakhus.services.federation.keys import Keys
from pakhus.services.federation.refusal import Refusals, Refused
from pakhus.services.federation.registry import Configuration, Registry
from pakhus.services.federation.workload import SCOPES, WorkloadRole, limits
from pakhus.services.identity.realm import Door, Identity, Realm, is_jwt
from pakhus.services.identity.signing import Signing
from pakhus.services.identity.tokens import PLACEHOLDERS

SOURCE = "workload"
PURPOSE = "workload"
NOT_ACCEPTED = "no workload role accepts this token"


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What a workload's token was traded for."""

    token: str
    expires: datetime
    roles: tuple[str, ...]
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explained:
    """What became of a token: `refused` where it is no good for any role, else why each role does not accept it."""

    claims: Mapping[str, Any]
    issuer: str = ""
    refused: str = ""
    roles: Mapping[str, Sequence[str]] | None = None


@dataclass(frozen=True, slots=True)
class _Proven:
    issuer: str
    claims: Json
    roles: tuple[WorkloadRole, ...]

    @property
    def expires(self) -> datetime:
        return datetime.fromtimestamp(self.claims["exp"], UTC)

    @property
    def subject(self) -> str:
        return str(self.claims.get("sub") or "")


class Workloads:
    def __init__(
        self, registry: Registry, keys: Keys, signing: Signing, refusals: Refusals, now: Callable[[], datetime]
    ) -> None:
        self._registry = registry
        self._keys = keys
        self._signing = signing
        self._refusals = refusals
        self._now = now

    async def identity(self, token: str, door: Door, *, role: str = "") -> Identity | None:
        """Whoever shows one of our exchanged tokens, or a known issuer's own; `None` for anybody else's.

        `role`: act in this one only. Raises `Unauthenticated`.
        """
        exchanged = self._signing.read(PURPOSE, token)
        if exchanged is not None:
            return await self._exchanged_identity(*exchanged)
        proven = await self._proven(token, door.address, role)
        if proven is None:
            return None
        return await self._identity(proven.roles, proven.subject, proven.expires)

    async def exchange(self, token: str, *, role: str, scopes: Sequence[str], address: str) -> Exchanged:
        """A token of ours for the roles that accept the workload's. Raises `Unauthenticated`, `Invalid`."""
        if unknown := set(scopes) - set(SCOPES):
            raise Invalid(f"unknown scope: {', '.join(sorted(unknown))}", field="scope")
        proven = await self._proven(token, address, role)
        if proven is None:
            self._refusals.note(SOURCE, "", "its issuer is not known here", address=address)
            raise Unauthenticated(NOT_ACCEPTED)
        claims = {
            "sub": proven.subject,
            "roles": {each.name: each.fingerprint for each in proven.roles},
            "scopes": list(scopes),
        }
        life = timedelta(seconds=min(each.ttl for each in proven.roles))
        made, expires = self._signing.make(PURPOSE, claims, life)
        return Exchanged(made, expires, tuple(each.name for each in proven.roles), tuple(scopes))

    async def explain(self, token: str) -> Explained:
        """For administrators: what the token says, and what each role of its issuer thinks of it."""
        try:
            claimed = taken_apart(token)
        except Refused as refused:
            raise Invalid(refused.why, field="token") from refused
        configuration = await self._registry.current()
        issuer = configuration.issuer_named.get(claimed.issuer, "")
        if not issuer:
            return Explained(claimed.claims, refused=f"the issuer {claimed.issuer!r} is not known here")
        try:
            claims = await self._verified(configuration, issuer, claimed)
        except Refused as refused:
            return Explained(claimed.claims, issuer, refused.why)
        roles = {each.name: each.flaws(claims) for each in configuration.roles if each.issuer == issuer}
        return Explained(claims, issuer, roles=roles)

    # -- the parts -------------------------------------------------------------------------------------------------

    async def _proven(self, token: str, address: str, wanted: str) -> _Proven | None:
        """Whose token it is, with the roles that accept it; `None` if its issuer is not one of ours."""
        try:
            claimed = taken_apart(token)
        except Refused:
            return None
        configuration = await self._registry.current()
        issuer = configuration.issuer_named.get(claimed.issuer)
        if issuer is None:
            return None
        try:
            claims = await self._verified(configuration, issuer, claimed)
            return _Proven(issuer, claims, _accepting(configuration, issuer, claims, wanted))
        except Refused as refused:
            self._refusals.note(SOURCE, issuer, refused.why, subject=claimed.subject, address=address)
            raise

    async def _verified(self, configuration: Configuration, issuer: str, claimed: Claimed) -> Json:
        trusted = configuration.issuers[issuer]
        if str(claimed.header.get("typ", "JWT")).lower() not in ("jwt", "at+jwt", "application/at+jwt"):
            raise Refused(f"typ is {str(claimed.header['typ'])[:50]!r}: it was made for something else", NOT_ACCEPTED)
        claims = await self._keys.verified(trusted, claimed)
        check_times(claims, self._now(), trusted.leeway)
        return claims

    async def _exchanged_identity(self, claims: Json, expires: datetime) -> Identity:
        """Roles are looked up as they are now: one that is gone, or is for others by now, gives nothing."""
        known = {each.name: each for each in (await self._registry.current()).roles if each.enabled}
        given: Mapping[str, str] = claims["roles"]
        roles = tuple(known[name] for name, mark in given.items() if name in known and known[name].fingerprint == mark)
        if not roles:
            raise Unauthenticated("the workload role of this token was changed or removed")
        return await self._identity(roles, claims["sub"], expires, limits(claims["scopes"]))

    async def _identity(
        self,
        roles: Sequence[WorkloadRole],
        subject: str,
        expires: datetime,
        narrowed: tuple[Grant, ...] | None = None,
    ) -> Identity:
        repositories = (await self._registry.current()).repositories
        names = [each.name for each in roles]
        return Identity(
            f"{SOURCE}:{_printable(subject) or names[0]}"[:200],
            SOURCE,
            groups=(),
            roles=tuple(dict.fromkeys(role for each in roles for role in each.roles)),
            limits=narrowed,
            token=f"workload role {', '.join(names)}",
            expires=expires,
            grants=tuple(grant for each in roles for grant in each.own_grants(repositories)),
            transient=True,
        )


def _printable(subject: str) -> str:
    """Fit for a log and a database, whatever a platform lets its users call their branches."""
    return "".join(letter if letter.isprintable() else "?" for letter in subject[:200])


def _accepting(configuration: Configuration, issuer: str, claims: Json, wanted: str) -> tuple[WorkloadRole, ...]:
    """The roles that take the claims. Raises `Refused`, which says of each why it does not."""
    candidates = [each for each in configuration.roles if each.issuer == issuer and wanted in ("", each.name)]
    flaws = {each.name: each.flaws(claims) for each in candidates}
    accepting = tuple(each for each in candidates if not flaws[each.name])
    if accepting:
        return accepting
    told = "; ".join(f"role '{name}': {', '.join(found)}" for name, found in flaws.items())
    named = f" named '{wanted[:100]}'" if wanted else ""
    raise Refused(told[:2000] or f"the issuer '{issuer}' has no role{named}", NOT_ACCEPTED)


class WorkloadRealm(Realm):
    """Builds and services: the token of their platform as Bearer, or as a password of whatever user.

    As a password, the name of a role in place of the user's acts in that role only.
    """

    id = "WorkloadRealm"
    name = "Workload Identity Realm"

    def __init__(self, workloads: Workloads, registry: Registry) -> None:
        self._workloads = workloads
        self._registry = registry

    def takes(self, password: str) -> bool:
        return is_jwt(password)

    async def by_password(self, username: str, password: str, door: Door) -> Identity | None:
        known = {each.name for each in (await self._registry.current()).roles}
        role = username if username in known and username not in PLACEHOLDERS else ""
        return await self._workloads.identity(password, door, role=role)

    async def by_bearer(self, token: str, door: Door) -> Identity | None:
        return await self._workloads.identity(token, door) if is_jwt(token) else None
