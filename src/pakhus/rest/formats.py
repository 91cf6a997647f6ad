"""What an upload of each format takes (`/v1/formats/…/upload-specs`)."""

from __future__ import annotations

from fastapi import APIRouter

from pakhus.kit.format import Field, Format, UploadForm
from pakhus.rest.bodies import Shape
from pakhus.rest.problems import bare
from pakhus.rest.rights import OPEN_TO_ALL, Here
from pakhus.services.uploads import label

router = APIRouter(prefix="/formats", tags=["formats"])


class UploadFieldXO(Shape):
    """`type` is STRING, BOOLEAN or FILE."""

    name: str
    type: str
    description: str | None
    optional: bool
    group: str | None


class UploadSpecXO(Shape):
    format: str
    multiple_upload: bool
    component_fields: list[UploadFieldXO]
    asset_fields: list[UploadFieldXO]


FILE = UploadFieldXO(name="asset", type="FILE", description="Binary asset", optional=False, group=None)


@router.get("/upload-specs", dependencies=OPEN_TO_ALL)
async def everything(services: Here) -> list[UploadSpecXO]:
    return [_shown(format, upload) for format, upload in services.uploads.specifications()]


@router.get("/{format}/upload-specs", dependencies=OPEN_TO_ALL)
async def one(format: str, services: Here) -> UploadSpecXO:
    for known, upload in services.uploads.specifications():
        if known.name == format:
            return _shown(known, upload)
    raise bare(404)


def _shown(format: Format, upload: UploadForm) -> UploadSpecXO:
    return UploadSpecXO(
        format=format.name,
        multiple_upload=upload.multiple,
        component_fields=[_field(each, each.group) for each in upload.component_fields],
        asset_fields=[FILE, *(_field(each, None) for each in upload.asset_fields)],
    )


def _field(declared: Field, group: str | None) -> UploadFieldXO:
    return UploadFieldXO(
        name=declared.name,
        type=declared.type,
        description=declared.description or label(declared.name),
        optional=declared.optional,
        group=group,
    )
