"""Figures for Prometheus."""

from __future__ import annotations

from pakhus.services.services import Services


class Metrics:
    def __init__(self, services: Services) -> None:
        self._services = services

    def observe(self, method: str, status: int, kind: str, format: str, seconds: float, sent: int) -> None:
        """One answered request."""
