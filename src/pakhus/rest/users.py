"""Users and their passwords (`/v1/security/users`)."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import Field

from pakhus.domain.errors import Invalid
from pakhus.rest.bodies import AnyCaseLower, Shape, Taking, Text, text_body
from pakhus.rest.problems import Flawed, bare
from pakhus.rest.rights import Caller, Here, needs
from pakhus.services.identity.realm import LOCAL
from pakhus.services.users import Person, Shown

router = APIRouter(prefix="/security", tags=["security: users"])
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


class ApiCreateUser(Shape):
    user_id: Text
    first_name: Text
    last_name: Text
    email_address: Text
    password: str
    status: Status
    roles: Annotated[list[str], Field(min_length=1)]


class ApiUser(Shape):
    """Of another source only `roles` and `status` are kept here, and nothing else has to be given."""

    user_id: Text
    first_name: str | None = None
    last_name: str | None = None
    email_address: str | None = None
    source: str = LOCAL
    status: Status
    roles: list[str]

    def flaws(self) -> list[tuple[str, str]]:
        """What a user of this server must have."""
        members = {"firstName": self.first_name, "lastName": self.last_name, "emailAddress": self.email_address}
        return [(name, "must not be empty") for name, value in {**members, "roles": self.roles}.items() if not value]


@router.get("/user-sources", dependencies=needs("users", "read"))
async def sources(services: Here) -> list[UserSource]:
    return [UserSource(id=id, name=name) for id, name in await services.users.sources()]


@router.get("/users", dependencies=needs("users", "read"))
async def everybody(
    services: Here, user_id: Annotated[str, Query(alias="userId")] = "", source: str = ""
) -> list[UserXO]:
    """The users whose id starts with `userId`, by name; of all sources, or of one."""
    if source:
        await _check_source(services, source)
    return [_shown(each) for each in await services.users.everybody(prefix=user_id, source=source)]


@router.post("/users", dependencies=needs("users", "create"))
async def create(body: Annotated[ApiCreateUser, Depends(Taking(ApiCreateUser))], services: Here) -> UserXO:
    return _shown(Shown(await services.users.create(_person(body), body.password)))


@router.put("/users/{userId}", dependencies=needs("users", "update"), status_code=204, response_class=Response)
async def update(user_id: UserId, body: Annotated[ApiUser, Depends(Taking(ApiUser))], services: Here) -> None:
    if body.user_id != user_id:
        raise Invalid("must be the user of the path", field="userId")
    if body.source == LOCAL and (flaws := body.flaws()):
        raise Flawed(flaws)
    await _check_source(services, body.source)
    await services.users.update(_person(body), body.source)


@router.delete("/users/{userId}", dependencies=needs("users", "delete"), status_code=204, response_class=Response)
async def delete(
    user_id: UserId,
    services: Here,
    actor: Caller,
    realm: Annotated[str, Query(description="Source of the user, or its realm; default: users of this server.")] = "",
) -> None:
    """Of a user of another source goes what is kept here: roles, tokens, logins."""
    await services.users.delete(user_id, source=await source_of(services, realm) if realm else "", by=actor)


@router.put(
    "/users/{userId}/change-password",
    dependencies=needs("userschangepw", "create"),
    status_code=204,
    response_class=Response,
)
async def change_password(user_id: UserId, services: Here, request: Request) -> None:
    """The body is the new password, as plain text."""
    await services.users.change_password(user_id, await text_body(request))


def _person(body: ApiCreateUser | ApiUser) -> Person:
    names = (body.first_name or "", body.last_name or "", body.email_address or "")
    return Person(body.user_id, *names, body.status, tuple(dict.fromkeys(body.roles)))


def _shown(shown: Shown) -> UserXO:
    user = shown.user
    return UserXO(
        user_id=user.user_id,
        first_name=user.first_name,
        last_name=user.last_name,
        email_address=user.email,
        source=user.source,
        status=user.status,
        read_only=shown.read_only,
        roles=list(user.roles),
        external_roles=list(shown.external),
    )


async def _check_source(services: Here, source: str) -> None:
    if source not in {id for id, _ in await services.users.sources()}:
        raise bare(404)


async def source_of(services: Here, realm: str) -> str:
    """The source that is meant by its own id, or by that of its realm."""
    for each in await services.realms.sources():
        if realm in (each.source, each.id):
            return each.source
    raise bare(404)
