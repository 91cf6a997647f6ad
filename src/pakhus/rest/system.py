"""The server as a machine: its node, its licence text, what it says of itself for support (`/v1/system`, …)."""

from __future__ import annotations

import asyncio
import socket
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from pakhus.domain.errors import PakhusError
from pakhus.rest.bodies import Shape, Taking, text_body
from pakhus.rest.problems import bare
from pakhus.rest.rights import Caller, Here, needs
from pakhus.services import support as supporting
from pakhus.services.metrics import Metrics
from pakhus.services.services import Services

router = APIRouter(tags=["system"])
onboarding = APIRouter(tags=["system"])
ADMINISTRATOR = "admin"
DISCLAIMER = (
    "Use of this server is governed by the Apache License, Version 2.0. There is no further agreement; "
    "this text is here for clients that want one to be accepted."
)
DOWNLOADS = "downloads"


class NodeXO(Shape):
    node_id: str


class EulaXO(Shape):
    accepted: bool = False
    disclaimer: str = ""


class CheckResultXO(Shape):
    healthy: bool
    message: str | None


class NodeChecksXO(Shape):
    node_id: str
    hostname: str
    results: dict[str, CheckResultXO]


class SupportXO(Shape):
    """What goes into a support zip. There are no logs of its own: the server writes them to its standard output."""

    system_information: bool = False
    thread_dump: bool = False
    metrics: bool = False
    configuration: bool = False
    security: bool = False
    limit_file_sizes: bool = False


class SupportFileXO(Shape):
    file: str
    name: str
    size: str
    truncated: bool


class EulaMismatch(PakhusError):
    """Nexus answers 500."""


@router.get("/system/node", dependencies=needs("atlas", "read"))
async def node_id(services: Here) -> NodeXO:
    return NodeXO(node_id=await asyncio.to_thread(lambda: services.node.id))


@router.delete("/system/node", dependencies=needs("*"), status_code=204, response_class=Response)
async def reset_node(services: Here) -> None:
    """The node has another identity from now on."""
    await asyncio.to_thread(services.node.reset)


@router.get("/system/eula", dependencies=needs("*"))
async def eula(services: Here) -> EulaXO:
    """A text to send back: suites made for Nexus accept it before anything else."""
    return EulaXO(accepted=bool(services.catalog.values.get("eula")), disclaimer=DISCLAIMER)


@router.post("/system/eula", dependencies=needs("*"), status_code=204, response_class=Response)
async def accept(body: Annotated[EulaXO, Depends(Taking(EulaXO))], services: Here) -> None:
    if body.disclaimer != DISCLAIMER or not body.accepted:
        raise EulaMismatch("the disclaimer is not the one that GET shows")
    await services.keep("eula", True)


@onboarding.put(
    "/ui/onboarding/change-admin-password", dependencies=needs("*"), status_code=204, response_class=Response
)
async def change_administrators_password(request: Request, services: Here) -> None:
    """The body is the new password of the user `admin`: what scripts that set up a new server ask for."""
    await services.users.change_password(ADMINISTRATOR, await text_body(request))


@router.get("/system/information", dependencies=needs("atlas", "read"))
async def information(request: Request, services: Here) -> dict[str, Any]:
    return await asyncio.to_thread(supporting.information, services, request.app.state.nexus_version)


@router.get("/status/check/cluster", dependencies=needs("metrics", "read"))
async def cluster(services: Here) -> list[NodeChecksXO]:
    """This node's checks: others are asked themselves."""
    return [await _checks(services)]


@router.get("/status/check/{node}", dependencies=needs("metrics", "read"))
async def checks_of(node: str, services: Here) -> NodeChecksXO:
    found = await _checks(services)
    if node != found.node_id:
        raise bare(404)
    return found


@router.post("/support/supportzip", dependencies=needs("atlas", "create"), response_class=Response)
async def support(
    body: Annotated[SupportXO, Depends(Taking(SupportXO))], request: Request, services: Here, actor: Caller
) -> Response:
    """What support needs, as a zip; nothing secret is in it."""
    made = await _bundle(body, request, services)
    headers = {"content-disposition": f'attachment; filename="{made.name}"'}
    return Response(made.body, headers=headers, media_type="application/octet-stream")


@router.post("/support/supportzippath", dependencies=needs("atlas", "create"))
async def support_path(
    body: Annotated[SupportXO, Depends(Taking(SupportXO))], request: Request, services: Here
) -> SupportFileXO:
    """The same, kept in the data directory."""
    made = await _bundle(body, request, services)
    folder = services.data / DOWNLOADS
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    await asyncio.to_thread((folder / made.name).write_bytes, made.body)
    return SupportFileXO(
        file=str(folder / made.name), name=made.name, size=str(len(made.body)), truncated=made.truncated
    )


async def _checks(services: Services) -> NodeChecksXO:
    results = {
        each.name: CheckResultXO(healthy=each.healthy, message=each.message) for each in await services.health.checks()
    }
    identity = await asyncio.to_thread(lambda: services.node.id)
    return NodeChecksXO(node_id=identity, hostname=socket.gethostname(), results=results)


async def _bundle(wanted: SupportXO, request: Request, services: Services) -> supporting.Bundle:
    metrics: Metrics = request.app.state.metrics
    files: dict[str, bytes] = {}
    if wanted.system_information:
        found = supporting.information(services, request.app.state.nexus_version)
        files["info/system.json"] = supporting.as_json(found)
    if wanted.thread_dump:
        files["info/threads.txt"] = supporting.stacks().encode()
    if wanted.metrics:
        files["info/metrics.txt"] = await metrics.exposed()
    if wanted.configuration:
        files["work/configuration.json"] = supporting.configuration(services)
    if wanted.security:
        files["work/security.json"] = supporting.as_json(await _security(services))
    return await asyncio.to_thread(
        lambda: supporting.bundle(files, moment=services.now(), limited=wanted.limit_file_sizes)
    )


async def _security(services: Services) -> dict[str, Any]:
    users = [each.user for each in await services.users.everybody()]
    return {"users": [{"userId": each.user_id, "status": each.status, "roles": list(each.roles)} for each in users]}
