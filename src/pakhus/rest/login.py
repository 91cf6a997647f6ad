"""A login with name and password: answered with a token that lives for some hours. Native API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from pakhus.rest.bodies import Moment, NativeShape, Taking
from pakhus.rest.rights import OPEN_TO_ALL, Caller, Here

router = APIRouter(tags=["login"])


class LoginRequest(NativeShape):
    username: str
    password: str


class LoginXO(NativeShape):
    """To be sent as `Authorization: Bearer <token>` until it expires."""

    token: str
    expires: Moment


@router.post("/login", dependencies=OPEN_TO_ALL)
async def login(body: Annotated[LoginRequest, Depends(Taking(LoginRequest))], services: Here, actor: Caller) -> LoginXO:
    token, expires = await services.accounts.open_session(body.username, body.password, actor.address)
    return LoginXO(token=token, expires=expires)
