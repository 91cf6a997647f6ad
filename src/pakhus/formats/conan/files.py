"""The files of recipe revisions and of package revisions, and how they come in.

A revision names its content, so its files never change, but for those of revision `0` and for metadata.
"""

from __future__ import annotations

import asyncio
import re
from typing import BinaryIO

from pakhus.domain.content import Coordinates, Facts
from pakhus.domain.errors import BadPackage, DigestMismatch, NotFound
from pakhus.formats.conan import info, recipe
from pakhus.formats.conan.reference import (
    BUILD,
    BUILD_FILE,
    INFO,
    MANIFEST,
    METADATA,
    RECIPE_FILE,
    RECIPE_SOURCE,
    REVISION,
    check,
    coordinates,
    files_below,
    is_fixed,
)
from pakhus.kit.context import Call, Context, Deposit, Draft, Hosted, Reply
from pakhus.kit.format import File

ARCHIVES = {
    ".tgz": (b"\x1f\x8b", "application/gzip"),
    ".txz": (b"\xfd7zXZ\x00", "application/x-xz"),
    ".tzst": (b"\x28\xb5\x2f\xfd", "application/zstd"),
}
"""Ending → how such a file begins, and its media type."""
MAX_MANIFEST = 32 << 20
_ENTRY = re.compile(rb"[^\n]+: [0-9a-f]{32}")


class RecipeFile(File):
    path = RECIPE_FILE

    def immutable(self, ctx: Context) -> bool:
        return is_fixed(ctx.params) and not ctx["file"].startswith(METADATA)

    def identify(self, ctx: Context) -> Coordinates | None:
        return coordinates(ctx.params)

    def content_type(self, ctx: Context) -> str:
        archive = next((kind for ending, (_, kind) in ARCHIVES.items() if ctx.path.endswith(ending)), "")
        return archive or super().content_type(ctx)

    def inspect(self, ctx: Context, body: BinaryIO) -> Facts:
        """The reference, and what manifest, recipe and `conaninfo.txt` say. Raises `BadPackage`."""
        file = ctx["file"]
        about: dict[str, object] = {"baseVersion": ctx["version"], "channel": ctx["channel"]}
        asset: dict[str, object] = {"revision": ctx["revision"]}
        if "package_id" in ctx.params:
            asset |= {"packageId": ctx["package_id"], "packageRevision": ctx["package_revision"]}
            if file == INFO:
                asset["info"] = info.read(body.read(info.MAX_SIZE + 1))
        elif file == MANIFEST:
            about["recipe"] = True
        elif file == RECIPE_SOURCE:
            about |= recipe.facts(body.read(recipe.MAX_SIZE + 1))
        check_form(file, body)
        return Facts(about, asset)


class BuildFile(RecipeFile):
    path = BUILD_FILE


def check_form(file: str, body: BinaryIO) -> None:
    """Raise `BadPackage` for a manifest or an archive that is none: an error page, half a file."""
    body.seek(0)
    if file == MANIFEST:
        time, *entries = body.read(MAX_MANIFEST).strip().split(b"\n")
        if not time.strip().isdigit() or not all(_ENTRY.fullmatch(entry.strip()) for entry in entries):
            raise BadPackage(f"this is not a {MANIFEST}: a time, then the files with their MD5")
    for ending, (magic, _) in ARCHIVES.items():
        if file.startswith("conan_") and file.endswith(ending) and body.read(len(magic)) != magic:
            raise BadPackage(f"{file} is not a {ending} archive")


async def put(call: Call, hosted: Hosted) -> Reply:
    """`PUT …/files/{file}`: 201. A revision without its manifest is still being uploaded, and may be tried again."""
    ctx = call.ctx
    if "x-checksum-deploy" in call.headers:
        raise NotFound("files are not found by their checksum here: send the body")
    check(ctx.params)
    built = "package_id" in ctx.params
    route = BuildFile() if built else RecipeFile()
    draft = await hosted.draft(call.body)
    try:
        _check_sha1(call, draft)
        facts = await asyncio.to_thread(_inspected, route, ctx, draft)
        manifest = await hosted.asset(files_below(BUILD if built else REVISION, ctx.params) + f"files/{MANIFEST}")
    except BaseException:
        await draft.cancel()
        raise
    await hosted.deposit(
        Deposit(
            ctx.path,
            draft,
            route.identify(ctx),
            facts,
            route.content_type(ctx),
            rewritable=manifest is None or ctx["file"].startswith(METADATA),
        )
    )
    return Reply(201)


def _check_sha1(call: Call, draft: Draft) -> None:
    promised = call.headers.get("x-checksum-sha1", "").lower()
    if promised and promised != draft.digests.sha1:
        raise DigestMismatch(f"{call.ctx['file']} has the SHA-1 {draft.digests.sha1}, not {promised}")


def _inspected(route: File, ctx: Context, draft: Draft) -> Facts:
    with draft.open() as body:
        return route.inspect(ctx, body)
