"""Identity providers, issuers and workload roles as administrators describe them: checked, and kept, secrets sealed.

A secret that is left out of a change stays as it was, and none is ever shown again.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pakhus.database import accounts, federation
from pakhus.database.accounts import User
from pakhus.database.federation import ProviderRow, RoleRow
from pakhus.database.transaction import Database, Transaction
from pakhus.database.vault import Vault
from pakhus.domain.errors import AlreadyExists, Invalid, NotFound, Unavailable
from pakhus.services.federation.documents import Place, check
from pakhus.services.federation.keys import Keys
from pakhus.services.federation.refusal import Refused
from pakhus.services.federation.registry import OIDC, SAML, WORKLOAD, issuer_of, oidc_of, role_of, saml_of
from pakhus.services.federation.saml import idp_of, new_keypair
from pakhus.services.identity.realm import LOCAL

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,99}\Z")
RESERVED = frozenset({LOCAL, "service", "workload", "ldap", "crowd", "local"})
SECRETS = ("client_secret", "keypair")
Settings = Mapping[str, Any]


class Administration:
    def __init__(self, database: Database, vault: Vault, keys: Keys, now: Callable[[], datetime]) -> None:
        self._database = database
        self._vault = vault
        self._keys = keys
        self._now = now

    # -- providers and issuers -------------------------------------------------------------------------------------

    async def providers(self, kind: str) -> list[tuple[str, Settings]]:
        """Names and settings, without secrets."""
        rows = await self._database.read(federation.providers)
        return [(row.name, _shown(row.settings)) for row in rows if row.kind == kind]

    async def provider(self, kind: str, name: str) -> Settings:
        row = await self._database.read(federation.provider, kind, name)
        if row is None:
            raise NotFound(f"there is no {_noun(kind)} '{name}'")
        return _shown(row.settings)

    async def put(self, kind: str, name: str, settings: Settings, *, new: bool | None = None) -> bool:
        """Keep a provider or issuer; was there none before? `new` is what is expected. Raises `Invalid`."""
        if not NAME.match(name) or name.lower() in RESERVED:
            raise Invalid("must be letters, digits, '.', '_' or '-', and no source of users that exists", field="name")
        complete = dict(settings)
        if kind == SAML and await self._database.read(federation.provider, kind, name) is None:
            made = await asyncio.to_thread(new_keypair, self._now())
            complete["keypair"], complete["certificate"] = made
        _checked(kind, name, complete)
        if kind == OIDC and complete.get("enabled", True):
            try:
                await self._keys.metadata(oidc_of(name, complete).issuer)
            except (Refused, Unavailable) as error:
                raise Invalid(getattr(error, "why", error.message), field="issuer") from error
        return await self._database.write(self._put, kind, name, complete, settings, new)

    def _put(
        self, tx: Transaction, kind: str, name: str, complete: Settings, given: Settings, new: bool | None
    ) -> bool:
        rows = federation.providers(tx)
        known = next((row for row in rows if (row.kind, row.name) == (kind, name)), None)
        if new and known is not None:
            raise AlreadyExists(f"there is a {_noun(kind)} '{name}' already")
        if new is False and known is None:
            raise NotFound(f"there is no {_noun(kind)} '{name}'")
        sources = {OIDC, SAML}
        if kind in sources and any(row.kind in sources - {kind} and row.name.lower() == name.lower() for row in rows):
            raise Invalid("is the name of another identity provider", field="name")
        urls = {row.settings["issuer"] for row in rows if row.kind == WORKLOAD == kind and row.name != name}
        if complete.get("issuer") in urls:
            raise Invalid("is configured under another name", field="issuer")
        _check_roles(tx, _roles_in(complete))
        sealed = self._vault.seal({key: value for key, value in complete.items() if value is not None})
        if known is not None:
            kept = {key: known.settings[key] for key in (*SECRETS, "certificate") if key in known.settings}
            sealed.update({key: value for key, value in kept.items() if not given.get(key)})
        federation.put_provider(tx, ProviderRow(kind, name, sealed))
        return known is None

    async def remove(self, kind: str, name: str) -> None:
        """Everybody who came through it is logged out; their accounts and tokens rest until it is back."""
        if not await self._database.write(_remove_provider, kind, name):
            raise NotFound(f"there is no {_noun(kind)} '{name}'")

    # -- workload roles --------------------------------------------------------------------------------------------

    async def roles(self) -> list[RoleRow]:
        return await self._database.read(federation.workload_roles)

    async def role(self, name: str) -> RoleRow:
        found = next((row for row in await self.roles() if row.name == name), None)
        if found is None:
            raise NotFound(f"there is no workload role '{name}'")
        return found

    async def put_role(self, row: RoleRow, *, new: bool) -> None:
        if not NAME.match(row.name):
            raise Invalid("must be letters, digits, '.', '_' or '-'", field="name")
        role = role_of(row)
        if not role.audiences:
            raise Invalid(
                "must name whom a token is made for: without, a token for anybody would do", field="audiences"
            )
        if not role.bound:
            raise Invalid("must say whose tokens: an issuer may serve the whole world", field="bound_claims")
        if not role.roles and not role.rules:
            raise Invalid("must grant something: roles, or rules on repositories", field="rules")
        await self._database.write(_put_role, row, new)

    async def remove_role(self, name: str) -> None:
        if not await self._database.write(federation.remove_workload_role, name):
            raise NotFound(f"there is no workload role '{name}'")

    # -- people ----------------------------------------------------------------------------------------------------

    async def put_user(self, source: str, user_id: str, *, roles: Sequence[str], status: str) -> None:
        """Make an account for somebody of a provider before the first login, or change its roles and state here."""
        await self._database.write(_put_user, source, user_id, tuple(roles), status)


def _checked(kind: str, name: str, settings: Settings) -> None:
    """Raises `Invalid` for settings that nobody could log in by."""
    for member in ("issuer", "discovery_url", "jwks_url"):
        if settings.get(member) and (kind != WORKLOAD or not settings.get("jwks")):
            try:
                check(Place(settings[member], insecure=settings.get("insecure", False)))
            except Invalid as error:
                raise Invalid(error.message, field=member) from error
    if kind == OIDC:
        oidc_of(name, settings)
    elif kind == SAML:
        saml_of(name, settings)
        idp_of(settings["idp_metadata"])
    else:
        issuer_of(settings)


def _remove_provider(tx: Transaction, kind: str, name: str) -> bool:
    if kind == WORKLOAD and any(row.issuer == name for row in federation.workload_roles(tx)):
        raise Invalid(f"workload roles go by the issuer '{name}'")
    return federation.remove_provider(tx, kind, name)


def _put_role(tx: Transaction, row: RoleRow, new: bool) -> None:
    known = {each.name for each in federation.workload_roles(tx)}
    if new and row.name in known:
        raise AlreadyExists(f"there is a workload role '{row.name}' already")
    if not new and row.name not in known:
        raise NotFound(f"there is no workload role '{row.name}'")
    if federation.provider(tx, WORKLOAD, row.issuer) is None:
        raise Invalid(f"there is no issuer '{row.issuer}'", field="issuer")
    _check_roles(tx, row.settings.get("roles", ()))
    federation.put_workload_role(tx, row)


def _put_user(tx: Transaction, source: str, user_id: str, roles: tuple[str, ...], status: str) -> None:
    if not any(row.name == source for row in federation.providers(tx) if row.kind in (OIDC, SAML)):
        raise NotFound(f"there is no identity provider '{source}'")
    _check_roles(tx, roles)
    known = accounts.user(tx, user_id, source) or User(user_id, source)
    changed = User(user_id, source, known.first_name, known.last_name, known.email, status, known.password_hash, roles)
    accounts.put_user(tx, changed)


def _check_roles(tx: Transaction, wanted: Sequence[str]) -> None:
    known = {role.id for role in accounts.roles(tx)}
    for each in wanted:
        if each not in known:
            raise Invalid(f"Unable to locate roleId: {each}", field="roles")


def _roles_in(settings: Settings) -> list[str]:
    mapped = [role for rule in settings.get("role_mapping") or () for role in rule["roles"]]
    return [*mapped, *(settings.get("default_roles") or ())]


def _shown(settings: Settings) -> Settings:
    return {key: value for key, value in settings.items() if key not in SECRETS}


def _noun(kind: str) -> str:
    return "issuer" if kind == WORKLOAD else "identity provider"
