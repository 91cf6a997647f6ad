"""User tokens (`/v1/security/users/{userId}/{realm}/user-token`) and their settings (`/v1/security/user-tokens`)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response
from pydantic import Field

from pakhus.database.accounts import TokenRow
from pakhus.rest.bodies import Moment, Shape, Taking
from pakhus.rest.problems import bare
from pakhus.rest.rights import Here, needs
from pakhus.rest.users import source_of
from pakhus.services.identity.usertokens import UserTokenSettings

router = APIRouter(prefix="/security", tags=["security: user tokens"])
UserId = Annotated[str, Path(alias="userId")]
ONE = "/users/{userId}/{realm}/user-token"


class UserTokenXO(Shape):
    """What stands for name and password; the pass code is shown this once."""

    name_code: str
    pass_code: str
    created: Moment | None
    expires: Moment | None
    is_expired: bool
    user_id: str
    realm: str


class UserTokensXO(Shape):
    """`protectContent`: repositories take tokens only. `expirationDays` count from a token's making."""

    enabled: bool
    protect_content: bool = False
    expiration_enabled: bool = False
    expiration_days: Annotated[int, Field(ge=1, le=999)] = 30


@router.get("/user-tokens", dependencies=needs("usertoken", "settings"))
async def read(services: Here) -> UserTokensXO:
    return _settings(await services.identification.user_tokens.settings())


@router.put("/user-tokens", dependencies=needs("usertoken", "settings"))
async def change(services: Here, body: Annotated[UserTokensXO, Depends(Taking(UserTokensXO))]) -> UserTokensXO:
    """Answers with what is in force."""
    wanted = UserTokenSettings(body.enabled, body.protect_content, body.expiration_enabled, body.expiration_days)
    return _settings(await services.identification.user_tokens.change(wanted))


@router.delete("/user-tokens", dependencies=needs("usertoken", "settings"), status_code=204, response_class=Response)
async def reset_all(services: Here) -> None:
    """The user tokens of everybody end."""
    await services.identification.user_tokens.reset()


@router.get("/user-tokens/tokens", dependencies=needs("usertoken", "users"))
async def everything(services: Here) -> list[UserTokenXO]:
    user_tokens = services.identification.user_tokens
    settings = await user_tokens.settings()
    return [_token(row, "", settings, services.now()) for row in await user_tokens.everything()]


@router.post(ONE, dependencies=needs("usertoken", "users"), status_code=201)
async def make(user_id: UserId, realm: str, services: Here) -> UserTokenXO:
    """Name code and pass code, to be used like name and password; 409 if there are some."""
    user = await services.users.get(user_id, await source_of(services, realm))
    user_tokens = services.identification.user_tokens
    token, row = await user_tokens.create(user.user_id, user.source)
    return _token(row, token, await user_tokens.settings(), services.now())


@router.get(ONE, dependencies=needs("usertoken", "users"))
async def one(user_id: UserId, realm: str, services: Here) -> UserTokenXO:
    """The pass code is not shown again: it is not kept."""
    user_tokens = services.identification.user_tokens
    row = await user_tokens.of(user_id, await source_of(services, realm))
    if row is None:
        raise bare(404)
    return _token(row, "", await user_tokens.settings(), services.now())


@router.delete(ONE, dependencies=needs("usertoken", "users"), status_code=204, response_class=Response)
@router.delete(ONE + "-reset", dependencies=needs("usertoken", "users"), status_code=204, response_class=Response)
async def drop(user_id: UserId, realm: str, services: Here) -> None:
    await services.identification.user_tokens.revoke(user_id, await source_of(services, realm))


def _settings(kept: UserTokenSettings) -> UserTokensXO:
    return UserTokensXO(
        enabled=kept.enabled,
        protect_content=kept.protect_content,
        expiration_enabled=kept.expiration_enabled,
        expiration_days=kept.expiration_days,
    )


def _token(row: TokenRow, token: str, settings: UserTokenSettings, now: datetime) -> UserTokenXO:
    expires = settings.expiry(row)
    return UserTokenXO(
        name_code=row.code or row.user_id,
        pass_code=token,
        created=row.created,
        expires=expires,
        is_expired=expires is not None and expires <= now,
        user_id=row.user_id,
        realm=row.source,
    )
