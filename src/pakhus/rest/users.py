"""Users, their passwords and user tokens (`/v1/security/users`)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import Field

from pakhus.database.accounts import TokenRow, User
from pakhus.domain.errors import Invalid
from pakhus.rest.bodies import AnyCaseLower, Moment, Shape, Taking, Text, text_body
from pakhus.rest.problems import bare
from pakhus.rest.rights import Caller, Here, needs
from pakhus.services.identity.realm import LOCAL
from pakhus.services.users import Person

router = APIRouter(prefix="/security", tags=["security: users"])
USER_TOKEN = "user-token"  # noqa: S105 -- a token's name
UserId = Annotated[str, Path(alias="userId")]
Status = Annotated[Literal["active", "locked", "disabled", "changepassword"], AnyCaseLower]


class UserSource(Shape):
    id: str
    name: str


class UserXO(Shape):
    """A user. The password is never shown."""

    user_id: str
    first_name: str
    last_name: str
    email_address: str
    source: str
    status: str
    read_only: bool
    roles: list[str]
    external_roles: list[str]


class _Person(Shape):
    user_id: Text
    first_name: Text
    last_name: Text
    email_address: Text
    status: Status
    roles: Annotated[list[str], Field(min_length=1)]

    def person(self) -> Person:
        roles = tuple(dict.fromkeys(self.roles))
        return Person(self.user_id, self.first_name, self.last_name, self.email_address, self.status, roles)


class ApiCreateUser(_Person):
    password: str


class ApiUser(_Person):
    source: str = LOCAL


class UserTokenXO(Shape):
    """What stands for name and password; the pass code is shown this once."""

    name_code: str
    pass_code: str
    created: Moment | None
    expires: Moment | None
    is_expired: bool
    user_id: str
    realm: str


@router.get("/user-sources", dependencies=needs("users", "read"))
async def sources() -> list[UserSource]:
    return [UserSource(id=LOCAL, name="Local")]


@router.get("/users", dependencies=needs("users", "read"))
async def everybody(
    services: Here, user_id: Annotated[str, Query(alias="userId")] = "", source: str = LOCAL
) -> list[UserXO]:
    """The users whose name starts with `userId`, by name."""
    _check_source(source)
    return [_shown(each) for each in await services.users.everybody(prefix=user_id)]


@router.post("/users", dependencies=needs("users", "create"))
async def create(body: Annotated[ApiCreateUser, Depends(Taking(ApiCreateUser))], services: Here) -> UserXO:
    return _shown(await services.users.create(body.person(), body.password))


@router.put("/users/{userId}", dependencies=needs("users", "update"), status_code=204, response_class=Response)
async def update(user_id: UserId, body: Annotated[ApiUser, Depends(Taking(ApiUser))], services: Here) -> None:
    if body.user_id != user_id:
        raise Invalid("must be the user of the path", field="userId")
    _check_source(body.source)
    await services.users.update(body.person())


@router.delete("/users/{userId}", dependencies=needs("users", "delete"), status_code=204, response_class=Response)
async def delete(user_id: UserId, services: Here, actor: Caller) -> None:
    await services.users.delete(user_id, by=actor)


@router.put(
    "/users/{userId}/change-password",
    dependencies=needs("userschangepw", "create"),
    status_code=204,
    response_class=Response,
)
async def change_password(user_id: UserId, services: Here, request: Request) -> None:
    """The body is the new password, as plain text."""
    await services.users.change_password(user_id, await text_body(request))


@router.post("/users/{userId}/{realm}/user-token", dependencies=needs("usertoken", "users"), status_code=201)
async def make_token(user_id: UserId, realm: str, services: Here) -> UserTokenXO:
    """A user token: name code and pass code, to be used like name and password."""
    _check_source(realm)
    user = await services.users.get(user_id)
    token, row = await services.tokens.create(user.user_id, USER_TOKEN, kind="user")
    return _token(row, token, services.now())


@router.get("/users/{userId}/{realm}/user-token", dependencies=needs("usertoken", "users"))
async def read_token(user_id: UserId, realm: str, services: Here) -> UserTokenXO:
    _check_source(realm)
    for row in await services.tokens.of(user_id):
        if row.name == USER_TOKEN:
            return _token(row, "", services.now())
    raise bare(404)


@router.delete(
    "/users/{userId}/{realm}/user-token",
    dependencies=needs("usertoken", "users"),
    status_code=204,
    response_class=Response,
)
async def drop_token(user_id: UserId, realm: str, services: Here) -> None:
    _check_source(realm)
    await services.tokens.revoke(user_id, USER_TOKEN)


def _shown(user: User) -> UserXO:
    return UserXO(
        user_id=user.user_id,
        first_name=user.first_name,
        last_name=user.last_name,
        email_address=user.email,
        source=user.source,
        status=user.status,
        read_only=False,
        roles=list(user.roles),
        external_roles=[],
    )


def _check_source(source: str) -> None:
    if source != LOCAL:
        raise bare(404)


def _token(row: TokenRow, token: str, now: datetime) -> UserTokenXO:
    return UserTokenXO(
        name_code=row.user_id,
        pass_code=token,
        created=row.created,
        expires=row.expires,
        is_expired=row.expires is not None and row.expires <= now,
        user_id=row.user_id,
        realm=row.source,
    )
