"""Repositories: the list, and for every installed format and type create, read and change (Nexus's URLs and codes)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from pakhus.domain.errors import RepositoryNotFound
from pakhus.domain.repository import Repository, RepositoryType
from pakhus.domain.security import Actor, Permission, may, permits
from pakhus.kit.format import Format
from pakhus.rest.bodies import Mapped
from pakhus.rest.problems import bare
from pakhus.rest.repository_shapes import RepositoryXO, described, listed, request_model
from pakhus.rest.rights import (
    OPEN_TO_ALL,
    BaseUrl,
    Caller,
    Creating,
    Here,
    Right,
    actor_of,
    needs,
    permitted,
    require,
    services_of,
)

TAG = "repositories"
router = APIRouter(tags=[TAG])
Json = dict[str, Any]


class Administering(Right):
    """An administrator's right on the repository of the path, whose format is known only once it is found."""

    def __init__(self, action: str) -> None:
        self.action = action

    async def __call__(self, request: Request) -> Repository:
        found = services_of(request).catalog.find(request.path_params["name"])
        actor = actor_of(request)
        format, name = (found.format, found.name) if found else ("*", "*")
        decision = permits(actor, ("repository-admin", format, name, self.action))
        if found is None and not actor.anonymous:
            raise bare(404)
        require(actor, decision)
        if found is None:
            raise bare(404)
        return found


class Browsing(Right):
    """To browse the repository of the path: some of what it holds, or as an administrator."""

    async def __call__(self, request: Request) -> Repository:
        found = services_of(request).catalog.find(request.path_params["name"])
        if found is None:
            raise bare(404)
        if _administers(actor_of(request), found, "browse"):
            return found
        return permitted(actor_of(request), found, Permission.BROWSE)


def _administers(actor: Actor, repository: Repository, action: str) -> bool:
    return permits(actor, ("repository-admin", repository.format, repository.name, action)).allowed


def _shows(actor: Actor, repository: Repository) -> bool:
    return may(actor, Permission.BROWSE, repository, None).allowed or _administers(actor, repository, "browse")


@router.get("/repositories", dependencies=OPEN_TO_ALL)
async def everything(services: Here, actor: Caller, base_url: BaseUrl) -> list[RepositoryXO]:
    """The repositories that the caller may browse, what they hold or as an administrator, by name."""
    return [listed(each, base_url) for each in services.catalog.everything() if _shows(actor, each)]


@router.get("/repositorySettings", dependencies=OPEN_TO_ALL)
async def settings(services: Here, actor: Caller, base_url: BaseUrl) -> list[Json]:
    """The full objects of the repositories that the caller may read as an administrator."""
    return [
        described(each, services.catalog.format(each), base_url)
        for each in services.catalog.everything()
        if _administers(actor, each, "read")
    ]


@router.get("/repositories/{name}")
async def one(repository: Annotated[Repository, Depends(Browsing())], base_url: BaseUrl) -> RepositoryXO:
    return listed(repository, base_url)


@router.delete("/repositories/{name}", status_code=204, response_class=Response)
async def delete(repository: Annotated[Repository, Depends(Administering("delete"))], services: Here) -> None:
    """Remove the repository with all it holds; it leaves every group."""
    await services.repositories.delete(repository.name)


@router.post("/repositories/{name}/rebuild-index", status_code=204, response_class=Response)
async def rebuild_index(repository: Annotated[Repository, Depends(Administering("edit"))], services: Here) -> None:
    await services.repositories.rebuild_index(repository.name)


@router.post("/repositories/{name}/invalidate-cache", status_code=204, response_class=Response)
async def invalidate_cache(repository: Annotated[Repository, Depends(Administering("edit"))], services: Here) -> None:
    """Check all that is kept of upstreams with them again."""
    await services.repositories.invalidate(repository.name)


@router.post("/repositories/{name}/health-check", status_code=204, response_class=Response)
async def enable_health_check(
    repository: Annotated[Repository, Depends(Administering("edit"))], services: Here
) -> None:
    """Watch the proxy's upstream: while it is blocked, `status/check` says so. 409 where it is watched already."""
    await services.repositories.watch(repository.name, True)


@router.delete("/repositories/{name}/health-check", status_code=204, response_class=Response)
async def disable_health_check(
    repository: Annotated[Repository, Depends(Administering("edit"))], services: Here
) -> None:
    """Watch it no longer; 409 where it is not watched."""
    await services.repositories.watch(repository.name, False)


def of_formats(formats: list[Format]) -> APIRouter:
    """The routes of each format and type."""
    found = APIRouter(tags=[TAG])
    for format in formats:
        for type in RepositoryType:
            _add(found, format, type)
    return found


def _add(router: APIRouter, format: Format, type: RepositoryType) -> None:
    segment = format.segment or format.name
    path = f"/repositories/{segment}/{type.value}"
    body = Depends(Mapped(request_model(format, type)))
    names = {"create": f"create_{format.name}_{type}", "get": f"get_{format.name}_{type}"}

    creating = Creating(format.name)

    async def create(services: Here, actor: Caller, body: Json = body) -> Response:
        creating.check(actor, str(body.get("name") or ""))
        await services.repositories.create(format.name, type, body)
        return Response(status_code=201)

    async def get(name: str, services: Here, base_url: BaseUrl) -> Json:
        return described(await services.repositories.get(format.name, type, name), format, base_url)

    async def update(name: str, services: Here, body: Json = body) -> Response:
        try:
            await services.repositories.update(format.name, type, name, body)
        except RepositoryNotFound as error:
            raise bare(404) from error
        return Response(status_code=204)

    def admin(name: str, action: str) -> list[Any]:
        return needs("repository-admin", format.name, name, action)

    router.add_api_route(
        path,
        create,
        methods=["POST"],
        status_code=201,
        response_class=Response,
        name=names["create"],
        dependencies=[Depends(creating)],
        summary=f"Create a {type} repository of format {format.name}",
    )
    router.add_api_route(
        f"{path}/{{name}}",
        get,
        methods=["GET"],
        name=names["get"],
        dependencies=admin("{name}", "read"),
        summary=f"The settings of a {type} repository of format {format.name}",
    )
    router.add_api_route(
        f"{path}/{{name}}",
        update,
        methods=["PUT"],
        status_code=204,
        response_class=Response,
        name=f"update_{format.name}_{type}",
        dependencies=admin("{name}", "edit"),
        summary=f"Replace the settings of a {type} repository of format {format.name}",
    )
