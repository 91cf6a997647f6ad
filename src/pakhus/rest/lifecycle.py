"""Read-only mode and the phases of the server's life (`/v1/read-only`, `/v1/lifecycle`)."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from pakhus.domain.errors import Invalid, NotFound
from pakhus.rest.bodies import Shape, text_body
from pakhus.rest.problems import bare
from pakhus.rest.rights import Caller, Here, needs
from pakhus.services.freeze import PHASES
from pakhus.services.services import Services

router = APIRouter(tags=["lifecycle"])


class ReadOnlyXO(Shape):
    system_initiated: bool
    summary_reason: str
    frozen: bool


@router.get("/read-only", dependencies=needs("*"))
async def state(services: Here) -> ReadOnlyXO:
    found = await services.freeze.state()
    return ReadOnlyXO(system_initiated=False, summary_reason=found.reason, frozen=found.frozen)


@router.post("/read-only/freeze", dependencies=needs("*"), status_code=204, response_class=Response)
async def freeze(services: Here, actor: Caller) -> None:
    """From now on nothing enters, changes or leaves; 404 where it is so already."""
    await _set(services, True, actor.user)


@router.post("/read-only/release", dependencies=needs("*"), status_code=204, response_class=Response)
async def release(services: Here, actor: Caller) -> None:
    """Back to normal; 404 where it is so already."""
    await _set(services, False, actor.user)


@router.post("/read-only/force-release", dependencies=needs("*"), status_code=204, response_class=Response)
async def force_release(services: Here, actor: Caller) -> None:
    """As `release`: the server never freezes itself."""
    await _set(services, False, actor.user)


@router.get("/lifecycle/phase", dependencies=needs("*"), response_class=Response)
async def phase(services: Here) -> Response:
    """`TASKS` when the server does all that it can."""
    return Response(services.freeze.phase, media_type="text/plain")


@router.put("/lifecycle/phase", dependencies=needs("*"), status_code=204, response_class=Response)
async def move(request: Request, services: Here) -> None:
    """Before the phase `TASKS` no task is begun by its schedule, in this process."""
    services.freeze.phase = await _phase(request)


@router.put("/lifecycle/bounce", dependencies=needs("*"), status_code=204, response_class=Response)
async def bounce(request: Request, services: Here) -> None:
    """To a phase and back again: runs of tasks that are under way end, and begin anew when they are due."""
    before, services.freeze.phase = services.freeze.phase, await _phase(request)
    await services.tasks.close()
    services.freeze.phase = before


async def _phase(request: Request) -> str:
    wanted = (await text_body(request)).strip().strip('"').upper()
    if wanted not in PHASES:
        raise Invalid(f"Unknown phase: {wanted[:100]}")
    return wanted


async def _set(services: Services, frozen: bool, by: str) -> None:
    try:
        await services.freeze.set(frozen, by=by)
    except NotFound as error:
        raise bare(404) from error
