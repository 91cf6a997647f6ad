"""The second factor of the caller; an administrator of users removes that of others (`?user=`). Native API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from pakhus.domain.errors import Forbidden, Invalid
from pakhus.domain.security import Actor, permits
from pakhus.rest.bodies import NativeShape, Taking
from pakhus.rest.rights import Here, SignedIn, require
from pakhus.services.identity.realm import LOCAL

router = APIRouter(prefix="/second-factor", tags=["login"])
Known = Annotated[Actor, Depends(SignedIn())]


class SecondFactorXO(NativeShape):
    enabled: bool


class EnrolmentXO(NativeShape):
    """For the authenticator application, shown this once; `uri` as a QR code. In force once it is confirmed."""

    secret: str
    uri: str


class CodeRequest(NativeShape):
    code: str


@router.get("")
async def read(actor: Known, services: Here) -> SecondFactorXO:
    _local(actor)
    return SecondFactorXO(enabled=await services.identification.second_factors.is_on(actor.user))


@router.post("", status_code=201)
async def enrol(actor: Known, services: Here) -> EnrolmentXO:
    _local(actor)
    made = await services.identification.second_factors.enrol(actor.user)
    return EnrolmentXO(secret=made.secret, uri=made.uri)


@router.put("", status_code=204, response_class=Response)
async def confirm(actor: Known, services: Here, body: Annotated[CodeRequest, Depends(Taking(CodeRequest))]) -> None:
    """The first code: from now on logins need one."""
    _local(actor)
    await services.identification.second_factors.confirm(actor.user, body.code)


@router.delete("", status_code=204, response_class=Response)
async def remove(
    actor: Known,
    services: Here,
    user: Annotated[str, Query(description="Whose; default: the caller's.")] = "",
    code: Annotated[str, Query(description="The code of the moment, to remove one's own.")] = "",
) -> None:
    """One's own with its code, so that an open login alone cannot; another's by who may change users."""
    factors = services.identification.second_factors
    if not user or (user == actor.user and actor.source == LOCAL):
        _local(actor)
        if await factors.is_on(actor.user):
            if not code:
                raise Invalid("send the code of the moment", field="code")
            await factors.check(actor.user, code)
        await factors.remove(actor.user)
        return
    require(actor, permits(actor, ("users", "update")))
    await factors.remove(user)


def _local(actor: Actor) -> None:
    """Raises `Forbidden` for users whose passwords are checked elsewhere."""
    if actor.source != LOCAL:
        raise Forbidden("only users of this server have their second factor here")
