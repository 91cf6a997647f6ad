"""The REST application: Nexus's API below /service/rest, the native one below /api, and the probes."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from pakhus.domain.freeze import is_frozen
from pakhus.rest import (
    anonymous,
    assets,
    audit,
    blobstores,
    browse,
    capabilities,
    certificates,
    cleanup_policies,
    components,
    content_selectors,
    email,
    explain,
    federated_login,
    federation,
    formats,
    ldap,
    lifecycle,
    lockouts,
    login,
    login_pages,
    metrics,
    native,
    openapi,
    outbound,
    privileges,
    problems,
    rapture,
    realms,
    repositories,
    roles,
    routing_rules,
    s3,
    saml,
    scripts,
    search,
    second_factor,
    service_accounts,
    signing,
    start,
    status,
    system,
    tags,
    tasks,
    tokens,
    user_tokens,
    users,
    versions,
    webhooks,
)
from pakhus.rest.frozen import RefusedWhileFrozen
from pakhus.rest.head import HeadAsGet
from pakhus.services.metrics import Metrics
from pakhus.services.services import Services

NEXUS = "/service/rest/v1"
BETA = "/service/rest/beta"
NEXUS_ROOT = "/service/rest"
INTERNAL = "/service/rest/internal"
NATIVE = "/api/v1"
INTERNAL = "/service/rest/internal"
"""What scripts use of the API that Nexus's own pages have."""


def create(services: Services, figures: Metrics, *, version: str, nexus_version: str = "") -> FastAPI:
    """The application. The gateway puts `actor` and `base_url` into the state of each request.

    `nexus_version` is the one that the server claims towards clients of Nexus.
    """
    app = FastAPI(
        title="Pakhus", version=version, openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    app.state.services = services
    app.state.metrics = figures
    app.state.nexus_version = nexus_version
    app.state.started = services.now()
    app.state.mounts = _mounts(services)
    for prefix, router in app.state.mounts:
        app.include_router(router, prefix=prefix, include_in_schema=prefix not in (BETA, INTERNAL))
    problems.register(app)
    app.add_middleware(RefusedWhileFrozen, frozen=lambda: is_frozen(services.catalog.values))
    app.add_middleware(HeadAsGet)
    return app


def _mounts(services: Services) -> list[tuple[str, APIRouter]]:
    """Prefix and router, in the order in which they are asked. Old clients know Nexus's API as "beta"."""
    nexus = [
        status.router,
        system.router,
        lifecycle.router,
        browse.router,
        repositories.router,
        repositories.of_formats(list(services.catalog.formats.values())),
        components.router,
        assets.router,
        search.router,
        versions.router,
        formats.router,
        s3.router,
        blobstores.router,
        routing_rules.router,
        cleanup_policies.router,
        tasks.router,
        capabilities.router,
        outbound.router,
        email.router,
        certificates.router,
        tags.router,
        scripts.router,
        users.router,
        user_tokens.router,
        roles.router,
        privileges.router,
        content_selectors.router,
        anonymous.router,
        realms.router,
        saml.router,
        ldap.router,
    ]
    own = [
        native.router,
        login.router,
        tokens.router,
        second_factor.router,
        lockouts.router,
        service_accounts.router,
        federation.router,
        federated_login.router,
        signing.router,
        content_selectors.native,
        explain.router,
        audit.router,
        webhooks.router,
        webhooks.kinds,
    ]
    return [
        *((NEXUS, router) for router in nexus),
        *((BETA, router) for router in nexus),
        (NEXUS_ROOT, browse.pages),
        (INTERNAL, cleanup_policies.router),
        (INTERNAL, cleanup_policies.previews),
        (INTERNAL, system.onboarding),
        *((NATIVE, router) for router in own),
        (INTERNAL, content_selectors.internal),
        ("", rapture.router),
        ("", metrics.router),
        ("", login_pages.router),
        ("", login_pages.nexus),
        ("", native.probes),
        ("", openapi.router),
        ("", start.router),
    ]
