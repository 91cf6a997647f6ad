"""Every route says who may call it; `tests/integration/rights` asks whether it holds to that."""

from __future__ import annotations

import pytest
from fastapi import FastAPI

from pakhus.rest import app as rest_app
from pakhus.rest.openapi import mounted, right_of
from pakhus.services.metrics import Metrics
from tests.integration.rest.conftest import Rest


@pytest.fixture
def app(rest: Rest) -> FastAPI:
    services = rest.application.services
    return rest_app.create(services, Metrics(services), version="1.0")


def asked(app: FastAPI) -> list[tuple[str, str, object]]:
    """Method, path and right of every route."""
    return [(method, path, right_of(route)) for path, route in mounted(app) for method in sorted(route.methods or ())]


async def test_every_route_declares_one_right(app: FastAPI) -> None:
    assert [(method, path) for method, path, right in asked(app) if right is None] == []


async def test_application_has_no_route_beside_the_declared_ones(app: FastAPI) -> None:
    assert all(hasattr(each, "original_router") for each in app.routes)
    assert len(app.routes) == len(app.state.mounts)
