"""Folders of repositories: HTML (`/service/rest/repository/browse/…`), JSON (`/v1/repositories/{name}/browse`)."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from pakhus.domain.errors import Invalid
from pakhus.domain.repository import Repository
from pakhus.domain.security import Permission
from pakhus.engine.browse import Folder
from pakhus.engine.found import Visit
from pakhus.kit.paths import flaw
from pakhus.rest.bodies import Shape
from pakhus.rest.contents import Writer
from pakhus.rest.listing import render
from pakhus.rest.problems import bare
from pakhus.rest.rights import Caller, Here, OnRepository
from pakhus.services.contents import identity

router = APIRouter(tags=["browse"])
pages = APIRouter(tags=["browse"])
Seen = Annotated[Repository, Depends(OnRepository(Permission.BROWSE, parameter="name"))]
MOST = 10_000
"""So many assets of a folder are removed by one request."""


class BrowseNodeXO(Shape):
    """`type` is folder or asset; `id` is the path."""

    id: str
    text: str
    type: str
    leaf: bool
    component_id: str | None
    asset_id: str | None
    package_url: str | None = None


@router.get("/repositories/{name}/browse")
async def nodes(
    repository: Seen,
    services: Here,
    actor: Caller,
    path: Annotated[str, Query(description="A folder; empty for the top.")] = "",
    after: Annotated[str, Query(description="The name after which to go on.")] = "",
) -> list[BrowseNodeXO]:
    """What lies right below a folder: folders and files, a thousand at most."""
    prefix = _prefix(path)
    folder = await services.browser.folder(repository, prefix, Visit(actor), after=after)
    if prefix and not folder.entries:
        raise bare(404)
    found = []
    for entry in folder.entries:
        asset = entry.asset
        component = asset.component_id if asset is not None else None
        found.append(
            BrowseNodeXO(
                id=prefix + entry.name.rstrip("/"),
                text=entry.name.rstrip("/"),
                type="folder" if asset is None else "asset",
                leaf=asset is not None,
                component_id=None if asset is None or component is None else identity(asset.repository, component),
                asset_id=None if asset is None else identity(asset.repository, asset.id),
            )
        )
    return found


@router.delete("/repositories/{name}/browse", status_code=204, response_class=Response)
async def remove(
    repository: Annotated[Repository, Depends(OnRepository(Permission.DELETE, parameter="name"))],
    services: Here,
    actor: Caller,
    path: Annotated[str, Query(description="A folder or a file.")] = "",
) -> None:
    """The file, or all that lies below the folder."""
    if not path.strip("/"):
        raise Invalid("path is needed", field="path")
    found = await services.contents.below(repository, _prefix(path), limit=MOST + 1)
    if not found:
        raise bare(404)
    if len(found) > MOST:
        raise Invalid(f"more than {MOST} files lie below {path}", field="path")
    await services.contents.remove(repository, actor, found)


@pages.get("/repository/browse/{name}", response_class=Response)
async def unslashed(repository: Seen, request: Request) -> Response:
    return RedirectResponse(f"{quote(repository.name)}/{_query(request)}", 303)


@pages.get("/repository/browse/{name}/{path:path}", response_class=HTMLResponse)
async def page(
    repository: Seen,
    path: str,
    request: Request,
    services: Here,
    actor: Caller,
    shown: Writer,
    filter: Annotated[str, Query(description="Only names that have this text.")] = "",
    after: Annotated[str, Query(description="The name after which to go on.")] = "",
) -> Response:
    """An HTML index; files are linked where they are downloaded."""
    prefix = _prefix(path)
    folder = await services.browser.folder(repository, prefix, Visit(actor), after=after)
    if prefix and not folder.entries:
        raise bare(404)
    if prefix and not path.endswith("/"):
        return RedirectResponse(f"{quote(path.rpartition('/')[2])}/{_query(request)}", 303)
    wanted = filter.lower()
    entries = [each for each in folder.entries if wanted in each.name.lower()]
    inside = Folder(entries, folder.more)
    return HTMLResponse(
        render("/" + prefix, inside, file=lambda asset: shown.url(replace(asset, repository=repository.name)))
    )


def _query(request: Request) -> str:
    return f"?{request.url.query}" if request.url.query else ""


def _prefix(path: str) -> str:
    """A folder's path with its slash at the end, empty for the top. 404 for what is no path."""
    inside = path.strip("/")
    if inside and flaw(inside):
        raise bare(404)
    return f"{inside}/" if inside else ""
