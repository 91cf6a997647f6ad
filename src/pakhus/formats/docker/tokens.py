"""The front door: the version check, the token service and the search of `docker search`.

Tokens follow the Docker registry's token authentication specification, with scopes `repository:<name>:<actions>` and
`registry:catalog:*`, by GET and by POST (OAuth 2: password, refresh_token).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from pakhus.domain.errors import Invalid, NotFound, Unauthenticated
from pakhus.domain.security import Permission
from pakhus.formats.docker.lists import Catalog
from pakhus.formats.docker.manifests import VERSION
from pakhus.kit.context import Call, Entrance, Granted, Reply, Scope, View
from pakhus.kit.wire import dump_json, read_body

MAX_FORM = 64 << 10
ACTIONS = {
    "pull": (Permission.BROWSE, Permission.READ),
    "push": (Permission.BROWSE, Permission.READ, Permission.ADD, Permission.EDIT),
    "delete": (Permission.DELETE,),
    "*": tuple(Permission),
}
CATALOG = Catalog()
RESULTS = 25


async def ping(call: Call, entrance: Entrance) -> Reply:
    """Whoever shows no credentials is told which ones are wanted: clients ask here first, and only here."""
    if not entrance.identified:
        raise Unauthenticated("authentication is required")
    return Reply(200, b"{}", {**VERSION, "content-type": "application/json"})


async def token(call: Call, entrance: Entrance) -> Reply:
    wanted = [value for name, value in call.ctx.pairs if name == "scope"]
    granted = await entrance.grant(list(_scopes(wanted, entrance)))
    return _granted(granted, offline=call.ctx.query.get("offline_token") == "true")


async def exchange(call: Call, entrance: Entrance) -> Reply:
    """The same by OAuth 2."""
    body = await read_body(call.body, limit=MAX_FORM)
    pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    form = dict(pairs)
    scopes = list(_scopes((value for name, value in pairs if name == "scope"), entrance))
    kind = form.get("grant_type")
    if kind == "password":
        if not form.get("password"):
            raise Unauthenticated("username and password are needed")
        granted = await entrance.grant(scopes, username=form.get("username", ""), password=form["password"])
    elif kind == "refresh_token":
        granted = await entrance.grant(scopes, offline=form.get("refresh_token") or "-")
    else:
        raise Invalid("grant_type is neither password nor refresh_token")
    return _granted(granted, offline=kind == "refresh_token" or form.get("access_type") == "offline")


def _granted(granted: Granted, *, offline: bool) -> Reply:
    issued = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    answer = {
        "token": granted.token,
        "access_token": granted.token,
        "expires_in": granted.seconds,
        "issued_at": issued,
        "token_type": "Bearer",
    }
    if offline and granted.offline:
        answer["refresh_token"] = granted.offline
    return Reply(200, dump_json(answer), {"content-type": "application/json", "cache-control": "no-store"})


def _scopes(wanted: Iterable[str], entrance: Entrance) -> Iterable[Scope]:
    for scope in (each for value in wanted for each in value.split()):
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        kind = kind.partition("(")[0]
        if kind == "repository" and name:
            permissions = {one for action in actions.split(",") for one in ACTIONS.get(action, ())}
            yield Scope(f"v2/{name}/", tuple(sorted(permissions)))
        elif kind == "registry" and name == "catalog":
            yield Scope(CATALOG.path, ACTIONS["pull"])
            for repository in entrance.repositories(CATALOG.path):
                yield Scope(f"v2/{repository}/_catalog", ACTIONS["pull"])


async def catalog(call: Call, entrance: Entrance) -> Reply:
    """The images of all repositories that can be reached by path, under the names that lead to them."""
    names: list[str] = []
    for repository in entrance.repositories(CATALOG.path):
        model = await entrance.model_of(repository, CATALOG)
        names.extend(f"{repository}/{name}" for name in model or ())
    if not names and not entrance.identified:
        raise Unauthenticated("authentication is required")
    names.sort()
    headers = {**CATALOG.headers(call.ctx, names), "content-type": "application/json"}
    return Reply(200, CATALOG.dump(call.ctx, names), headers)


async def ping_v1(call: Call, view: View) -> Reply:
    _check_v1(call)
    return Reply(200, b"true", {"content-type": "application/json", "x-docker-registry-standalone": "true"})


async def search_v1(call: Call, view: View) -> Reply:
    """`docker search`: images with a word in their names."""
    _check_v1(call)
    wanted = call.ctx.query.get("q", "").lower()
    found = [name for name in await view.model(CATALOG) or () if wanted in name.lower()]
    results = [
        {"name": name, "description": "", "star_count": 0, "is_official": False, "is_automated": False}
        for name in found[:RESULTS]
    ]
    answer = {"query": wanted, "num_results": len(found), "num_pages": 1, "page": 1, "page_size": RESULTS}
    return Reply(200, dump_json({**answer, "results": results}), {"content-type": "application/json"})


def _check_v1(call: Call) -> None:
    if not call.ctx.settings.docker.v1_enabled:
        raise NotFound("this repository does not speak the registry's version 1")
