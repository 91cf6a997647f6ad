"""Search (`/v1/search`): components, assets, and the way to download the one that is found.

Parameters: `q`, `repository`, `format`, `group`, `name`, `version`, `prerelease`, digests, those of the formats,
`tag`, `lastBlobUpdated` (since), `sort`, `direction`, `continuationToken`. Unknown ones are ignored.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from pakhus.domain.errors import Invalid, NotFound
from pakhus.rest.bodies import Shape
from pakhus.rest.contents import PageAssetXO, PageComponentXO, Writer
from pakhus.rest.problems import PlainText
from pakhus.rest.rights import Caller, Here, needs
from pakhus.services.contents import identity

router = APIRouter(prefix="/search", tags=["search"])
Keyword = Annotated[str, Query(description="Words in names, groups, versions and descriptions.")]
Repository = Annotated[str, Query(description="A repository's name; a group stands for its members.")]
Sort = Annotated[str, Query(description="group, name, version or repository.")]
Direction = Annotated[str, Query(description="asc or desc; default asc, for versions desc.")]


class SuggestionXO(Shape):
    id: str
    format: str
    group: str | None
    name: str
    version: str | None
    repository: str


@router.get("", dependencies=needs("search", "read"))
async def components(
    request: Request,
    services: Here,
    actor: Caller,
    shown: Writer,
    q: Keyword = "",
    repository: Repository = "",
    sort: Sort = "",
    direction: Direction = "",
) -> PageComponentXO:
    """Fifty components at most, each with all its assets."""
    found = await services.search.components(actor, request.query_params)
    return shown.components(found.items, found.token)


@router.get("/assets", dependencies=needs("search", "read"))
async def assets(
    request: Request,
    services: Here,
    actor: Caller,
    shown: Writer,
    q: Keyword = "",
    repository: Repository = "",
    sort: Sort = "",
    direction: Direction = "",
) -> PageAssetXO:
    """Fifty assets at most."""
    found = await services.search.assets(actor, request.query_params)
    return shown.assets(found.items, found.token)


@router.get("/assets/download", dependencies=needs("search", "read"), status_code=302, response_class=Response)
async def download(
    request: Request,
    services: Here,
    actor: Caller,
    shown: Writer,
    q: Keyword = "",
    repository: Repository = "",
    sort: Sort = "",
    direction: Direction = "",
) -> Response:
    """To the only asset that is found; with `sort` to the first."""
    try:
        found = await services.search.one_asset(actor, request.query_params)
    except (NotFound, Invalid) as error:
        raise PlainText(error.status, error.message) from error
    return RedirectResponse(shown.url(found), 302)


@router.get("/suggest", dependencies=needs("search", "read"))
async def suggest(
    services: Here,
    actor: Caller,
    q: Annotated[str, Query(min_length=2, max_length=200, description="What was typed so far.")],
    format: Annotated[str, Query(description="Only of this format.")] = "",
    limit: Annotated[int, Query(ge=1, le=20)] = 10,
) -> list[SuggestionXO]:
    """A few components, for those who are still typing."""
    return [
        SuggestionXO(
            id=identity(each.repository, each.id),
            format=services.catalog.get(each.repository).format,
            group=each.namespace or None,
            name=each.name,
            version=each.version or None,
            repository=each.repository,
        )
        for each in await services.search.suggest(actor, q, format, limit)
    ]
