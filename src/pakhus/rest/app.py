"""The REST application: Nexus's API below /service/rest, the native one below /api, and the probes."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from pakhus.rest import (
    anonymous,
    assets,
    audit,
    blobstores,
    components,
    formats,
    ldap,
    lockouts,
    login,
    metrics,
    native,
    openapi,
    problems,
    rapture,
    realms,
    repositories,
    roles,
    routing_rules,
    search,
    second_factor,
    service_accounts,
    signing,
    status,
    tokens,
    user_tokens,
    users,
    webhooks,
)
from pakhus.rest.head import HeadAsGet
from pakhus.services.metrics import Metrics
from pakhus.services.services import Services

NEXUS = "/service/rest/v1"
BETA = "/service/rest/beta"
NATIVE = "/api/v1"


def create(services: Services, figures: Metrics, *, version: str) -> FastAPI:
    """The application. The gateway puts `actor` and `base_url` into the state of each request."""
    app = FastAPI(
        title="Pakhus", version=version, openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    app.state.services = services
    app.state.metrics = figures
    app.state.started = services.now()
    app.state.mounts = _mounts(services)
    for prefix, router in app.state.mounts:
        app.include_router(router, prefix=prefix, include_in_schema=prefix != BETA)
    problems.register(app)
    app.add_middleware(HeadAsGet)
    return app


def _mounts(services: Services) -> list[tuple[str, APIRouter]]:
    """Prefix and router, in the order in which they are asked. Old clients know Nexus's API as "beta"."""
    nexus = [
        status.router,
        repositories.router,
        repositories.of_formats(list(services.catalog.formats.values())),
        components.router,
        assets.router,
        search.router,
        formats.router,
        blobstores.router,
        routing_rules.router,
        users.router,
        user_tokens.router,
        roles.router,
        anonymous.router,
        realms.router,
        ldap.router,
    ]
    own = [
        native.router,
        login.router,
        tokens.router,
        second_factor.router,
        lockouts.router,
        service_accounts.router,
        signing.router,
        audit.router,
        webhooks.router,
        webhooks.kinds,
    ]
    return [
        *((NEXUS, router) for router in nexus),
        *((BETA, router) for router in nexus),
        *((NATIVE, router) for router in own),
        ("", rapture.router),
        ("", metrics.router),
        ("", native.probes),
        ("", openapi.router),
    ]
