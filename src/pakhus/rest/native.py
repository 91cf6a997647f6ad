"""The native API's own words on the server: who it is, is it alive, is it ready."""

from __future__ import annotations

import socket
from typing import Any

from fastapi import APIRouter, Request, Response

from pakhus.rest.bodies import NativeShape
from pakhus.rest.rights import OPEN_TO_ALL, Caller, Here

router = APIRouter(tags=["status"])
probes = APIRouter(tags=["status"])


class StatusXO(NativeShape):
    """`uptime` in seconds; node and formats are for those who are logged in."""

    version: str
    edition: str = "COMMUNITY"
    uptime: float
    node: str | None = None
    formats: list[str] | None = None


class ReadyXO(NativeShape):
    """`reasons` say what is missing."""

    ready: bool
    reasons: list[str]


@router.get("/status", dependencies=OPEN_TO_ALL)
async def status(request: Request, services: Here, actor: Caller) -> StatusXO:
    state: Any = request.app.state
    found = StatusXO(version=request.app.version, uptime=round((services.now() - state.started).total_seconds(), 3))
    if not actor.anonymous:
        found.node, found.formats = socket.gethostname(), list(services.catalog.formats)
    return found


@probes.get("/healthz", dependencies=OPEN_TO_ALL)
async def alive() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@probes.get("/readyz", dependencies=OPEN_TO_ALL, responses={503: {"model": ReadyXO}})
async def ready(services: Here, response: Response) -> ReadyXO:
    """The database answers and is migrated, the blob stores can be written; else 503 and why."""
    reasons = await services.health.reasons()
    response.status_code = 503 if reasons else 200
    return ReadyXO(ready=not reasons, reasons=reasons)
