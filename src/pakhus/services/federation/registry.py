"""The identity providers, issuers and workload roles of this server, as they stand in one generation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pakhus.database import federation, repositories
from pakhus.database.federation import ProviderRow, RoleRow
from pakhus.database.transaction import Database, Transaction
from pakhus.database.vault import Vault
from pakhus.services.federation.claims import bound_claims
from pakhus.services.federation.jwt import ALGORITHMS, jwks_of
from pakhus.services.federation.keys import Issuer
from pakhus.services.federation.providers import Admission, Attributes, GroupRule, OidcProvider, SamlProvider
from pakhus.services.federation.workload import Rule, WorkloadRole

OIDC, SAML, WORKLOAD = "oidc", "saml", "workload"
Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything by name. `issuer_named`: URL, which is what a token says, to name."""

    oidc: Mapping[str, OidcProvider] = field(default_factory=dict)
    saml: Mapping[str, SamlProvider] = field(default_factory=dict)
    issuers: Mapping[str, Issuer] = field(default_factory=dict)
    issuer_named: Mapping[str, str] = field(default_factory=dict)
    roles: tuple[WorkloadRole, ...] = ()
    repositories: tuple[str, ...] = ()


class Registry:
    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault
        self._generation = -1
        self._current = Configuration()

    async def current(self) -> Configuration:
        generation = self._database.generation.configuration
        if generation != self._generation:
            self._current = await self._database.read(self._read)
            self._generation = generation
        return self._current

    def _read(self, tx: Transaction) -> Configuration:
        opened = [ProviderRow(row.kind, row.name, self._vault.open(row.settings)) for row in federation.providers(tx)]
        by_kind = {kind: [row for row in opened if row.kind == kind] for kind in (OIDC, SAML, WORKLOAD)}
        issuers = {row.name: issuer_of(row.settings) for row in by_kind[WORKLOAD]}
        return Configuration(
            oidc={row.name: oidc_of(row.name, row.settings) for row in by_kind[OIDC]},
            saml={row.name: saml_of(row.name, row.settings) for row in by_kind[SAML]},
            issuers=issuers,
            issuer_named={issuer.url: name for name, issuer in issuers.items()},
            roles=tuple(role_of(row) for row in federation.workload_roles(tx)),
            repositories=tuple(row.name for row in repositories.everything(tx)),
        )


def issuer_of(settings: Settings) -> Issuer:
    """Raises `Invalid` for keys that are none."""
    return Issuer(
        url=settings["issuer"],
        keys=tuple(jwks_of(settings["jwks"])) if settings.get("jwks") else (),
        jwks_url=settings.get("jwks_url", ""),
        discovery_url=settings.get("discovery_url", ""),
        ca=settings.get("ca_certificates", ""),
        insecure=settings.get("insecure", False),
        leeway=settings.get("leeway_seconds", 60),
        algorithms=frozenset(settings.get("algorithms") or ALGORITHMS),
    )


def admission_of(settings: Settings) -> Admission:
    return Admission(
        provisioning=settings.get("provisioning", "jit"),
        allowlist=tuple(settings.get("allowlist", ())),
        required_group=settings.get("required_group", ""),
        admin_group=settings.get("admin_group", ""),
        roles=tuple(GroupRule(each["group"], tuple(each["roles"])) for each in settings.get("role_mapping", ())),
        default_roles=tuple(settings.get("default_roles", ())),
        groups_are_roles=settings.get("groups_are_roles", False),
    )


def _attributes(settings: Settings, what: str) -> Attributes:
    names = ("username", "email", "first_name", "last_name", "groups")
    return Attributes(*(settings.get(f"{name}_{what}") or "" for name in names))


def oidc_of(name: str, settings: Settings) -> OidcProvider:
    return OidcProvider(
        name,
        issuer_of({**settings, "jwks": ""}),
        settings["client_id"],
        settings.get("client_secret", ""),
        token_auth=settings.get("token_auth", ""),
        button=settings.get("button", ""),
        enabled=settings.get("enabled", True),
        scopes=tuple(settings.get("scopes", ())),
        parameters=settings.get("parameters") or {},
        attributes=_attributes(settings, "claim"),
        userinfo=settings.get("userinfo", False),
        admission=admission_of(settings),
        session_hours=settings.get("session_hours", 12),
        recheck_minutes=settings.get("recheck_minutes", 0),
        login_days=settings.get("login_days", 0),
    )


def saml_of(name: str, settings: Settings) -> SamlProvider:
    return SamlProvider(
        name,
        settings["idp_metadata"],
        settings.get("entity_id", ""),
        button=settings.get("button", ""),
        enabled=settings.get("enabled", True),
        attributes=_attributes(settings, "attribute"),
        admission=admission_of(settings),
        signed_response=settings.get("signed_response"),
        signed_assertion=settings.get("signed_assertion"),
        keypair=settings.get("keypair", ""),
        certificate=settings.get("certificate", ""),
        session_hours=settings.get("session_hours", 12),
        login_days=settings.get("login_days", 0),
        leeway=settings.get("leeway_seconds", 60),
    )


def role_of(row: RoleRow) -> WorkloadRole:
    """Raises `Invalid` for claims that can match nothing."""
    settings = row.settings
    return WorkloadRole(
        row.name,
        row.issuer,
        tuple(settings["audiences"]),
        bound_claims(settings["bound_claims"]),
        roles=tuple(settings.get("roles", ())),
        rules=tuple(
            Rule(tuple(each["repositories"]), tuple(each.get("paths") or ("*",)), tuple(each["actions"]))
            for each in settings.get("rules", ())
        ),
        ttl=settings.get("ttl_seconds", 900),
        enabled=settings.get("enabled", True),
        description=settings.get("description", ""),
    )
