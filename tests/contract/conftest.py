"""The formats' contract runs on one server that has each format in all shapes; its upstream is a second server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.contract.serving import ADMIN, Serving, serving
from tests.samples import Release, Sample, installed, sample

SHAPES = ("hosted", "proxy", "group", "nested")


@dataclass
class Shapes:
    """One format on two servers, empty at first.

    On `near`: hosted, proxy (of `far`'s upstream), group (hosted, proxy), nested (a group of that group). What is
    published to `upstream` is seen through proxy, group and nested; what is published to hosted through all but proxy.
    """

    sample: Sample
    near: Serving
    far: Serving

    async def publish(self, release: Release, shape: str = "hosted") -> None:
        server, name = (self.far, "upstream") if shape in ("proxy", "upstream") else (self.near, "hosted")
        for request in release.publish:
            response = await server.ask(name, request)
            assert response.status_code in (200, 201, 202, 204), f"{request.method} {request.path}: {response.text}"

    async def remove(self, release: Release, shape: str = "hosted") -> None:
        server, name = (self.far, "upstream") if shape in ("proxy", "upstream") else (self.near, "hosted")
        for request in release.removal:
            response = await server.ask(name, request)
            assert response.status_code in (200, 201, 202, 204), f"{request.method} {request.path}: {response.text}"

    async def forget(self) -> None:
        """The proxy checks everything with its upstream again."""
        await self.near.application.services.repositories.invalidate("proxy")


@pytest.fixture(params=installed())
async def shapes(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Shapes]:
    found = sample(request.param)
    async with serving(tmp_path / "near") as near, serving(tmp_path / "far") as far:
        await far.create(found.format, "hosted", "upstream", **found.settings.get("hosted", {}))
        await near.create(found.format, "hosted", "hosted", **found.settings.get("hosted", {}))
        await near.create(found.format, "proxy", "proxy", **_proxy(far, found.settings.get("proxy", {})))
        options = found.settings.get("group", {})
        await near.create(found.format, "group", "group", group={"memberNames": ["hosted", "proxy"]}, **options)
        await near.create(found.format, "group", "nested", group={"memberNames": ["group"]}, **options)
        yield Shapes(found, near, far)


def _proxy(far: Serving, settings: Any) -> dict[str, Any]:
    login = {"type": "username", "username": ADMIN[0], "password": ADMIN[1]}
    return {
        "proxy": {"remoteUrl": far.at("upstream")},
        "negativeCache": {"enabled": False},
        "httpClient": {"authentication": login},
        **settings,
    }
