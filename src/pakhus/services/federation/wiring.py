"""Everything about other people's word on who somebody is, put together for one process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pakhus.database.transaction import Database
from pakhus.database.vault import Vault
from pakhus.remote.client import Upstreams
from pakhus.services.federation.administration import Administration
from pakhus.services.federation.documents import Documents
from pakhus.services.federation.keys import Keys
from pakhus.services.federation.logins import Logins
from pakhus.services.federation.oidc import Oidc
from pakhus.services.federation.refusal import Refusals
from pakhus.services.federation.registry import OIDC, SAML, Registry
from pakhus.services.federation.saml import Saml
from pakhus.services.federation.sealed import Sealed
from pakhus.services.federation.sessions import FederatedRealm, Sessions
from pakhus.services.federation.spent import Spent
from pakhus.services.federation.workloads import WorkloadRealm, Workloads
from pakhus.services.identity.wiring import Identification


@dataclass(frozen=True, slots=True)
class Federation:
    administration: Administration
    logins: Logins
    sessions: Sessions
    workloads: Workloads
    refusals: Refusals
    saml: Saml


def federation(
    database: Database,
    upstreams: Upstreams,
    identity: Identification,
    *,
    secret: str,
    now: Callable[[], datetime],
    seconds: Callable[[], float],
) -> Federation:
    """Its realms are active from the start: without a provider or a role they know nobody."""
    vault, sealed = Vault(secret), Sealed(secret, now)
    registry = Registry(database, vault)
    documents = Documents(upstreams, seconds)
    keys, refusals = Keys(documents), Refusals(now)
    oidc, saml, spent = Oidc(documents, keys, now), Saml(), Spent(database)
    sessions = Sessions(database, vault, registry, identity, oidc, refusals, now)
    workloads = Workloads(registry, keys, identity.signing, refusals, now)
    identity.realms.register(FederatedRealm("OidcRealm", "OpenID Connect Realm", OIDC, sessions, registry))
    identity.realms.register(FederatedRealm("SamlRealm", "SAML Realm", SAML, sessions, registry))
    identity.realms.register(WorkloadRealm(workloads, registry))
    return Federation(
        Administration(database, vault, keys, now),
        Logins(database, registry, sealed, oidc, saml, sessions, spent, refusals, now),
        sessions,
        workloads,
        refusals,
        saml,
    )
