"""The JSON of components and assets, as lists, search and uploads show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import ConfigDict

from pakhus.domain.content import Asset, Component
from pakhus.domain.repository import Repository
from pakhus.domain.security import Permission
from pakhus.kit.format import Format
from pakhus.kit.paths import quoted
from pakhus.rest.bodies import Moment, Shape
from pakhus.rest.problems import bare
from pakhus.rest.rights import Right, actor_of, permitted, services_of
from pakhus.services.contents import identity, parsed_identity
from pakhus.services.services import Services


class AssetXO(Shape):
    """An asset; its last member has the format's name and what the format knows of the asset."""

    model_config = ConfigDict(extra="allow")

    download_url: str
    path: str
    id: str
    repository: str
    format: str
    checksum: dict[str, str]
    content_type: str
    last_modified: Moment
    last_downloaded: Moment | None
    uploader: str | None
    uploader_ip: str | None
    file_size: int
    blob_created: Moment
    blob_store_name: str


class ComponentXO(Shape):
    id: str
    repository: str
    format: str
    group: str | None
    name: str
    version: str | None
    assets: list[AssetXO]


class PageAssetXO(Shape):
    items: list[AssetXO]
    continuation_token: str | None


class PageComponentXO(Shape):
    items: list[ComponentXO]
    continuation_token: str | None


class Shown:
    """Writes what a server holds as the client at `base_url` sees it."""

    def __init__(self, services: Services, base_url: str) -> None:
        self._catalog = services.catalog
        self._base_url = base_url

    def url(self, asset: Asset) -> str:
        return f"{self._base_url}/repository/{quoted(asset.repository)}/{quoted(asset.path)}"

    def asset(self, asset: Asset) -> AssetXO:
        format = self._format(asset.repository)
        own: dict[str, Any] = {format.name: dict(format.describe(asset))}
        return AssetXO(
            download_url=self.url(asset),
            path="/" + asset.path,
            id=identity(asset.repository, asset.id),
            repository=asset.repository,
            format=format.name,
            checksum={name: digest for name, digest in asset.blob.digests.as_mapping().items() if digest},
            content_type=asset.content_type,
            last_modified=asset.updated,
            last_downloaded=asset.last_downloaded,
            uploader=asset.uploader or None,
            uploader_ip=asset.uploader_ip or None,
            file_size=asset.blob.size,
            blob_created=asset.blob.created,
            blob_store_name=asset.blob.blob_store,
            **own,
        )

    def component(self, component: Component) -> ComponentXO:
        format = self._format(component.repository)
        return ComponentXO(
            id=identity(component.repository, component.id),
            repository=component.repository,
            format=format.name,
            group=component.namespace or None,
            name=format.title(component),
            version=component.version or None,
            assets=[self.asset(each) for each in component.assets],
        )

    def assets(self, items: Sequence[Asset], token: str | None) -> PageAssetXO:
        return PageAssetXO(items=[self.asset(each) for each in items], continuation_token=token)

    def components(self, items: Sequence[Component], token: str | None) -> PageComponentXO:
        return PageComponentXO(items=[self.component(each) for each in items], continuation_token=token)

    def _format(self, repository: str) -> Format:
        return self._catalog.format(self._catalog.get(repository))


async def _shown(request: Request) -> Shown:
    return Shown(services_of(request), str(request.state.base_url))


Writer = Annotated[Shown, Depends(_shown)]


class Item(Right):
    """A permission on the repository of the item whose identity is in the path.

    An identity that is not one is 422 (where it is not even base64: `garbled`), an unknown repository 404.
    """

    def __init__(self, action: Permission, *, garbled: int) -> None:
        self.action = action
        self.garbled = garbled

    async def __call__(self, request: Request) -> tuple[Repository, int]:
        try:
            found = parsed_identity(request.path_params["id"])
        except ValueError as error:
            raise bare(self.garbled) from error
        if found is None:
            raise bare(422)
        repository = services_of(request).catalog.find(found[0])
        if repository is None:
            raise bare(404)
        return permitted(actor_of(request), repository, self.action), found[1]
