"""Push, delete, unlist and relist.

Source: NuGet's documentation, "Push and delete"; `PackagePublish/2.0.0` and `SymbolPackagePublish/4.9.0`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable
from dataclasses import replace

from pakhus.domain.content import Attributes, Coordinates, Facts, Query
from pakhus.domain.errors import AlreadyExists, BadPackage, ComponentNotFound, Invalid, NotFound, PolicyViolation
from pakhus.formats.nuget import package, symbols
from pakhus.formats.nuget.names import coordinates, folder, nuspec_path, package_path
from pakhus.formats.nuget.package import SYMBOLS_TYPE, Package
from pakhus.kit.context import Annotation, Call, Change, Deposit, Draft, Form, Hosted, Removal, Reply
from pakhus.kit.wire import FormFile, read_form

NUPKG = "application/octet-stream"
NUSPEC = "application/xml"
_BOUNDARY = re.compile(r'boundary="?([^";]+)', re.IGNORECASE)
NO_PACKAGE = "the body must be a form with one package file"


async def push(call: Call, hosted: Hosted) -> Reply:
    """`PUT` of a form with one `.nupkg`."""
    draft = await _received(call, hosted)
    await _released(draft, store(draft, hosted))
    return Reply(201)


async def push_symbols(call: Call, hosted: Hosted) -> Reply:
    """`PUT` of a form with one `.snupkg`, whose package is already here."""
    draft = await _received(call, hosted)
    await _released(draft, _store_symbols(draft, hosted))
    return Reply(201)


async def upload(form: Form, hosted: Hosted) -> None:
    """The REST upload: one file, which says everything itself."""
    if len(form.assets) != 1:
        raise Invalid("exactly one NuGet package can be uploaded at a time", field="asset")
    draft = form.assets[0].draft
    await _released(draft, store(draft, hosted))


async def _received(call: Call, hosted: Hosted) -> Draft:
    kind = call.headers.get("content-type", "")
    form = await read_form(mended(call.body, kind), kind, hosted.draft, file_fields=lambda name, kind: True)
    if len(form.files) != 1:
        await _cancel(form.files)
        raise Invalid(f"{NO_PACKAGE}, it has {len(form.files)}")
    return form.files[0].draft


async def mended(chunks: AsyncIterable[bytes], content_type: str) -> AsyncIterator[bytes]:
    """The form with a proper line end before its last boundary: nuget.exe under mono sends a bare line feed there."""
    boundary = _BOUNDARY.search(content_type)
    closing = b"\n--" + (boundary[1] if boundary else "").encode("utf-8", "replace") + b"--"
    held = len(closing) + 8
    tail = b""
    async for chunk in chunks:
        tail += chunk
        if len(tail) > held:
            yield tail[:-held]
            tail = tail[-held:]
    head, found, rest = tail.rpartition(closing)
    yield head + b"\r" + found + rest if found and not head.endswith(b"\r") else tail


async def _cancel(files: Iterable[FormFile]) -> None:
    for file in files:
        await file.draft.cancel()


async def _released(draft: Draft, work: Awaitable[None]) -> None:
    try:
        await work
    except BaseException:
        await draft.cancel()
        raise


async def store(draft: Draft, hosted: Hosted) -> None:
    """Check a package and keep it with what accompanies it, in one transaction."""
    found = await asyncio.to_thread(_read, draft)
    id, version = found.nuspec.id, found.nuspec.version
    if SYMBOLS_TYPE in found.nuspec.types:
        await _keep_symbols(draft, found, hosted)
        return
    await _deposit(hosted, id, version, _changes(draft, found))


def _read(draft: Draft) -> Package:
    with draft.open() as body:
        return package.read(body)


def _changes(draft: Draft, found: Package) -> list[Change]:
    id, version = found.nuspec.id, found.nuspec.version
    who = coordinates(id, version)
    changes: list[Change] = [Deposit(package_path(id, version), draft, who, package.facts(found), NUPKG)]
    # What accompanies a package is replaced with it: only the package itself is subject to "redeploy not allowed".
    beside = ((nuspec_path(id, version), found.manifest, NUSPEC), *_pictures(found))
    changes += [Deposit(path, body, who, content_type=kind, rewritable=True) for path, body, kind in beside]
    return changes


def _pictures(found: Package) -> Iterable[tuple[str, bytes, str]]:
    place = folder(found.nuspec.id, found.nuspec.version)
    if found.icon:
        yield f"{place}/icon", found.icon, "image/png" if found.icon.startswith(b"\x89PNG") else "image/jpeg"
    if found.readme:
        yield f"{place}/readme", found.readme, "text/markdown; charset=utf-8"


async def _deposit(hosted: Hosted, id: str, version: str, changes: list[Change], ending: str = "nupkg") -> None:
    try:
        await hosted.deposit(*changes)
    except PolicyViolation as refusal:
        if await hosted.asset(package_path(id, version, ending)) is None:
            raise
        # 409 is what `--skip-duplicate` understands.
        raise AlreadyExists(f"{id} {version} already exists. {refusal.message}") from refusal


async def _store_symbols(draft: Draft, hosted: Hosted) -> None:
    found = await asyncio.to_thread(_read, draft)
    await _keep_symbols(draft, found, hosted)


async def _keep_symbols(draft: Draft, found: Package, hosted: Hosted) -> None:
    id, version = found.nuspec.id, found.nuspec.version
    if await hosted.asset(package_path(id, version)) is None:
        raise NotFound(f"symbols are pushed after their package: {id} {version} is not here")
    pdbs = await asyncio.to_thread(_portable, draft)
    who = coordinates(id, version)
    changes: list[Change] = [Deposit(package_path(id, version, "snupkg"), draft, who, Facts(), NUPKG)]
    changes += [Deposit(path, body, who, Facts(), NUPKG, rewritable=True) for path, body in pdbs.items()]
    await _deposit(hosted, id, version, changes, "snupkg")


def _portable(draft: Draft) -> dict[str, bytes]:
    with draft.open() as body:
        found = symbols.read(body)
    if not found:
        raise BadPackage("the symbol package has no portable PDB")
    return found


async def delete(call: Call, hosted: Hosted) -> Reply:
    """`DELETE` of a version: it is removed, or only unlisted where the repository's settings say so."""
    who = await _existing(call, hosted)
    if hosted.settings.nuget.delete_unlists:
        await hosted.deposit(_listing(who, call.ctx.path, listed=False))
    else:
        await hosted.deposit(Removal(coordinates=who))
    return Reply(204)


async def relist(call: Call, hosted: Hosted) -> Reply:
    """`POST` lists a version again; with `?listed=false` it unlists it, whatever a `DELETE` does here."""
    who = await _existing(call, hosted)
    listed = call.ctx.query.get("listed", "true").lower() != "false"
    await hosted.deposit(_listing(who, call.ctx.path, listed=listed))
    return Reply(200)


async def _existing(call: Call, hosted: Hosted) -> Coordinates:
    who = coordinates(call.ctx["id"], call.ctx["version"])
    if not await hosted.find(Query(name=who.name, version=who.version, limit=1)):
        raise ComponentNotFound(f"{who.name} {who.version} is not here")
    return who


def _listing(who: Coordinates, path: str, *, listed: bool) -> Annotation:
    def update(known: Attributes) -> Attributes:
        return {**known, "listed": listed}

    return replace(Annotation(who, update), path=path)
