"""Is the server there, can it write, and how are its parts: what load balancers and scripts ask first."""

from __future__ import annotations

from fastapi import APIRouter, Response

from pakhus.rest.bodies import Moment, Shape
from pakhus.rest.problems import bare
from pakhus.rest.rights import OPEN_TO_ALL, Here, needs

router = APIRouter(tags=["status"])


class CheckXO(Shape):
    """One check; `time` in milliseconds."""

    healthy: bool
    message: str | None
    error: str | None
    details: dict[str, str] | None
    time: int
    duration: int
    timestamp: Moment


@router.get("/status", dependencies=OPEN_TO_ALL, response_class=Response)
async def readable(services: Here) -> Response:
    """200 while the server can answer reads."""
    if await services.health.database() is not None:
        raise bare(503)
    return Response()


@router.get("/status/writable", dependencies=OPEN_TO_ALL, response_class=Response)
async def writable(services: Here) -> Response:
    """200 while the server can take writes."""
    if await services.health.reasons():
        raise bare(503)
    return Response()


@router.get("/status/check", dependencies=needs("metrics", "read"))
async def check(services: Here) -> dict[str, CheckXO]:
    """Every check by its name."""
    return {
        each.name: CheckXO(
            healthy=each.healthy,
            message=each.message,
            error=None,
            details=None,
            time=int(each.moment.timestamp() * 1000),
            duration=each.milliseconds,
            timestamp=each.moment,
        )
        for each in await services.health.checks()
    }
