"""Every route of the application, asked by callers of every kind: allowed or refused as the privilege model says.

The routes come from the router and from the formats' tables, what is expected from a model of its own (`callers`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from pakhus.app import formats
from pakhus.domain.security import Permission
from pakhus.kit.format import Action, Format, Route, methods_of
from pakhus.rest import app as rest_app
from pakhus.rest.app import BETA, NEXUS
from pakhus.rest.contents import Item
from pakhus.rest.openapi import mounted, right_of
from pakhus.rest.repositories import Administering, Browsing
from pakhus.rest.rights import Creating, Needs, OnRepository, OpenToAll, Right, SignedIn
from pakhus.services.metrics import Metrics
from tests.integration.rights.callers import Caller
from tests.integration.rights.conftest import BASE, REST, TYPES, World
from tests.integration.rights.paths import path_of

served = pytest.mark.asyncio(loop_scope="module")
PLACE = "raw-hosted"
REFUSED = (401, 403)
Expected = Callable[[Caller], bool]


# -- the REST application ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """One request of a REST route, and who may make it."""

    method: str
    url: str
    allowed: Expected
    params: dict[str, str]


def view(action: str, name: str = PLACE) -> tuple[str, ...]:
    return ("repository-view", name.partition("-")[0], name, action)


def expected(right: Right, path: str) -> Expected:
    """Who may pass, by the kind of right that a route declares. A new kind has to be taught here."""
    match right:
        case OpenToAll():
            return lambda caller: True
        case Needs():
            wanted = [re.sub(r"\{\w+\}", "default", part) for part in right.wanted]
            return lambda caller: caller.may(wanted)
        case SignedIn():
            return lambda caller: not caller.anonymous and not caller.narrowed
        case OnRepository():
            return lambda caller: any(caller.may(view(action.value)) for action in right.actions)
        case Item():
            return lambda caller: caller.may(view(right.action.value))
        case Administering():
            return lambda caller: caller.may(("repository-admin", "raw", PLACE, right.action))
        case Browsing():
            browsing = (view("browse"), ("repository-admin", "raw", PLACE, "browse"))
            return lambda caller: any(caller.may(wanted) for wanted in browsing)
        case Creating():
            return lambda caller: caller.may(("repository-admin", right.format, "any", "add"))
    pytest.fail(f"{path}: the matrix does not know what {type(right).__name__} means")


async def identities(world: World) -> dict[str, str]:
    """The identities of a component and an asset, which are made when a request took them away."""
    await world.hosted("raw", PLACE)
    await world.administer("PUT", f"{BASE}/repository/{PLACE}/a.txt", content=b"a")
    listed: dict[str, str] = {}
    for kind in ("components", "assets"):
        answer = await world.administer("GET", f"{REST}/{kind}", params={"repository": PLACE})
        listed[kind] = answer.json()["items"][0]["id"]
    return listed


def request_of(method: str, path: str, right: Right, known: dict[str, str]) -> Asked:
    filled = path
    for kind, identity in known.items():
        if f"/{kind}/{{id}}" in path:
            filled = path.replace("{id}", identity)
    names_a_repository = isinstance(right, Administering | Browsing | OnRepository)
    filled = re.sub(r"\{name\}", PLACE if names_a_repository else "default", filled)
    filled = re.sub(r"\{\w+(?::\w+)?\}", "default", filled)
    params = {"repository": PLACE, "action": "read", "user": "admin", "q": "x"}
    if path.endswith("/tokens") or "/tokens/" in path:
        params = {}
    return Asked(method, BASE + filled, expected(right, path), params)


BEYOND = {
    ("POST", "/service/rapture/session"),  # refuses a login without name and password
    ("GET", "/login/saml/{name}/done"),  # refuses a login that was never begun
    ("HEAD", "/login/saml/{name}/done"),
    ("DELETE", "/api/v1/second-factor"),  # asks for more when it is another user's
    ("POST", "/service/rest/v1/staging/delete"),  # asks for more for each component
}
"""Routes that may refuse also whom their right lets in; their own tests say when."""

LAST = {("DELETE", "/api/v1/tokens")}
"""What takes away the token with which a caller of the matrix asks; its own tests ask it."""


@served
async def test_every_rest_route_holds_to_its_right(world: World) -> None:
    wrong: list[tuple[Any, ...]] = []
    for path, route in mounted(rest_of(world)):
        if path.startswith(BETA):
            continue
        known = await identities(world)
        right = right_of(route)
        assert right is not None, f"{path} declares no right"
        for method in sorted({*(route.methods or ()), *(["HEAD"] if "GET" in (route.methods or ()) else [])}):
            for caller in world.callers:
                if method == "DELETE" and not isinstance(right, Needs):
                    known = await identities(world)
                asked = request_of(method, path, right, known)
                if (method, path) in LAST or path.endswith(("/read-only/freeze", "change-admin-password")):
                    continue  # nothing could be asked after it
                body = None if method in ("GET", "HEAD", "DELETE") else b"{"
                answer = await world.ask(caller, method, asked.url, params=asked.params, content=body)
                if (method, path) in BEYOND and answer.status_code == 403:
                    continue
                if not _as_expected(caller, asked.allowed(caller), answer):
                    wrong.append((method, path, caller.name, answer.status_code, answer.text[:100]))
    assert wrong == [], "\n".join(map(str, wrong))


@served
async def test_old_prefix_has_the_same_routes_and_rights(world: World) -> None:
    routes = list(mounted(rest_of(world)))

    def below(prefix: str) -> list[tuple[str, object]]:
        return [(path.removeprefix(prefix), right_of(each)) for path, each in routes if path.startswith(prefix)]

    assert below(BETA) == below(NEXUS)
    assert len(below(NEXUS)) > 100


def rest_of(world: World) -> FastAPI:
    services = world.application.services
    return rest_app.create(services, Metrics(services), version="1.0")


def _as_expected(caller: Caller, allowed: bool, answer: httpx2.Response) -> bool:
    if caller.refused:
        return answer.status_code == 401
    if allowed:
        return answer.status_code not in REFUSED and answer.status_code < 500
    return answer.status_code == (401 if caller.anonymous else 403) and (
        not caller.anonymous or "www-authenticate" in answer.headers
    )


# -- the formats ---------------------------------------------------------------------------------------------------

OPEN = {
    ("npm", "PUT", "-/user/org.couchdb.user:{user}"),
    ("npm", "GET", "-/user/org.couchdb.user:{user}"),
    ("npm", "POST", "-/v1/login"),
    ("npm", "DELETE", "-/user/token/{token:path}"),
    ("npm", "GET", "-/whoami"),
    ("npm", "GET", "-/npm/v1/user"),
    ("npm", "GET", "-/ping"),
    ("cargo", "GET", "me"),
    ("conan", "GET", "{protocol:v1|v2}/ping"),
    ("conan", "HEAD", "{protocol:v1|v2}/ping"),
    ("conan", "GET", "{protocol:v1|v2}/users/authenticate"),
    ("conan", "HEAD", "{protocol:v1|v2}/users/check_credentials"),
    ("conan", "GET", "{protocol:v1|v2}/users/check_credentials"),
    ("docker", "GET", "v1/_ping"),
    ("docker", "GET", "v2/"),
    ("docker", "HEAD", "v2/"),
    ("docker", "GET", "v2/token"),
    ("docker", "POST", "v2/token"),
}
"""Actions that need no permission, since they tell or take nothing of a repository: logins, pings. Named one by one."""


@cache
def installed() -> list[Format]:
    return formats()


def routes() -> Iterator[tuple[Format, Route, str]]:
    for format in installed():
        for route in format.routes:
            for method in methods_of(route):
                yield format, route, method


def needed(route: Route, method: str) -> tuple[Permission, ...]:
    """Any of these."""
    asked = route.needs if isinstance(route, Action) else None
    if not isinstance(route, Action):
        asked = {"PUT": Permission.ADD, "DELETE": Permission.DELETE}.get(method, Permission.READ)
    assert asked is not None
    return (Permission.ADD, Permission.EDIT) if asked is Permission.ADD else (asked,)


def test_every_route_of_a_format_asks_for_a_permission_or_is_named_here() -> None:
    without = {
        (format.name, method, route.path)
        for format, route, method in routes()
        if isinstance(route, Action) and route.needs is None
    }

    assert without == OPEN


def test_every_route_of_a_format_can_be_reached() -> None:
    for format, route, method in routes():
        found = format.match(method, path_of(route.path))[0]
        instead = isinstance(found, Action) and found.path == route.path  # says more of the same path
        assert found is route or instead, f"{format.name} {method} {route.path}"


@served
@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("format", installed(), ids=lambda format: str(format.name))
async def test_every_route_of_a_format_holds_to_its_permission(world: World, format: Format, type: str) -> None:
    name = f"{format.name}-{type}"
    wrong = []
    for route, method, path in guarded(format):
        for caller in world.callers:
            allowed = any(caller.may(wanted, path) for wanted in wanted_by(route, method, format, name))
            answer = await send(world, caller, method, f"/repository/{name}/{path}")
            if not _told(caller, allowed, answer):
                wrong.append((method, route.path, caller.name, allowed, answer.status_code, answer.text[:80]))
    assert wrong == [], "\n".join(map(str, wrong))


@served
@pytest.mark.parametrize("format", [each for each in installed() if each.mounts], ids=lambda format: str(format.name))
async def test_no_mount_leads_around_a_permission(world: World, format: Format) -> None:
    """A mount may be off, and have ways of its own to refuse; it never allows what the repository's URL does not."""
    name = f"{format.name}-hosted"
    wrong = []
    for route, method, path in guarded(format):
        for address in mounted_at(format, name, path):
            for caller in world.callers:
                allowed = any(caller.may(wanted, path) for wanted in wanted_by(route, method, format, name))
                answer = await send(world, caller, method, address)
                if (caller.refused or not allowed) and answer.status_code not in (401, 403, 404):
                    wrong.append((method, address, caller.name, answer.status_code, answer.text[:80]))
    assert wrong == [], "\n".join(map(str, wrong))


