"""API tokens of the caller; an administrator's also of others (`?user=`). Native API."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from pakhus.database.accounts import TokenRow
from pakhus.domain.security import Actor, permits
from pakhus.rest.bodies import Moment, NativeShape, Taking, Text
from pakhus.rest.rights import Here, SignedIn, require
from pakhus.services.identity.realm import LOCAL

router = APIRouter(prefix="/tokens", tags=["tokens"])
Known = Annotated[Actor, Depends(SignedIn())]
User = Annotated[str, Query(description="Whose tokens; default: the caller's.")]
Source = Annotated[str, Query(description="Where that user is from.")]


class TokenXO(NativeShape):
    """A token, without the token itself. No scopes: all that the user may; no repositories: everywhere."""

    name: str
    user: str
    kind: str
    scopes: list[str]
    repositories: list[str]
    created: Moment | None
    expires: Moment | None
    last_used: Moment | None


class NewTokenXO(TokenXO):
    """A new token: it is shown this one time."""

    token: str


class TokenRequest(NativeShape):
    """`scopes`: read, write, delete, admin. `expires_days`: none is as long as the server allows."""

    name: Text
    scopes: list[str] = []
    repositories: list[str] = []
    expires_days: int | None = None


class RotationRequest(NativeShape):
    overlap_hours: Annotated[int, Field(ge=0, le=24 * 90)] = 24


@router.get("")
async def everything(actor: Known, services: Here, user: User = "", source: Source = LOCAL) -> list[TokenXO]:
    whose = await _whose(services, actor, user, source, "read")
    return [shown_token(row) for row in await services.tokens.of(*whose)]


@router.post("", status_code=201)
async def create(
    actor: Known,
    services: Here,
    body: Annotated[TokenRequest, Depends(Taking(TokenRequest))],
    user: User = "",
    source: Source = LOCAL,
) -> NewTokenXO:
    user_id, of = await _whose(services, actor, user, source, "create")
    return new_token(*await services.tokens.create(user_id, source=of, **body.model_dump()))


@router.delete("", status_code=204, response_class=Response)
async def revoke_all(actor: Known, services: Here, user: User = "", source: Source = LOCAL) -> None:
    """All tokens of the user stop working at once."""
    await services.tokens.revoke_all(*await _whose(services, actor, user, source, "delete"))


@router.post("/{name:path}/rotate", status_code=201)
async def rotate(
    name: str,
    actor: Known,
    services: Here,
    body: Annotated[RotationRequest, Depends(Taking(RotationRequest))],
    user: User = "",
    source: Source = LOCAL,
) -> NewTokenXO:
    """A new token in place of an old one, which is good for `overlap_hours` more."""
    user_id, of = await _whose(services, actor, user, source, "create")
    return new_token(*await services.tokens.rotate(user_id, name, of, overlap_hours=body.overlap_hours))


@router.delete("/{name:path}", status_code=204, response_class=Response)
async def revoke(name: str, actor: Known, services: Here, user: User = "", source: Source = LOCAL) -> None:
    """The token stops working at once."""
    user_id, of = await _whose(services, actor, user, source, "delete")
    await services.tokens.revoke(user_id, name, of)


async def _whose(services: Here, actor: Actor, user: str, source: str, action: str) -> tuple[str, str]:
    """Id and source of who is meant. Raises `Forbidden` unless it is the caller, or the caller administers tokens."""
    if not user or (user, source) == (actor.user, actor.source):
        return actor.user, actor.source
    require(actor, permits(actor, ("tokens", action)))
    found = await services.users.get(user, source)
    return found.user_id, found.source


def shown_token(row: TokenRow) -> TokenXO:
    return TokenXO(**_members(row))


def new_token(token: str, row: TokenRow) -> NewTokenXO:
    return NewTokenXO(token=token, **_members(row))


def _members(row: TokenRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "user": row.user_id,
        "kind": row.kind,
        "scopes": list(row.scopes),
        "repositories": list(row.repositories),
        "created": row.created,
        "expires": row.expires,
        "last_used": row.last_used,
    }
