"""Groovy scripts (`/v1/script`): there are none, as in a Nexus whose administrator did not allow them."""

from __future__ import annotations

from fastapi import APIRouter, Response

from pakhus.domain.errors import PakhusError
from pakhus.rest.problems import bare
from pakhus.rest.rights import needs

router = APIRouter(prefix="/script", tags=["scripts"])


class Gone(PakhusError):
    status = 410


def _gone() -> Gone:
    return Gone("Creating and updating scripts is disabled")


@router.get("", dependencies=needs("script", "*", "read"))
async def everything() -> list[str]:
    return []


@router.post("", dependencies=needs("script", "*", "add"), status_code=410, response_class=Response)
async def create() -> None:
    """Refused with 410: this server runs no scripts."""
    raise _gone()


@router.get("/{name}", dependencies=needs("script", "{name}", "read"), status_code=404, response_class=Response)
async def one(name: str) -> None:
    raise bare(404)


@router.put("/{name}", dependencies=needs("script", "{name}", "edit"), status_code=410, response_class=Response)
async def change(name: str) -> None:
    """Refused with 410: this server runs no scripts."""
    raise _gone()


@router.delete("/{name}", dependencies=needs("script", "{name}", "delete"), status_code=404, response_class=Response)
async def delete(name: str) -> None:
    raise bare(404)


@router.post("/{name}/run", dependencies=needs("script", "{name}", "run"), status_code=404, response_class=Response)
async def run(name: str) -> None:
    raise bare(404)
