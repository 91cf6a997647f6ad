"""Publishing: the legacy upload API that every client speaks, the REST upload, and yanking.

A file enters only if its name, the form and the metadata inside it tell the same story and every digest is right.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from pakhus.domain.content import Attributes, Coordinates, Facts, Query
from pakhus.domain.errors import AssetNotFound, BadPackage, ComponentNotFound, DigestMismatch, Invalid, PolicyViolation
from pakhus.formats.pypi import metadata
from pakhus.formats.pypi.attestations import provenance
from pakhus.formats.pypi.filenames import (
    METADATA,
    SIGNATURE,
    SUFFIXES,
    WHEEL,
    Distribution,
    is_safe,
    media_type,
    normalise,
    normalise_version,
    package_path,
    provenance_path,
    understand,
)
from pakhus.formats.pypi.files import PROVENANCE_TYPE
from pakhus.formats.pypi.metadata import CoreMetadata
from pakhus.kit.context import Annotation, Call, Change, Context, Deposit, Draft, Form, Hosted, Removal, Reply
from pakhus.kit.wire import FormData, parse_json, read_body, read_form

FIELD_LIMIT = 4 << 20
"""The longest field is the description, in bytes."""
MAX_SIGNATURE = 64 << 10
MAX_REASON = 4096
TEXT = {"content-type": "text/plain; charset=utf-8"}
_CHUNK = 1 << 20

NOTHING_TO_REGISTER = frozenset({"submit", "submit_pkg_info", "verify"})
GONE = frozenset({"doc_upload", "list_classifiers", "user", "password_reset", "remove_pkg"})


@dataclass(frozen=True, slots=True)
class Package:
    """A distribution that arrived, and what its uploader says of it (fields of the form; none for a REST upload)."""

    filename: str
    draft: Draft
    claims: Mapping[str, str]
    signature: Draft | None = None


async def receive(call: Call, hosted: Hosted) -> Reply:
    """`POST` to the repository's root: `:action=file_upload`, and answers to what the API once had besides."""
    form = await read_form(call.body, call.headers.get("content-type", ""), hosted.draft, field_limit=FIELD_LIMIT)
    try:
        return await _act(form, hosted)
    except BaseException:
        for file in form.files:
            await file.draft.cancel()
        raise


async def _act(form: FormData, hosted: Hosted) -> Reply:
    action = form.get(":action") or ""
    if action == "file_upload":
        await publish(_package(form), hosted)
        return Reply(200, b"OK\n", TEXT)
    for file in form.files:
        await file.draft.cancel()
    if action in NOTHING_TO_REGISTER:
        return Reply(200, b"Projects need no registration: upload the files.\n", TEXT)
    if action in GONE:
        return Reply(410, f"The action {action} is no longer part of the upload API.\n".encode(), TEXT)
    raise Invalid(f"unknown :action {action!r}; files are uploaded by file_upload", field=":action")


def _package(form: FormData) -> Package:
    contents = [file for file in form.files if file.name == "content"]
    if len(contents) != 1:
        raise Invalid(f"the form must have one file named content, it has {len(contents)}", field="content")
    signature = next((file for file in form.files if file.name == "gpg_signature"), None)
    if signature is not None and signature.draft.size > MAX_SIGNATURE:
        raise Invalid(f"gpg_signature has more than {MAX_SIGNATURE} bytes", field="gpg_signature")
    claims = {name: value.strip() for name, value in form.fields if value.strip()}
    return Package(contents[0].filename, contents[0].draft, claims, signature.draft if signature else None)


async def store(form: Form, hosted: Hosted) -> None:
    """The REST upload: one file, which says everything itself."""
    for asset in form.assets:
        await publish(Package(asset.filename, asset.draft, {}), hosted)


async def publish(package: Package, hosted: Hosted) -> None:
    """Check a distribution and keep it, with the files that accompany it, in one transaction."""
    distribution = accepted(package.filename)
    check_claims(package, distribution)
    found, blake2 = await asyncio.to_thread(_examine, package, distribution)
    changes = _changes(package, distribution, found, blake2)
    try:
        await hosted.deposit(*changes)
    except PolicyViolation as refusal:
        if await hosted.asset(package_path(distribution.name, package.filename)) is None:
            raise
        # The words by which clients know that they may skip the file, and the reason.
        raise PolicyViolation(f"File already exists: {package.filename}. {refusal.message}") from refusal


def accepted(filename: str) -> Distribution:
    """What the file name says. Raises `BadPackage` if it is no name of a distribution."""
    if not is_safe(filename):
        raise BadPackage(f"{filename!r} is not a safe file name for a distribution", field="content")
    distribution = understand(filename)
    if distribution is None:
        raise BadPackage(
            f"{filename} is not the name of a distribution: it must be <name>-<version> with a PEP 440 version, "
            f"as a wheel or with one of {', '.join(ending for ending in SUFFIXES if ending != '.whl')}",
            field="content",
        )
    return distribution


