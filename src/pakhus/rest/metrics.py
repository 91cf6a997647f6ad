"""Figures for Prometheus (`/service/metrics/prometheus`)."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from pakhus.rest.rights import needs
from pakhus.services.metrics import Metrics

router = APIRouter(prefix="/service/metrics", tags=["metrics"])


@router.get("/prometheus", dependencies=needs("metrics", "read"), response_class=Response)
async def prometheus(request: Request) -> Response:
    metrics: Metrics = request.app.state.metrics
    return Response(await metrics.exposed(), media_type=CONTENT_TYPE_LATEST)
