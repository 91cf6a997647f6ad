"""Roles (`/v1/security/roles`)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from pakhus.database.accounts import Role
from pakhus.rest.bodies import NullIsEmpty, Shape, Taking, Text
from pakhus.rest.problems import bare
from pakhus.rest.rights import Here, needs
from pakhus.services.identity.realm import LOCAL

router = APIRouter(prefix="/security/roles", tags=["security: roles"])


class RoleXO(Shape):
    id: str
    source: str
    name: str
    description: str
    read_only: bool
    privileges: list[str]
    roles: list[str]


class RoleRequest(Shape):
    id: Text
    name: Text
    description: Annotated[str, NullIsEmpty] = ""
    privileges: list[str] = []
    roles: list[str] = []

    def role(self) -> Role:
        privileges, roles = tuple(dict.fromkeys(self.privileges)), tuple(dict.fromkeys(self.roles))
        return Role(self.id, self.name, self.description, False, privileges, roles)


Body = Annotated[RoleRequest, Depends(Taking(RoleRequest))]


@router.get("", dependencies=needs("roles", "read"))
async def everything(services: Here, source: str = LOCAL) -> list[RoleXO]:
    return [_shown(each) for each in await services.roles.everything()] if source == LOCAL else []


@router.post("", dependencies=needs("roles", "create"))
async def create(body: Body, services: Here) -> RoleXO:
    return _shown(await services.roles.create(body.role()))


@router.get("/{id}", dependencies=needs("roles", "read"))
async def one(id: str, services: Here, source: str = LOCAL) -> RoleXO:
    if source != LOCAL:
        raise bare(404)
    return _shown(await services.roles.get(id))


@router.put("/{id}", dependencies=needs("roles", "update"), status_code=204, response_class=Response)
async def update(id: str, body: Body, services: Here) -> None:
    """409 when the body is another role's."""
    if body.id != id:
        raise bare(409)
    await services.roles.update(body.role())


@router.delete("/{id}", dependencies=needs("roles", "delete"), status_code=204, response_class=Response)
async def delete(id: str, services: Here) -> None:
    await services.roles.delete(id)


def _shown(role: Role) -> RoleXO:
    return RoleXO(
        id=role.id,
        source=LOCAL,
        name=role.name,
        description=role.description,
        read_only=role.read_only,
        privileges=list(role.privileges),
        roles=list(role.roles),
    )