def check_claims(package: Package, distribution: Distribution) -> None:
    """The form must agree with the file name, and its digests with the bytes."""
    claims, filename = package.claims, package.filename
    if "name" in claims and normalise(claims["name"]) != distribution.name:
        raise BadPackage(
            f"the form is about {claims['name']}, the file {filename} is of {distribution.name}", field="name"
        )
    if "version" in claims and normalise_version(claims["version"]) != distribution.version:
        raise BadPackage(
            f"the form is about version {claims['version']}, the file {filename} is of {distribution.version}",
            field="version",
        )
    if claims.get("filetype", distribution.kind) != distribution.kind:
        raise BadPackage(f"the form says {claims['filetype']}, but {filename} is {distribution.kind}", field="filetype")
    digests = package.draft.digests
    for field, digest in (("md5_digest", digests.md5), ("sha256_digest", digests.sha256)):
        _check_digest(package, field, digest)


def _check_digest(package: Package, field: str, digest: str) -> None:
    claimed = package.claims.get(field)
    if claimed is not None and not hmac.compare_digest(claimed.lower().encode(), digest.encode()):
        raise DigestMismatch(
            f"{field} of {package.filename} is {claimed} in the form; the file has {digest}", field=field
        )


def _examine(package: Package, distribution: Distribution) -> tuple[CoreMetadata, str]:
    """The metadata inside, and the BLAKE2 digest if the form has one. Blocks: for a thread."""
    blake2 = ""
    if "blake2_256_digest" in package.claims:
        blake2 = _blake2(package.draft)
        _check_digest(package, "blake2_256_digest", blake2)
    with package.draft.open() as body:
        found = metadata.read_metadata(body, package.filename, distribution)
    metadata.check(found, package.filename, distribution)
    return found, blake2


def _blake2(draft: Draft) -> str:
    digest = hashlib.blake2b(digest_size=32)
    with draft.open() as body:
        while chunk := body.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _changes(package: Package, distribution: Distribution, found: CoreMetadata, blake2: str) -> list[Change]:
    coordinates = Coordinates(distribution.name, distribution.version)
    path, sha256 = package_path(distribution.name, package.filename), package.draft.digests.sha256
    facts = metadata.facts(
        found,
        distribution,
        blake2_256=blake2,
        python_version=package.claims.get("pyversion", ""),
        comment=package.claims.get("comment", ""),
    )
    changes: list[Change] = [Deposit(path, package.draft, coordinates, facts, media_type(path))]
    # What accompanies a file is replaced with it: only the file itself is subject to "redeploy not allowed".
    if distribution.kind == WHEEL:
        changes.append(_companion(path + METADATA, found.text, coordinates))
    if package.signature is not None:
        changes.append(_companion(path + SIGNATURE, package.signature, coordinates))
    if attested := package.claims.get("attestations"):
        changes.append(
            Deposit(
                provenance_path(path),
                provenance(attested, package.filename, sha256),
                coordinates,
                Facts(asset={"subject": sha256}),
                PROVENANCE_TYPE,
                rewritable=True,
            )
        )
    return changes


def _companion(path: str, body: Draft | bytes, coordinates: Coordinates) -> Deposit:
    return Deposit(path, body, coordinates, content_type=media_type(path), rewritable=True)


async def remove(call: Call, hosted: Hosted) -> Reply:
    """`DELETE` of a distribution: it goes together with what accompanies it."""
    path = call.ctx.path
    if await hosted.asset(path) is None:
        raise AssetNotFound(f"{path} is not here")
    companions = (path + METADATA, path + SIGNATURE, provenance_path(path))
    present = [each for each in companions if await hosted.asset(each) is not None]
    await hosted.deposit(*(Removal(path=each) for each in (path, *present)))
    return Reply(204)


async def yank(call: Call, hosted: Hosted) -> Reply:
    """`PUT pypi/{name}/{version}/yank`: take a release back without breaking who pinned it (PEP 592).

    The body is empty, or a JSON object whose `reason` installers show.
    """
    reason = _reason(await read_body(call.body, limit=MAX_REASON))
    coordinates = await _release(call.ctx, hosted)
    await hosted.deposit(Annotation(coordinates, lambda known: {**known, "yanked": reason}))
    return Reply(204)


async def unyank(call: Call, hosted: Hosted) -> Reply:
    coordinates = await _release(call.ctx, hosted)
    await hosted.deposit(Annotation(coordinates, _without_yank))
    return Reply(204)


def _without_yank(known: Attributes) -> Attributes:
    return {name: value for name, value in known.items() if name != "yanked"}


def _reason(body: bytes) -> str:
    if not body.strip():
        return ""
    given = parse_json(body)
    reason = given.get("reason", "") if isinstance(given, dict) else None
    if not isinstance(reason, str):
        raise Invalid("the body must be a JSON object whose reason is a string", field="reason")
    return reason.strip()


async def _release(ctx: Context, hosted: Hosted) -> Coordinates:
    coordinates = Coordinates(ctx["name"], ctx["version"])
    if not await hosted.find(Query(name=coordinates.name, version=coordinates.version, limit=1)):
        raise ComponentNotFound(f"there is no release {coordinates.version} of {coordinates.name}")
    return coordinates
