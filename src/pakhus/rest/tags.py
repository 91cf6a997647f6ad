"""Tags and staging: what a search finds is tagged, moved, removed (`/v1/tags`, `/v1/staging`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from pakhus.database.tags import Tag
from pakhus.domain.content import Component
from pakhus.domain.errors import RepositoryNotFound
from pakhus.rest.bodies import Moment, Shape, Taking, Text
from pakhus.rest.problems import bare
from pakhus.rest.rights import Caller, Here, needs

router = APIRouter(tags=["tags"])


class TagXO(Shape):
    name: str
    attributes: dict[str, Any]
    first_created: Moment
    last_updated: Moment


class PageTagXO(Shape):
    items: list[TagXO]
    continuation_token: str | None


class TagCreateXO(Shape):
    name: Text
    attributes: dict[str, Any] = {}


class TagChangeXO(Shape):
    attributes: dict[str, Any] = {}


class OutcomeXO(Shape):
    """`data` names the components that were meant."""

    status: int = 200
    message: str
    data: dict[str, Any]


@router.get("/tags", dependencies=needs("tags", "read"))
async def everything(
    services: Here, token: Annotated[str | None, Query(alias="continuationToken")] = None
) -> PageTagXO:
    """A hundred tags at most; `continuationToken` asks for the next ones."""
    found = await services.tags.page(token)
    return PageTagXO(items=[_shown(each) for each in found.items], continuation_token=found.token)


@router.post("/tags", dependencies=needs("tags", "create"))
async def create(body: Annotated[TagCreateXO, Depends(Taking(TagCreateXO))], services: Here) -> TagXO:
    return _shown(await services.tags.create(body.name, body.attributes))


@router.get("/tags/{name}", dependencies=needs("tags", "read"))
async def one(name: str, services: Here) -> TagXO:
    return _shown(await services.tags.get(name))


@router.put("/tags/{name}", dependencies=needs("tags", "update"))
async def change(name: str, body: Annotated[TagChangeXO, Depends(Taking(TagChangeXO))], services: Here) -> TagXO:
    return _shown(await services.tags.change(name, body.attributes))


@router.delete("/tags/{name}", dependencies=needs("tags", "delete"), status_code=204, response_class=Response)
async def delete(name: str, services: Here) -> None:
    """The tag goes, the components that had it stay."""
    await services.tags.delete(name)


@router.post("/tags/associate/{name}", dependencies=needs("tags", "associate"))
async def associate(name: str, request: Request, services: Here, actor: Caller) -> OutcomeXO:
    """Give the tag to what the parameters, those of a search, find."""
    found = await services.tags.associate(name, actor, request.query_params)
    data = {"components associated": _named(found)}
    return OutcomeXO(message="Association successful", data=data)


@router.delete("/tags/associate/{name}", dependencies=needs("tags", "disassociate"))
async def dissociate(name: str, request: Request, services: Here, actor: Caller) -> OutcomeXO:
    """Take the tag from what the parameters find."""
    found = await services.tags.dissociate(name, actor, request.query_params)
    data = {"components disassociated": _named(found)}
    return OutcomeXO(message="Disassociation successful", data=data)


@router.post("/staging/move/{destination}", dependencies=needs("search", "read"))
async def move(destination: str, request: Request, services: Here, actor: Caller) -> OutcomeXO:
    """Move what the parameters find to another hosted repository; who asks may remove it here and add it there."""
    try:
        found = await services.tags.move(destination, actor, request.query_params)
    except RepositoryNotFound as error:
        raise bare(404) from error
    data = {"destination": destination, "components moved": _named(found)}
    return OutcomeXO(message="Move Successful", data=data)


@router.post("/staging/delete", dependencies=needs("search", "read"))
async def remove(request: Request, services: Here, actor: Caller) -> OutcomeXO:
    """Remove what the parameters find; who asks may remove it."""
    found = await services.tags.delete_found(actor, request.query_params)
    return OutcomeXO(message="Delete Successful", data={"components deleted": _named(found)})


def _named(found: Sequence[Component]) -> list[dict[str, Any]]:
    return [{"group": each.namespace or None, "name": each.name, "version": each.version or None} for each in found]


def _shown(found: Tag) -> TagXO:
    return TagXO(
        name=found.name, attributes=dict(found.attributes), first_created=found.created, last_updated=found.updated
    )
