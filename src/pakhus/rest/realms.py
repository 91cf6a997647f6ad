"""Realms (`/v1/security/realms`): who is asked whose a credential is, and in which order."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from pakhus.rest.bodies import Shape, json_body
from pakhus.rest.problems import Flawed
from pakhus.rest.rights import Here, needs

router = APIRouter(prefix="/security/realms", tags=["security: realms"])


class RealmXO(Shape):
    id: str
    name: str


@router.get("/available", dependencies=needs("settings", "read"))
async def available(services: Here) -> list[RealmXO]:
    return [RealmXO(id=each.id, name=each.name) for each in services.access.available_realms()]


@router.get("/active", dependencies=needs("settings", "read"))
async def active(services: Here) -> list[str]:
    return await services.access.active_realms()


@router.put("/active", dependencies=needs("settings", "update"), status_code=204, response_class=Response)
async def activate(services: Here, request: Request) -> None:
    """A JSON array of realm ids. A realm that is left out authenticates nobody."""
    wanted = await json_body(request)
    if not isinstance(wanted, list) or not all(isinstance(each, str) for each in wanted):
        raise Flawed([("*", "must be a list of realm ids")])
    await services.access.activate_realms(wanted)
