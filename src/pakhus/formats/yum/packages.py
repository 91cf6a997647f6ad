"""Files of a repository, and how they come in: by PUT, or by the REST upload."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import BinaryIO

from pakhus.domain.content import Coordinates, Facts, Origin
from pakhus.domain.errors import AssetNotFound, BadPackage
from pakhus.formats.yum import documents
from pakhus.formats.yum.layout import RPM_SUFFIX, HostedOptions, Place, admitted, identified, namespace
from pakhus.formats.yum.listed import RPM, kept_of
from pakhus.formats.yum.mirrors import located
from pakhus.formats.yum.package import Package, read_package
from pakhus.formats.yum.promises import promised
from pakhus.kit.context import Call, Context, Deposit, Draft, Form, Hosted, Removal, Reply, Upstream
from pakhus.kit.format import Drop, Field, UploadForm

RPM_TYPE = "application/x-rpm"
MOST_DEPENDENCIES = 500


class AnyFile(Drop):
    """Packages, and what else upstreams and permissive repositories have. A PUT is `put`'s, which knows the depth."""

    path = "{path:path}"

    def identify(self, ctx: Context) -> Coordinates | None:
        return identified(ctx.path)

    def inspect(self, ctx: Context, body: BinaryIO) -> Facts:
        return facts(read_package(body)) if ctx.path.endswith(RPM_SUFFIX) else Facts()

    def content_type(self, ctx: Context) -> str:
        return RPM_TYPE if ctx.path.endswith(RPM_SUFFIX) else super().content_type(ctx)

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        origin = await located(ctx.path, upstream, by_digest=True)
        if not ctx.path.endswith(RPM_SUFFIX):
            return origin
        return replace(origin, digests=await promised(ctx.path, upstream))


def facts(package: Package) -> Facts:
    """What the component shows, and what the asset keeps for the lists."""
    shown = {name: package.texts[name] for name in ("summary", "description", "license", "url", "vendor", "group")}
    requires = [each.name for each in package.dependencies["requires"][:MOST_DEPENDENCIES]]
    return Facts({**shown, "sourcerpm": package.texts["sourcerpm"], "requires": requires}, {RPM: kept_of(package)})


def coordinates(package: Package, path: str, options: HostedOptions) -> Coordinates:
    epoch = "" if package.epoch == "0" else f"{package.epoch}:"
    return Coordinates(package.name, f"{epoch}{package.version}-{package.release}", namespace(path, options))


async def put(call: Call, hosted: Hosted) -> Reply:
    """`PUT` of a package or a document. Nexus answers 200."""
    place = admitted(call.ctx.path, hosted.settings.yum)
    limit = None if place.kind in ("", "rpm") else documents.MAX_UPLOAD
    await keep([(place, await hosted.draft(call.body, limit=limit))], hosted)
    return Reply(200)


async def remove(call: Call, hosted: Hosted) -> Reply:
    """`DELETE` of a document under the path that it was sent to, in `repodata/`."""
    place = admitted(call.ctx.path, hosted.settings.yum)
    if await hosted.asset(place.path) is None:
        raise AssetNotFound(f"{call.ctx.path} is not here")
    await hosted.deposit(Removal(path=place.path))
    return Reply(204)


async def upload(form: Form, hosted: Hosted) -> None:
    """The REST upload: `directory` and, for each file, its name."""
    folder = form.fields.get("directory", "").strip("/")
    options = hosted.settings.yum
    files = []
    for asset in form.assets:
        name = (asset.fields.get("filename") or asset.filename).strip("/")
        files.append((admitted(f"{folder}/{name}".lstrip("/"), options), asset.draft))
    await keep(files, hosted)


async def keep(files: list[tuple[Place, Draft]], hosted: Hosted) -> None:
    """Check what came and store it, in one transaction."""
    try:
        deposits = [await asyncio.to_thread(_deposit, place, draft, hosted.settings.yum) for place, draft in files]
        await hosted.deposit(*deposits)
    except BaseException:
        for _, draft in files:
            await draft.cancel()
        raise


def _deposit(place: Place, draft: Draft, options: HostedOptions) -> Deposit:
    if place.kind == "":
        return Deposit(place.path, draft)
    with draft.open() as body:
        if place.kind == "rpm":
            package = read_package(body)
            return Deposit(place.path, draft, coordinates(package, place.path, options), facts(package), RPM_TYPE)
        if draft.size > documents.MAX_UPLOAD:
            raise BadPackage(f"{place.path} has more than {documents.MAX_UPLOAD} bytes")
        kept = Facts(asset={documents.DOCUMENT: documents.kept_of(place.kind, body.read())})
    who = Coordinates(place.path.rpartition("/")[2], namespace=namespace(place.path, options))
    return Deposit(place.path, draft, who, kept, rewritable=True)


UPLOAD = UploadForm(
    run=upload,
    component_fields=(Field("directory", description="Destination for uploaded files (e.g. /path/to/files/)"),),
    asset_fields=(Field("filename", description="Filename", optional=False),),
)
