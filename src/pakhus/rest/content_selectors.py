"""Content selectors (`/v1/security/content-selectors`), and a preview of what one would select."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from pakhus.domain.security import ContentSelector
from pakhus.rest.bodies import NativeShape, NullIsEmpty, Shape, Taking, Text
from pakhus.rest.rights import Caller, Here, needs
from pakhus.services.contents import identity

TAG = "security: content selectors"
PATH = "/content-selectors"
router = APIRouter(prefix="/security" + PATH, tags=[TAG])
native = APIRouter(tags=[TAG])
internal = APIRouter(tags=[TAG])
UNCACHED = {"cache-control": "no-cache, no-store, max-age=0, must-revalidate", "pragma": "no-cache"}


class SelectorXO(Shape):
    """`type` is always csel."""

    name: str
    type: str
    description: str
    expression: str


class SelectorChange(Shape):
    description: Annotated[str, NullIsEmpty] = ""
    expression: Text


class NewSelector(SelectorChange):
    name: Text


class PreviewRequest(NativeShape):
    """`repository` is a name, `*` for all, or `*-npm` for all of a format."""

    expression: Text
    repository: Text = "*"


class SelectedXO(NativeShape):
    repository: str
    format: str
    path: str


class PreviewXO(NativeShape):
    items: list[SelectedXO]
    continuation_token: str | None


@router.get("", dependencies=needs("selectors", "read"))
async def everything(services: Here, response: Response) -> list[SelectorXO]:
    response.headers.update(UNCACHED)
    return [_shown(each) for each in await services.selectors.everything()]


@router.post("", dependencies=needs("selectors", "create"), status_code=204, response_class=Response)
async def create(body: Annotated[NewSelector, Depends(Taking(NewSelector))], services: Here) -> None:
    await services.selectors.create(body.name, body.expression, body.description)


@router.get("/{name}", dependencies=needs("selectors", "read"))
async def one(name: str, services: Here, response: Response) -> SelectorXO:
    response.headers.update(UNCACHED)
    return _shown(await services.selectors.get(name))


@router.put("/{name}", dependencies=needs("selectors", "update"), status_code=204, response_class=Response)
async def update(name: str, body: Annotated[SelectorChange, Depends(Taking(SelectorChange))], services: Here) -> None:
    await services.selectors.update(name, body.expression, body.description)


@router.delete("/{name}", dependencies=needs("selectors", "delete"), status_code=204, response_class=Response)
async def delete(name: str, services: Here) -> None:
    await services.selectors.delete(name)


@native.post(PATH + "/preview", dependencies=needs("selectors", "read"))
async def preview(
    body: Annotated[PreviewRequest, Depends(Taking(PreviewRequest))],
    services: Here,
    actor: Caller,
    token: Annotated[str | None, Query(alias="continuation_token")] = None,
) -> PreviewXO:
    """A hundred assets at most which an expression selects, of those that the caller may browse."""
    found = await services.selectors.preview(actor, body.expression, body.repository, token)
    formats = {each.name: each.format for each in services.catalog.everything()}
    items = [
        SelectedXO(repository=each.repository, format=formats[each.repository], path="/" + each.path)
        for each in found.items
    ]
    return PreviewXO(items=items, continuation_token=found.token)


class PreviewedXO(Shape):
    """What Nexus's own pages show of an asset; `name` is its path."""

    id: str
    name: str
    repository_name: str
    format: str


class NexusPreviewXO(Shape):
    total: int
    results: list[PreviewedXO]


@internal.post("/ui" + PATH + "/preview", dependencies=needs("selectors", "read"))
async def preview_as_nexus(
    body: Annotated[PreviewRequest, Depends(Taking(PreviewRequest))], services: Here, actor: Caller
) -> NexusPreviewXO:
    """The same in the words of Nexus's user interface: the first hundred."""
    found = await services.selectors.preview(actor, body.expression, body.repository, None)
    formats = {each.name: each.format for each in services.catalog.everything()}
    results = [
        PreviewedXO(
            id=identity(each.repository, each.id),
            name="/" + each.path,
            repository_name=each.repository,
            format=formats[each.repository],
        )
        for each in found.items
    ]
    return NexusPreviewXO(total=len(results), results=results)


def _shown(selector: ContentSelector) -> SelectorXO:
    return SelectorXO(name=selector.name, type="csel", description=selector.description, expression=selector.text)
