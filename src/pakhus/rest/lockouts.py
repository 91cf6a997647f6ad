"""Who has to wait after wrong passwords, and letting them in earlier. Native API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from pakhus.rest.bodies import Moment, NativeShape
from pakhus.rest.rights import Here, needs

router = APIRouter(prefix="/lockouts", tags=["login"])


class LockoutXO(NativeShape):
    """Without user: everybody at that address."""

    user: str
    address: str
    failures: int
    until: Moment


@router.get("", dependencies=needs("users", "read"))
async def everything(services: Here) -> list[LockoutXO]:
    found = await services.identification.throttle.locked()
    return [
        LockoutXO(user=each.user_id, address=each.address, failures=each.failures, until=each.expires) for each in found
    ]


@router.delete("", dependencies=needs("users", "update"), status_code=204, response_class=Response)
async def unlock(
    services: Here,
    user: Annotated[str, Query(description="Empty: what is counted for an address.")] = "",
    address: Annotated[str | None, Query(description="Default: all addresses.")] = None,
) -> None:
    await services.identification.throttle.unlock(user, address)
