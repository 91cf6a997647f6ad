"""Service accounts and their tokens. Native API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from pakhus.database.accounts import User
from pakhus.rest.bodies import NativeShape, Taking, Text
from pakhus.rest.rights import Here, needs
from pakhus.rest.tokens import NewTokenXO, RotationRequest, TokenRequest, TokenXO, new_token, shown_token
from pakhus.services.identity.realm import SERVICE

router = APIRouter(prefix="/service-accounts", tags=["service accounts"])
Body = Annotated[TokenRequest, Depends(Taking(TokenRequest))]


class ServiceAccountXO(NativeShape):
    name: str
    description: str
    roles: list[str]
    disabled: bool


class ChangeRequest(NativeShape):
    description: str = ""
    roles: list[str] = []
    disabled: bool = False


class CreateRequest(ChangeRequest):
    name: Text


@router.get("", dependencies=needs("users", "read"))
async def everything(services: Here) -> list[ServiceAccountXO]:
    return [_shown(each) for each in await services.identification.machines.everything()]


@router.post("", dependencies=needs("users", "create"), status_code=201)
async def create(services: Here, body: Annotated[CreateRequest, Depends(Taking(CreateRequest))]) -> ServiceAccountXO:
    machines = services.identification.machines
    return _shown(await machines.create(body.name, body.description, body.roles, disabled=body.disabled))


@router.get("/{name}", dependencies=needs("users", "read"))
async def one(name: str, services: Here) -> ServiceAccountXO:
    return _shown(await services.identification.machines.get(name))


@router.put("/{name}", dependencies=needs("users", "update"))
async def update(
    name: str, services: Here, body: Annotated[ChangeRequest, Depends(Taking(ChangeRequest))]
) -> ServiceAccountXO:
    machines = services.identification.machines
    return _shown(await machines.update(name, body.description, body.roles, disabled=body.disabled))


@router.delete("/{name}", dependencies=needs("users", "delete"), status_code=204, response_class=Response)
async def delete(name: str, services: Here) -> None:
    """The account and its tokens."""
    await services.identification.machines.delete(name)


@router.get("/{name}/tokens", dependencies=needs("tokens", "read"))
async def tokens(name: str, services: Here) -> list[TokenXO]:
    account = await services.identification.machines.get(name)
    return [shown_token(row) for row in await services.tokens.of(account.user_id, SERVICE)]


@router.post("/{name}/tokens", dependencies=needs("tokens", "create"), status_code=201)
async def make_token(name: str, services: Here, body: Body) -> NewTokenXO:
    account = await services.identification.machines.get(name)
    return new_token(*await services.tokens.create(account.user_id, source=SERVICE, **body.model_dump()))


@router.delete("/{name}/tokens", dependencies=needs("tokens", "delete"), status_code=204, response_class=Response)
async def revoke_all(name: str, services: Here) -> None:
    account = await services.identification.machines.get(name)
    await services.tokens.revoke_all(account.user_id, SERVICE)


@router.post("/{name}/tokens/{token}/rotate", dependencies=needs("tokens", "create"), status_code=201)
async def rotate(
    name: str, token: str, services: Here, body: Annotated[RotationRequest, Depends(Taking(RotationRequest))]
) -> NewTokenXO:
    account = await services.identification.machines.get(name)
    return new_token(*await services.tokens.rotate(account.user_id, token, SERVICE, overlap_hours=body.overlap_hours))


@router.delete(
    "/{name}/tokens/{token}", dependencies=needs("tokens", "delete"), status_code=204, response_class=Response
)
async def revoke(name: str, token: str, services: Here) -> None:
    account = await services.identification.machines.get(name)
    await services.tokens.revoke(account.user_id, token, SERVICE)


def _shown(user: User) -> ServiceAccountXO:
    return ServiceAccountXO(
        name=user.user_id, description=user.first_name, roles=list(user.roles), disabled=user.status != "active"
    )
