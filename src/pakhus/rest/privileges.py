"""Privileges (`/v1/security/privileges`): the list, one, and for each of the six types create and change."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import AfterValidator, Field

from pakhus.database.rights import SELECTING, PrivilegeRow
from pakhus.rest.bodies import AnyCaseUpper, NullIsEmpty, Shape, Taking, Text
from pakhus.rest.problems import bare
from pakhus.rest.rights import Here, needs

router = APIRouter(prefix="/security/privileges", tags=["security: privileges"])
Json = dict[str, Any]

ACTIONS = ("READ", "BROWSE", "EDIT", "ADD", "DELETE", "RUN", "START", "STOP", "ASSOCIATE", "DISASSOCIATE", "ALL")
BREAD = ("BROWSE", "READ", "EDIT", "ADD", "DELETE", "ALL")
OF_APPLICATION = ("READ", "EDIT", "ADD", "DELETE", "ASSOCIATE", "DISASSOCIATE", "START", "STOP", "ALL")


def _known(action: str) -> str:
    if action not in ACTIONS:
        raise ValueError(f"must be one of {', '.join(ACTIONS)}")
    return action


def _once(actions: list[str]) -> list[str]:
    return list(dict.fromkeys(actions))


Action = Annotated[str, AnyCaseUpper, AfterValidator(_known)]
Actions = Annotated[list[Action], Field(min_length=1), AfterValidator(_once)]


class PrivilegeRequest(Shape):
    """What all types have. `taken` are the actions that the type knows; others are silently dropped, as in Nexus."""

    name: Text
    description: Annotated[str, NullIsEmpty] = ""

    def properties(self) -> Json:
        raise NotImplementedError


class WildcardRequest(PrivilegeRequest):
    pattern: Text

    def properties(self) -> Json:
        return {"pattern": self.pattern}


class ApplicationRequest(PrivilegeRequest):
    domain: Text
    actions: Actions

    def properties(self) -> Json:
        return {"domain": self.domain, "actions": _taken(self.actions, OF_APPLICATION)}


class RepositoryRequest(PrivilegeRequest):
    format: Text
    repository: Text
    actions: Actions

    def properties(self) -> Json:
        return {"format": self.format, "repository": self.repository, "actions": _taken(self.actions, BREAD)}


class SelectorRequest(RepositoryRequest):
    content_selector: Text

    def properties(self) -> Json:
        return {**super().properties(), "contentSelector": self.content_selector}


class ScriptRequest(PrivilegeRequest):
    script_name: Text
    actions: Actions

    def properties(self) -> Json:
        return {"scriptName": self.script_name, "actions": _taken(self.actions, (*BREAD, "RUN"))}


TYPES: dict[str, type[PrivilegeRequest]] = {
    "application": ApplicationRequest,
    "wildcard": WildcardRequest,
    "repository-view": RepositoryRequest,
    "repository-admin": RepositoryRequest,
    SELECTING: SelectorRequest,
    "script": ScriptRequest,
}


@router.get("", dependencies=needs("privileges", "read"))
async def everything(services: Here) -> list[Json]:
    """All privileges by name: the built-in ones, those of each repository, and those that were made."""
    return [_shown(each) for each in await services.privileges.everything()]


@router.get("/{name}", dependencies=needs("privileges", "read"))
async def one(name: str, services: Here) -> Json:
    return _shown(await services.privileges.get(name))


@router.delete("/{name}", dependencies=needs("privileges", "delete"), status_code=204, response_class=Response)
async def delete(name: str, services: Here) -> None:
    await services.privileges.delete(name)


def _add(type: str, model: type[PrivilegeRequest]) -> None:
    body = Depends(Taking(model))

    async def create(services: Here, body: PrivilegeRequest = body) -> Response:
        await services.privileges.create(_row(type, body))
        return Response(status_code=201)

    async def update(name: str, services: Here, body: PrivilegeRequest = body) -> Response:
        """409 when the body is another privilege's."""
        if body.name != name:
            raise bare(409)
        await services.privileges.update(_row(type, body))
        return Response(status_code=204)

    router.add_api_route(
        f"/{type}",
        create,
        methods=["POST"],
        status_code=201,
        response_class=Response,
        name=f"create_{type}_privilege",
        dependencies=needs("privileges", "create"),
        summary=f"Create a privilege of type {type}",
    )
    router.add_api_route(
        f"/{type}/{{name}}",
        update,
        methods=["PUT"],
        status_code=204,
        response_class=Response,
        name=f"update_{type}_privilege",
        dependencies=needs("privileges", "update"),
        summary=f"Change a privilege of type {type}",
    )


for _type, _model in TYPES.items():
    _add(_type, _model)


def _row(type: str, body: PrivilegeRequest) -> PrivilegeRow:
    return PrivilegeRow(body.name, type, body.description, False, body.properties())


def _taken(actions: list[str], known: tuple[str, ...]) -> list[str]:
    return [each for each in actions if each in known]


def _shown(row: PrivilegeRow) -> Json:
    common = {"type": row.type, "name": row.name, "description": row.description, "readOnly": row.read_only}
    return {**common, **row.properties}
