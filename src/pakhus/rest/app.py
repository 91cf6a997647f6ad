"""The REST application."""

from __future__ import annotations

from fastapi import FastAPI

from pakhus.services.metrics import Metrics
from pakhus.services.services import Services


def create(services: Services, metrics: Metrics, *, version: str) -> FastAPI:
    return FastAPI(title="Pakhus", version=version)
