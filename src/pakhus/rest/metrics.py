"""Figures and checks for monitoring (`/service/metrics/…`)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from pakhus.rest.rights import Here, needs
from pakhus.rest.system import CheckResultXO
from pakhus.services import support
from pakhus.services.metrics import Metrics

router = APIRouter(prefix="/service/metrics", tags=["metrics"])


@router.get("/prometheus", dependencies=needs("metrics", "read"), response_class=Response)
async def prometheus(request: Request) -> Response:
    metrics: Metrics = request.app.state.metrics
    return Response(await metrics.exposed(), media_type=CONTENT_TYPE_LATEST)


@router.get("/ping", dependencies=needs("metrics", "read"), response_class=Response)
async def ping() -> Response:
    return Response("pong\n", media_type="text/plain", headers={"cache-control": "must-revalidate,no-cache,no-store"})


@router.get("/threads", dependencies=needs("metrics", "read"), response_class=Response)
async def threads() -> Response:
    """What every thread does now."""
    return Response(support.stacks(), media_type="text/plain")


@router.get("/data", dependencies=needs("metrics", "read"))
async def data(request: Request) -> dict[str, Any]:
    """The figures as JSON; names carry their labels."""
    metrics: Metrics = request.app.state.metrics
    return {"version": "4.0.0", "gauges": {name: {"value": value} for name, value in (await metrics.figures()).items()}}


@router.get("/healthcheck", dependencies=needs("metrics", "read"), responses={500: {"model": dict[str, CheckResultXO]}})
async def healthcheck(services: Here, response: Response) -> dict[str, CheckResultXO]:
    """Every check by its name; 500 if one has found something."""
    found = await services.health.checks()
    response.status_code = 200 if all(each.healthy for each in found) else 500
    return {each.name: CheckResultXO(healthy=each.healthy, message=each.message) for each in found}