def guarded(format: Format) -> Iterator[tuple[Route, str, str]]:
    """Route, method and a path of all routes that ask for a permission."""
    for route in format.routes:
        for method in methods_of(route):
            if (format.name, method, route.path) not in OPEN:
                yield route, method, path_of(route.path)


def wanted_by(route: Route, method: str, format: Format, name: str) -> list[tuple[str, ...]]:
    return [("repository-view", format.name, name, each.value) for each in needed(route, method)]


def mounted_at(format: Format, name: str, path: str) -> Iterator[str]:
    """The addresses of a path outside of `/repository/`."""
    for mount in format.mounts:
        inside = mount.inside.partition("{rest")[0]
        if path.startswith(inside):
            outside = mount.outside.replace("{repository}", name)
            yield outside.partition("{rest")[0] + path[len(inside) :]


async def send(world: World, caller: Caller, method: str, address: str) -> httpx2.Response:
    url = BASE + httpx2.URL(f"http://x{address}").raw_path.decode()
    return await world.ask(caller, method, url, content=b"x" if method in ("PUT", "POST") else None)


def _told(caller: Caller, allowed: bool, answer: httpx2.Response) -> bool:
    """A proxy without upstream is allowed to say so."""
    if allowed and not caller.refused:
        return answer.status_code not in (*REFUSED, 500)
    if caller.refused or caller.anonymous:
        return answer.status_code == 401 and "www-authenticate" in answer.headers
    return answer.status_code == 403
