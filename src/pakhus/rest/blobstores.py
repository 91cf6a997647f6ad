"""Blob stores and their soft quotas (`/v1/blobstores`)."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from pakhus.domain.errors import Invalid
from pakhus.rest.bodies import Shape, Taking, Text
from pakhus.rest.rights import Here, needs
from pakhus.services.blobstores import Group, Quota, StoreFigures

router = APIRouter(prefix="/blobstores", tags=["blob stores"])


class SoftQuota(Shape):
    """`limit` in bytes."""

    type: Literal["spaceRemainingQuota", "spaceUsedQuota"]
    limit: Annotated[int, Field(ge=0)]

    def quota(self) -> Quota:
        return Quota(self.type, self.limit)


class BlobStoreXO(Shape):
    soft_quota: SoftQuota | None
    name: str
    type: str
    unavailable: bool
    blob_count: int
    total_size_in_bytes: int
    available_space_in_bytes: int


class FileBlobStoreXO(Shape):
    soft_quota: SoftQuota | None = None
    path: Text


class FileBlobStoreCreateXO(FileBlobStoreXO):
    name: Text


class GroupBlobStoreXO(Shape):
    """`members` in the order in which they are filled."""

    soft_quota: SoftQuota | None = None
    members: list[str]
    fill_policy: Literal["roundRobin", "writeToFirst"]

    def group(self) -> Group:
        return Group(tuple(dict.fromkeys(self.members)), self.fill_policy, _quota(self))


class GroupBlobStoreCreateXO(GroupBlobStoreXO):
    name: Text


class QuotaResultXO(Shape):
    is_violation: bool
    message: str
    blob_store_name: str


@router.get("", dependencies=needs("blobstores", "read"))
async def everything(services: Here) -> list[BlobStoreXO]:
    return [_shown(each) for each in await services.blobstores.everything()]


@router.delete("/{name}", dependencies=needs("blobstores", "delete"), status_code=204, response_class=Response)
async def delete(name: str, services: Here) -> None:
    await services.blobstores.delete(name)


@router.get("/{name}/quota-status", dependencies=needs("blobstores", "read"))
async def quota_status(name: str, services: Here) -> QuotaResultXO:
    found = await services.blobstores.quota(name)
    return QuotaResultXO(is_violation=found.violated, message=found.message, blob_store_name=name)


@router.post("/file", dependencies=needs("blobstores", "create"), status_code=204, response_class=Response)
async def create_file(
    body: Annotated[FileBlobStoreCreateXO, Depends(Taking(FileBlobStoreCreateXO))], services: Here
) -> None:
    """A relative path lies below the data directory's `blobs`."""
    await services.blobstores.create_file(body.name, body.path, _quota(body))


@router.get("/file/{name}", dependencies=needs("blobstores", "read"))
async def file(name: str, services: Here) -> FileBlobStoreXO:
    path, quota = await services.blobstores.file(name)
    return FileBlobStoreXO(soft_quota=_soft(quota), path=path)


@router.put("/file/{name}", dependencies=needs("blobstores", "update"), status_code=204, response_class=Response)
async def update_file(
    name: str, body: Annotated[FileBlobStoreXO, Depends(Taking(FileBlobStoreXO))], services: Here
) -> None:
    """The path can change while the store is empty."""
    await services.blobstores.update_file(name, body.path, _quota(body))


@router.post("/group", dependencies=needs("blobstores", "create"), status_code=204, response_class=Response)
async def create_group(
    body: Annotated[GroupBlobStoreCreateXO, Depends(Taking(GroupBlobStoreCreateXO))], services: Here
) -> None:
    """Several stores under one name: new blobs go to one of them by the fill policy."""
    await services.blobstores.create_group(body.name, body.group())


@router.get("/group/{name}", dependencies=needs("blobstores", "read"))
async def group(name: str, services: Here) -> GroupBlobStoreXO:
    return _shown_group(await services.blobstores.group(name))


@router.put("/group/{name}", dependencies=needs("blobstores", "update"), status_code=204, response_class=Response)
async def update_group(
    name: str, body: Annotated[GroupBlobStoreXO, Depends(Taking(GroupBlobStoreXO))], services: Here
) -> None:
    await services.blobstores.update_group(name, body.group())


@router.post("/group/convert/{name}/{original}", dependencies=needs("blobstores", "update"))
async def convert(name: str, original: str, services: Here) -> GroupBlobStoreCreateXO:
    """The store becomes a group with itself, under the new name `original`, as its member."""
    found = _shown_group(await services.blobstores.convert(name, original))
    return GroupBlobStoreCreateXO(name=name, **found.model_dump())


@router.post("/azure", dependencies=needs("blobstores", "create"), status_code=400)
async def create_azure() -> None:
    """Refused: there are no such stores here."""
    raise Invalid("Azure blob stores are not supported")


@router.post("/google", dependencies=needs("blobstores", "create"), status_code=400)
async def create_google() -> None:
    """Refused: there are no such stores here."""
    raise Invalid("Google Cloud blob stores are not supported")


def _shown_group(found: Group) -> GroupBlobStoreXO:
    return GroupBlobStoreXO.model_validate(
        {
            "softQuota": None if found.quota is None else {"type": found.quota.type, "limit": found.quota.limit},
            "members": list(found.members),
            "fillPolicy": found.fill_policy,
        }
    )


def _quota(body: FileBlobStoreXO | GroupBlobStoreXO) -> Quota | None:
    return None if body.soft_quota is None else body.soft_quota.quota()


def _soft(quota: Quota | None) -> SoftQuota | None:
    return None if quota is None else SoftQuota.model_validate({"type": quota.type, "limit": quota.limit})


def _shown(found: StoreFigures) -> BlobStoreXO:
    return BlobStoreXO(
        soft_quota=_soft(found.quota),
        name=found.name,
        type=found.type,
        unavailable=found.unavailable,
        blob_count=found.blobs,
        total_size_in_bytes=found.size,
        available_space_in_bytes=found.free,
    )
