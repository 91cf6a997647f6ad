"""Blobs: layers and configurations, and how they are uploaded (Distribution specification 1.1, "Pushing blobs")."""

from __future__ import annotations

import re
from datetime import timedelta

from pakhus.domain.content import Asset, Digests
from pakhus.domain.errors import AssetNotFound, Invalid
from pakhus.formats.docker.manifests import VERSION, blob_path
from pakhus.formats.docker.names import check_digest, check_name, verify
from pakhus.formats.docker.upstream import foreign, located
from pakhus.kit.context import Call, Content, Context, Deposit, Draft, Headers, Hosted, Removal, Reply, Upstream
from pakhus.kit.format import File, Origin

BLOBS = "v2/{image:path}/blobs/"
BLOB = BLOBS + "{digest:[a-z0-9]+:[0-9a-f]+}"
UPLOADS = BLOBS + "uploads{slash:/?}"
UPLOAD = BLOBS + "uploads/{upload:[0-9a-f]+}"
KIND = "application/octet-stream"
UNUSED = timedelta(days=1)
"""How long a blob waits for a manifest."""
_RANGE = re.compile(r"(?:bytes[ =])?(\d{1,18})-(\d{1,18})(?:/[\d*]+)?", re.ASCII)


class BlobFile(File):
    path = BLOB

    def immutable(self, ctx: Context) -> bool:
        return True

    def verify(self, ctx: Context, digests: Digests) -> None:
        verify(ctx["digest"], digests)

    def content_type(self, ctx: Context) -> str:
        return KIND

    def headers(self, ctx: Context, content: Content) -> Headers:
        return {**VERSION, "docker-content-digest": ctx["digest"]}

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        return Origin(located(ctx, f"blobs/{ctx['digest']}"), otherwise=await foreign(ctx, upstream))

    def expendable(self, ctx: Context, asset: Asset) -> timedelta | None:
        return UNUSED


async def start(call: Call, hosted: Hosted) -> Reply:
    """Begin an upload; or take a blob from another image, or the whole body at once."""
    image = check_name(call.ctx["image"])
    if (mounted := call.ctx.query.get("mount")) and await _mount(call, hosted, image, check_digest(mounted)):
        return _stored(call.ctx, image, mounted)
    if digest := call.ctx.query.get("digest"):
        check_digest(digest)
        await _store(hosted, image, digest, await hosted.draft(call.body))
        return _stored(call.ctx, image, digest)
    id = await hosted.uploads.begin(image)
    return _progress(call.ctx, image, id, 0, 202)


async def _mount(call: Call, hosted: Hosted, image: str, digest: str) -> bool:
    path = blob_path(image, digest)
    if (known := await hosted.asset(path)) is not None and await hosted.hold(known):
        return True
    if not (source := call.ctx.query.get("from")):
        return False
    found = await hosted.visible(blob_path(source, digest), outside=True)
    if found is None:
        return False
    await hosted.deposit(Deposit(path, found, content_type=KIND))
    return True


async def append(call: Call, hosted: Hosted) -> Reply:
    image, id = check_name(call.ctx["image"]), call.ctx["upload"]
    begins = _begins(call)
    size = await hosted.uploads.append(image, id, call.body, start=begins)
    return _progress(call.ctx, image, id, size, 202)


async def finish(call: Call, hosted: Hosted) -> Reply:
    image, id = check_name(call.ctx["image"]), call.ctx["upload"]
    digest = check_digest(call.ctx.query.get("digest", ""))
    begins = _begins(call)
    if call.size != 0:
        await hosted.uploads.append(image, id, call.body, start=begins)
    async with hosted.uploads.complete(image, id) as draft:
        await _store(hosted, image, digest, draft)
    return _stored(call.ctx, image, digest)


async def progress(call: Call, hosted: Hosted) -> Reply:
    image, id = call.ctx["image"], call.ctx["upload"]
    return _progress(call.ctx, image, id, await hosted.uploads.size(image, id), 204)


async def cancel(call: Call, hosted: Hosted) -> Reply:
    await hosted.uploads.cancel(call.ctx["image"], call.ctx["upload"])
    return Reply(204, headers=VERSION)


async def delete(call: Call, hosted: Hosted) -> Reply:
    """A blob that a manifest still needs stays."""
    path = blob_path(call.ctx["image"], call.ctx["digest"])
    if await hosted.asset(path) is None:
        raise AssetNotFound(f"{path} is not here", path=path)
    await hosted.deposit(Removal(path=path, unreferenced=True))
    return Reply(202, headers=VERSION)


async def _store(hosted: Hosted, image: str, digest: str, draft: Draft) -> None:
    try:
        verify(digest, draft.digests)
        path = blob_path(image, digest)
        known = await hosted.asset(path)
        if known is None or not await hosted.hold(known):
            await hosted.deposit(Deposit(path, draft, content_type=KIND, rewritable=True))
    finally:
        await draft.cancel()


def _begins(call: Call) -> int | None:
    """Where a chunk says that it begins, if it says."""
    given = call.headers.get("content-range", "").strip()
    if not given:
        return None
    found = _RANGE.fullmatch(given)
    if found is None or int(found[2]) < int(found[1]):
        raise Invalid(f"Content-Range '{given[:80]}' is not start-end")
    if call.size is not None and call.size != int(found[2]) - int(found[1]) + 1:
        raise Invalid(f"Content-Range '{given}' is not as long as the body, which has {call.size} bytes")
    return int(found[1])


def _progress(ctx: Context, image: str, id: str, size: int, status: int) -> Reply:
    headers = {
        **VERSION,
        "location": ctx.link(f"v2/{image}/blobs/uploads/{id}"),
        "range": f"0-{max(0, size - 1)}",
        "docker-upload-uuid": id,
    }
    return Reply(status, b"", headers)


def _stored(ctx: Context, image: str, digest: str) -> Reply:
    headers = {**VERSION, "location": ctx.link(blob_path(image, digest)), "docker-content-digest": digest}
    return Reply(201, b"", headers)
