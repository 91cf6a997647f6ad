"""Components: listed, shown, uploaded, deleted (`/v1/components`)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from pakhus.domain.repository import Repository
from pakhus.domain.security import Permission
from pakhus.rest.bodies import Text
from pakhus.rest.contents import ComponentXO, Item, PageComponentXO, Writer
from pakhus.rest.problems import bare
from pakhus.rest.rights import BaseUrl, Caller, Here, OnRepository
from pakhus.services.contents import may_know, visible

router = APIRouter(prefix="/components", tags=["components"])
Token = Annotated[str | None, Query(alias="continuationToken")]
BROWSE, DELETE, ADD, EDIT = Permission.BROWSE, Permission.DELETE, Permission.ADD, Permission.EDIT
Named = Annotated[str, Query(alias="repository", description="The repository's name.")]


@router.get("")
async def page(
    repository: Annotated[Repository, Depends(OnRepository(BROWSE))],
    services: Here,
    actor: Caller,
    shown: Writer,
    token: Token = None,
    name: Named = "",
) -> PageComponentXO:
    """A hundred components at most; `continuationToken` asks for the next ones."""
    found = await services.contents.components(repository, actor, token)
    return shown.components(found.items, found.token)


@router.get("/{id}")
async def one(
    item: Annotated[tuple[Repository, int], Depends(Item(BROWSE, garbled=422))],
    services: Here,
    actor: Caller,
    shown: Writer,
    id: Text,
) -> ComponentXO:
    repository, number = item
    found = await services.contents.component(repository, number)
    seen = None if found is None else visible(found, repository, actor)
    if seen is None:
        raise bare(404)
    return shown.component(seen)


@router.delete("/{id}", status_code=204, response_class=Response)
async def delete(
    item: Annotated[tuple[Repository, int], Depends(Item(DELETE, garbled=422))], services: Here, actor: Caller, id: Text
) -> None:
    """The component with all its assets."""
    repository, number = item
    found = await services.contents.component(repository, number)
    if found is None or not any(may_know(asset, repository, actor) for asset in found.assets):
        raise bare(404)
    await services.contents.remove(repository, actor, found.assets)


@router.post("", status_code=204, response_class=Response)
async def upload(
    repository: Annotated[Repository, Depends(OnRepository(ADD, EDIT))],
    request: Request,
    services: Here,
    actor: Caller,
    base_url: BaseUrl,
    name: Named = "",
) -> None:
    """The files of one component or several, as multipart/form-data; `/v1/formats/upload-specs` tells the fields."""
    content_type = request.headers.get("content-type", "")
    await services.uploads.receive(repository, actor, request.stream(), content_type, base_url=base_url)
