"""API tokens of the caller; an administrator's also of others (`?user=`). Native API."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from pakhus.database.accounts import TokenRow
from pakhus.domain.security import Actor, permits
from pakhus.rest.bodies import Moment, NativeShape, Taking, Text
from pakhus.rest.rights import Here, SignedIn, require

router = APIRouter(prefix="/tokens", tags=["tokens"])
Known = Annotated[Actor, Depends(SignedIn())]
User = Annotated[str, Query(description="Whose tokens; default: the caller's.")]


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


@router.get("")
async def everything(actor: Known, services: Here, user: User = "") -> list[TokenXO]:
    whose = await _whose(services, actor, user, "read")
    return [TokenXO(**_members(row)) for row in await services.accounts.tokens(whose)]


@router.post("", status_code=201)
async def create(
    actor: Known, services: Here, body: Annotated[TokenRequest, Depends(Taking(TokenRequest))], user: User = ""
) -> NewTokenXO:
    whose = await _whose(services, actor, user, "create")
    token, row = await services.accounts.create_token(
        whose, body.name, scopes=body.scopes, repositories=body.repositories, expires_days=body.expires_days
    )
    return NewTokenXO(token=token, **_members(row))


@router.delete("/{name:path}", status_code=204, response_class=Response)
async def revoke(name: str, actor: Known, services: Here, user: User = "") -> None:
    """The token stops working at once."""
    await services.accounts.revoke_token(await _whose(services, actor, user, "delete"), name)


async def _whose(services: Here, actor: Actor, user: str, action: str) -> str:
    """The user that is meant. Raises `Forbidden` unless it is the caller, or the caller administers tokens."""
    if not user or user == actor.user:
        return actor.user
    require(actor, permits(actor, ("tokens", action)))
    return (await services.users.get(user)).user_id


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
