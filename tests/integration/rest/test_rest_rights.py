"""Every route says who may call it, and holds to it."""

from __future__ import annotations

import re

import pytest
from fastapi import FastAPI

from pakhus.rest import app as rest_app
from pakhus.rest.app import BETA
from pakhus.rest.openapi import mounted, right_of
from pakhus.rest.rights import OpenToAll
from pakhus.services.metrics import Metrics
from tests.integration.rest.conftest import BASE, Rest


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


async def test_routes_refuse_strangers_and_users_without_rights(rest: Rest, app: FastAPI) -> None:
    await rest.hosted("files")
    await rest.put("files", "a.txt", b"a")
    nobody = await rest.user("nobody", "nx-apikey-all")
    component = await _id_of_component(rest)
    wrong = []
    for method, path, right in asked(app):
        if isinstance(right, OpenToAll) or path.startswith(BETA):
            continue
        url = BASE + _filled(path, component)
        stranger = (await rest.caller().request(method, url, params={"repository": "files"})).status_code
        known = (await nobody.request(method, url, params={"repository": "files"})).status_code
        allowed_to_known = "/api/v1/tokens" in path
        if stranger != 401 or (known != 403 and not allowed_to_known):
            wrong.append((method, path, stranger, known))
    assert wrong == []


async def _id_of_component(rest: Rest) -> str:
    async with await rest.user("viewer", "nx-repository-view-*-*-browse") as viewer:
        answer = await viewer.get("components", params={"repository": "files"})
        return str(answer.json()["items"][0]["id"])


def _filled(path: str, component: str) -> str:
    if "/components/" in path or "/assets/" in path:
        return path.replace("{id}", component)
    return re.sub(r"\{[\w:]+\}", lambda found: {"{name}": "files", "{path:path}": "a"}.get(found[0], "default"), path)
