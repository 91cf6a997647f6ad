"""Realms (`/v1/security/realms`): all of this server's are always on; what can be kept is their order."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from pakhus.rest.bodies import Shape, json_body
from pakhus.rest.problems import Flawed
from pakhus.rest.rights import Here, needs
from pakhus.services.access import REALMS

router = APIRouter(prefix="/security/realms", tags=["security: realms"])


class RealmXO(Shape):
    id: str
    name: str


@router.get("/available", dependencies=needs("settings", "read"))
async def available() -> list[RealmXO]:
    return [RealmXO(id=id, name=name) for id, name in REALMS.items()]


@router.get("/active", dependencies=needs("settings", "read"))
async def active(services: Here) -> list[str]:
    return await services.access.realms()


@router.put("/active", dependencies=needs("settings", "update"), status_code=204, response_class=Response)
async def order(services: Here, request: Request) -> None:
    """A JSON array of realm ids."""
    wanted = await json_body(request)
    if not isinstance(wanted, list) or not all(isinstance(each, str) for each in wanted):
        raise Flawed([("*", "must be a list of realm ids")])
    await services.access.order_realms(wanted)
