"""One component in many repositories (`/v1/search/versions`, `/v1/search/repositories`)."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from pakhus.rest.bodies import Moment, Shape
from pakhus.rest.rights import Caller, Here, needs

router = APIRouter(prefix="/search", tags=["search"])
Format = Annotated[str, Query(min_length=1, description="The component's format.")]
Name = Annotated[str, Query(min_length=1, description="The component's name.")]


class ComponentVersionXO(Shape):
    version: str
    repositories: list[str]
    last_updated: Moment


class ComponentVersionsPageXO(Shape):
    """`total` counts the versions of all pages."""

    items: list[ComponentVersionXO]
    page: int
    size: int
    total: int


class RepositoryForVersionXO(Shape):
    repository_name: str
    type: str
    version_count: int


class RepositoriesForVersionXO(Shape):
    items: list[RepositoryForVersionXO]
    total_count: int


@router.get("/versions", dependencies=needs("search", "read"))
async def versions(
    services: Here,
    actor: Caller,
    format: Format,
    name: Name,
    group: Annotated[str, Query(description="Its group, where it has one.")] = "",
    version: Annotated[str, Query(description="Only versions that have this text.")] = "",
    page: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    size: Annotated[int, Query(ge=1, le=250)] = 50,
    sort: Literal["version", "lastUpdated", "repositories"] = "version",
    direction: Literal["asc", "desc"] = "desc",
) -> ComponentVersionsPageXO:
    """The versions of a component, whatever repositories have them; the newest first."""
    found = await services.versions.found(actor, format, group, name)
    matching = [each for each in found if version.lower() in each[1].version.lower()]
    ordered = services.versions.ordered(format, matching, sort=sort, descending=direction == "desc")
    shown = ordered[page * size : (page + 1) * size]
    items = [
        ComponentVersionXO(version=each.version, repositories=list(each.repositories), last_updated=each.updated)
        for each in shown
    ]
    return ComponentVersionsPageXO(items=items, page=page, size=size, total=len(ordered))


@router.get("/repositories", dependencies=needs("search", "read"))
async def repositories(
    services: Here,
    actor: Caller,
    format: Format,
    name: Name,
    namespace: Annotated[str, Query(description="Its group, where it has one.")] = "",
    version: Annotated[str, Query(description="Only this version.")] = "",
) -> RepositoriesForVersionXO:
    """The repositories that have a component, and how many of its versions."""
    found = await services.versions.found(actor, format, namespace, name)
    matching = [repository for repository, each in found if not version or each.version == version]
    kinds = {repository.name: repository.type.value for repository in matching}
    counted = Counter(repository.name for repository in matching)
    items = [
        RepositoryForVersionXO(repository_name=name, type=kinds[name], version_count=number)
        for name, number in sorted(counted.items())
    ]
    return RepositoriesForVersionXO(items=items, total_count=len(items))
