"""The OpenAPI documents: of everything, and of the Nexus-compatible half under the name that Nexus gives it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel

from pakhus.rest.bodies import Mapped, Taking
from pakhus.rest.rights import OPEN_TO_ALL, OpenToAll, Right

NEXUS = "/service/rest"
SECURITY = {
    "basic": {"type": "http", "scheme": "basic", "description": "Name and password, or a token as the password."},
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API token, or the token of a login."},
}
router = APIRouter()
Json = dict[str, Any]


@router.get("/api/v1/openapi.json", dependencies=OPEN_TO_ALL, include_in_schema=False)
async def everything(request: Request) -> JSONResponse:
    return JSONResponse(document(request.app))


@router.get("/service/rest/swagger.json", dependencies=OPEN_TO_ALL, include_in_schema=False)
async def nexus(request: Request) -> JSONResponse:
    """The paths below `/service/rest`, relative to it."""
    whole = document(request.app)
    paths = {path.removeprefix(NEXUS): item for path, item in whole["paths"].items() if path.startswith(NEXUS)}
    return JSONResponse({**whole, "servers": [{"url": f"{request.state.base_url}{NEXUS}"}], "paths": paths})


def document(app: FastAPI) -> Json:
    """Built once: request bodies come from the dependencies that read them, rights from those that check them."""
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
        schema.setdefault("components", {})["securitySchemes"] = SECURITY
        for path, route in mounted(app):
            for method in route.methods or ():
                operation = schema["paths"].get(path.replace(":path}", "}"), {}).get(method.lower())
                if operation is not None:
                    _complete(operation, route)
        app.openapi_schema = schema
    return app.openapi_schema


def mounted(app: FastAPI) -> Iterator[tuple[str, APIRoute]]:
    """Every route of the application, with the path that it answers at."""
    mounts: list[tuple[str, APIRouter]] = app.state.mounts
    for prefix, router in mounts:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            yield prefix + route.path, route


def right_of(route: APIRoute) -> Right | None:
    """What a caller of the route needs."""
    return next((each.call for each in route.dependant.dependencies if isinstance(each.call, Right)), None)


REFUSAL = {
    "description": (
        "A refusal. 400: an array of {id, message}, or a message as a JSON string; 401 and 403: no body; "
        "others: a message as a JSON string or as text, or no body."
    ),
}
"""What every operation may answer beside its own."""


def _complete(operation: Json, route: APIRoute) -> None:
    operation["responses"].pop("422", None)
    operation["responses"]["default"] = REFUSAL
    right = right_of(route)
    if not isinstance(right, OpenToAll):
        operation["security"] = [{name: []} for name in SECURITY]
    for dependency in route.dependant.dependencies:
        if isinstance(dependency.call, Taking | Mapped):
            body = {"schema": _inlined(dependency.call.model)}
            operation["requestBody"] = {"required": True, "content": {"application/json": body}}


def _inlined(model: type[BaseModel]) -> Json:
    """The model's schema without references."""
    schema = model.model_json_schema(by_alias=True)
    definitions = schema.pop("$defs", {})

    def resolved(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                return resolved(definitions[node["$ref"].rpartition("/")[2]])
            return {name: resolved(each) for name, each in node.items()}
        return [resolved(each) for each in node] if isinstance(node, list) else node

    found: Json = resolved(schema)
    return found
