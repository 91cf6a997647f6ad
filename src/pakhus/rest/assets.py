"""Assets: listed, shown, deleted (`/v1/assets`)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from pakhus.domain.repository import Repository
from pakhus.domain.security import Permission
from pakhus.rest.bodies import Text
from pakhus.rest.contents import AssetXO, Item, PageAssetXO, Writer
from pakhus.rest.problems import bare
from pakhus.rest.rights import Caller, Here, OnRepository
from pakhus.services.contents import may_know, visible_asset

router = APIRouter(prefix="/assets", tags=["assets"])
BROWSE, DELETE = Permission.BROWSE, Permission.DELETE


@router.get("")
async def page(
    repository: Annotated[Repository, Depends(OnRepository(BROWSE))],
    services: Here,
    actor: Caller,
    shown: Writer,
    token: Annotated[str | None, Query(alias="continuationToken")] = None,
    name: Annotated[str, Query(alias="repository", description="The repository's name.")] = "",
) -> PageAssetXO:
    """A hundred assets at most; `continuationToken` asks for the next ones."""
    found = await services.contents.assets(repository, actor, token)
    return shown.assets(found.items, found.token)


@router.get("/{id}")
async def one(
    item: Annotated[tuple[Repository, int], Depends(Item(BROWSE, garbled=404))],
    services: Here,
    actor: Caller,
    shown: Writer,
    id: Text,
) -> AssetXO:
    repository, number = item
    found = await services.contents.asset(repository, number)
    if found is None or visible_asset(found, repository, actor) is None:
        raise bare(404)
    return shown.asset(found)


@router.delete("/{id}", status_code=204, response_class=Response)
async def delete(
    item: Annotated[tuple[Repository, int], Depends(Item(DELETE, garbled=404))], services: Here, actor: Caller, id: Text
) -> None:
    """The asset; its component goes with its last one."""
    repository, number = item
    found = await services.contents.asset(repository, number)
    if found is None or not may_know(found, repository, actor):
        raise bare(404)
    await services.contents.remove(repository, actor, [found])
