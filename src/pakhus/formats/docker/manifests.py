"""Manifests by tag and by digest: read, pushed, deleted (Distribution specification 1.1)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import BinaryIO

from pakhus.domain.content import Asset, Attributes, Coordinates, Digests, Facts, Query
from pakhus.domain.errors import AssetNotFound, MissingReference
from pakhus.formats.docker.manifest import ACCEPTED, LIMIT, Manifest, read_manifest
from pakhus.formats.docker.names import (
    DigestInvalid,
    check_digest,
    check_name,
    check_tag,
    digest_of,
    is_digest,
    verify,
)
from pakhus.formats.docker.upstream import located
from pakhus.kit.context import Call, Content, Context, Deposit, Headers, Hosted, Removal, Reply, Upstream
from pakhus.kit.format import File, Origin
from pakhus.kit.paths import expand
from pakhus.kit.wire import read_body

PATH = "v2/{image:path}/manifests/{reference}"
VERSION = {"docker-distribution-api-version": "registry/2.0"}
LATEST = "latest"


def manifest_path(image: str, reference: str) -> str:
    return expand(PATH, image=image, reference=reference)


def blob_path(image: str, digest: str) -> str:
    return f"v2/{image}/blobs/{digest}"


class ManifestFile(File):
    """A tag is one more path to the bytes of its digest."""

    path = PATH
    accept = ACCEPTED
    limit = LIMIT
    probed = True

    def immutable(self, ctx: Context) -> bool:
        return is_digest(ctx["reference"])

    def identify(self, ctx: Context) -> Coordinates | None:
        return Coordinates(ctx["image"], ctx["reference"])

    def inspect(self, ctx: Context, body: BinaryIO) -> Facts:
        data = body.read(LIMIT + 1)
        like = ctx["reference"] if is_digest(ctx["reference"]) else "sha256:"
        return facts_of(read_manifest(data), digest_of(data, like), len(data))

    def verify(self, ctx: Context, digests: Digests) -> None:
        if is_digest(ctx["reference"]):
            verify(ctx["reference"], digests)

    def content_type(self, ctx: Context) -> str:
        return ""

    def headers(self, ctx: Context, content: Content) -> Headers:
        reference = ctx["reference"]
        if is_digest(reference):
            return {**VERSION, "docker-content-digest": reference}
        digest = "" if content.digests is None else f"sha256:{content.digests.sha256}"
        return {**VERSION, "docker-content-digest": str(content.attributes.get("digest") or digest)}

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        return Origin(located(ctx, f"manifests/{ctx['reference']}"))

    def unchanged(self, ctx: Context, headers: Headers, kept: Asset) -> bool:
        digests = kept.blob.digests
        known = (f"sha256:{digests.sha256}", f"sha512:{digests.sha512}")
        return headers.get("docker-content-digest", "") in known

    def aliases(self, ctx: Context, digests: Digests) -> Sequence[str]:
        if is_digest(ctx["reference"]):
            return ()
        return (manifest_path(ctx["image"], f"sha256:{digests.sha256}"),)

    def expendable(self, ctx: Context, asset: Asset) -> timedelta | None:
        days = ctx.settings.docker.untagged_days
        return timedelta(days=days) if days and is_digest(ctx["reference"]) else None

    def upholders(self, ctx: Context, asset: Asset) -> Sequence[str]:
        """Signatures and the like go after what they are about."""
        subject = asset.attributes.get("subject")
        return (manifest_path(ctx["image"], subject),) if subject else ()


def facts_of(manifest: Manifest, digest: str, size: int) -> Facts:
    attributes = manifest.attributes(digest, size)
    return Facts(component=attributes, asset=attributes)


def needs_of(image: str, attributes: Attributes) -> tuple[str, ...]:
    """The paths that a manifest refers to, by what was kept of it."""
    blobs = (blob_path(image, each) for each in attributes.get("blobs", ()))
    return (*blobs, *(manifest_path(image, each) for each in attributes.get("manifests", ())))


async def put(call: Call, hosted: Hosted) -> Reply:
    """Store a manifest under its digest, and the tag under which it was pushed beside it."""
    image, reference = check_name(call.ctx["image"]), call.ctx["reference"]
    body = await read_body(call.body, limit=LIMIT)
    manifest = read_manifest(body, call.headers.get("content-type", ""))
    by_digest = is_digest(reference)
    digest = digest_of(body, check_digest(reference)) if by_digest else digest_of(body)
    if by_digest and digest != reference:
        raise DigestInvalid(f"the manifest has the digest {digest}, not {reference}")
    facts = facts_of(manifest, digest, len(body))

    def deposit(reference: str, *, references: Sequence[str], rewritable: bool) -> Deposit:
        coordinates = Coordinates(image, reference)
        path = manifest_path(image, reference)
        return Deposit(path, body, coordinates, facts, manifest.media_type, tuple(references), rewritable)

    deposits = [deposit(digest, references=needs_of(image, facts.asset), rewritable=True)]
    if not by_digest:
        movable = reference == LATEST and hosted.settings.storage.latest_policy
        tag = deposit(check_tag(reference), references=(deposits[0].path,), rewritable=movable)
        deposits.append(tag)
    await _deposit(hosted, image, [each for each in deposits if not await _is_there(hosted, each, body)])
    headers = {**VERSION, "location": call.ctx.link(manifest_path(image, reference)), "docker-content-digest": digest}
    if manifest.subject:
        headers["oci-subject"] = manifest.subject
    return Reply(201, b"", headers)


async def _is_there(hosted: Hosted, deposit: Deposit, body: bytes) -> bool:
    """Pushing what is there already changes nothing, and is allowed whatever the write policy."""
    known = await hosted.asset(deposit.path)
    if known is None or f"sha256:{known.blob.digests.sha256}" != digest_of(body):
        return False
    return await hosted.hold(known)


async def _deposit(hosted: Hosted, image: str, deposits: Sequence[Deposit]) -> None:
    """Through a group, a manifest may refer to what only another member has: the writable one takes it over."""
    taken: dict[str, Deposit] = {}
    while deposits:
        try:
            await hosted.deposit(*taken.values(), *deposits)
        except MissingReference as error:
            if not await _take(hosted, image, error.missing, taken):
                raise
        else:
            return


async def _take(hosted: Hosted, image: str, missing: Sequence[str], taken: dict[str, Deposit]) -> bool:
    for path in missing:
        asset = None if path in taken else await hosted.visible(path)
        if asset is None:
            return False
        attributes = dict(asset.attributes)
        taken[path] = Deposit(
            path,
            asset,
            asset.coordinates,
            Facts(component=attributes, asset=attributes),
            asset.content_type,
            references=needs_of(image, attributes),
            rewritable=True,
        )
    return True


async def delete(call: Call, hosted: Hosted) -> Reply:
    """A tag alone; or a digest, with the tags that lead to it."""
    image, reference = call.ctx["image"], call.ctx["reference"]
    if not is_digest(reference):
        await hosted.deposit(Removal(path=manifest_path(image, reference)))
        return Reply(202, headers=VERSION)
    found = await hosted.find(Query(name=image, attributes={"digest": reference}))
    paths = [asset.path for component in found for asset in component.assets]
    path = manifest_path(image, reference)
    if path not in paths:
        raise AssetNotFound(f"{path} is not here", path=path)
    await hosted.deposit(*(Removal(path=each) for each in paths))
    return Reply(202, headers=VERSION)
