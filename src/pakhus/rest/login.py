"""Logins with name and password, answered with a token that lives for some hours; and the end of them. Native API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from pakhus.domain.errors import Forbidden
from pakhus.domain.security import Actor
from pakhus.rest.bodies import Moment, NativeShape, Taking
from pakhus.rest.rapture import session_of, without_cookies
from pakhus.rest.rights import OPEN_TO_ALL, Caller, Here, SignedIn
from pakhus.services.identity.realm import LOCAL

router = APIRouter(tags=["login"])
Known = Annotated[Actor, Depends(SignedIn())]


class LoginRequest(NativeShape):
    """`code`: of the second factor, where the user has one."""

    username: str
    password: str
    code: str | None = None


class PasswordRequest(NativeShape):
    old: str
    new: str
    code: str | None = None


class LoginXO(NativeShape):
    """To be sent as `Authorization: Bearer <token>` until it expires."""

    token: str
    expires: Moment


class SessionXO(NativeShape):
    """An open login: from where, and what the client called itself."""

    id: str
    address: str
    agent: str
    created: Moment
    expires: Moment


@router.post("/login", dependencies=OPEN_TO_ALL)
async def login(
    body: Annotated[LoginRequest, Depends(Taking(LoginRequest))], services: Here, actor: Caller, request: Request
) -> LoginXO:
    opened = await services.accounts.open_session(
        body.username,
        body.password,
        actor.address,
        code=body.code,
        agent=request.headers.get("user-agent", ""),
    )
    return LoginXO(token=opened.token, expires=opened.expires)


@router.delete("/login", dependencies=OPEN_TO_ALL, status_code=204, response_class=Response)
async def logout(request: Request, services: Here) -> Response:
    """Ends the login whose token or cookie the request carries."""
    await services.identification.sessions.log_out(session_of(request))
    return without_cookies(Response(status_code=204))


@router.put("/password", status_code=204, response_class=Response)
async def change_password(
    actor: Known, services: Here, body: Annotated[PasswordRequest, Depends(Taking(PasswordRequest))]
) -> None:
    """The caller's own, with the old one as proof; all logins end. `code` is of the second factor."""
    if actor.source != LOCAL:
        raise Forbidden("this password is kept elsewhere: change it there")
    await services.accounts.prove(actor.user, body.old, actor.address, code=body.code)
    await services.users.change_password(actor.user, body.new)


@router.get("/sessions")
async def sessions(actor: Known, services: Here) -> list[SessionXO]:
    """The caller's open logins."""
    found = await services.identification.sessions.of(actor.user, actor.source)
    return [
        SessionXO(id=each.id, address=each.address, agent=each.agent, created=each.created, expires=each.expires)
        for each in found
    ]


@router.delete("/sessions", status_code=204, response_class=Response)
async def end_all(actor: Known, services: Here) -> None:
    """All of the caller's logins end, this one too."""
    await services.identification.sessions.end_all(actor.user, actor.source)


@router.delete("/sessions/{id}", status_code=204, response_class=Response)
async def end(id: str, actor: Known, services: Here) -> None:
    await services.identification.sessions.end(actor.user, actor.source, id)
