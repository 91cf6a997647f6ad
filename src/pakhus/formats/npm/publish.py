"""`npm publish`: one document with the manifests and, in base64, the tarballs of new versions.

Also the REST upload of a bare tarball, which becomes the same kind of release.
Source: npm's registry API, "PUT /{package}"; what libnpmpublish, pnpm and yarn send.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pakhus.domain.content import Attributes, Facts
from pakhus.domain.errors import BadPackage, Forbidden, Invalid, PolicyViolation
from pakhus.formats.npm import integrity, manifest
from pakhus.formats.npm.names import (
    check_name,
    check_tag,
    check_version,
    coordinates,
    full,
    package_query,
    same_version,
    split,
    tarball_path,
)
from pakhus.formats.npm.packument import ATTESTATIONS, newest
from pakhus.formats.npm.tarball import CONTENT_TYPE
from pakhus.kit.context import Annotation, Call, Change, Deposit, Draft, Form, Hosted
from pakhus.kit.wire import read_json_with_attachments

MAX_DOCUMENT = 64 << 20
RECOMPUTED = frozenset({"dist", "readme", "_attachments"})


@dataclass(frozen=True, slots=True)
class Release:
    """A version that enters the repository: its manifest as published, its tarball, its Sigstore bundles."""

    name: str
    version: str
    manifest: Mapping[str, Any]
    facts: Mapping[str, Any]
    tarball: Draft
    attestations: Sequence[Mapping[str, Any]] = ()

    @property
    def deposit(self) -> Deposit:
        attributes = {
            **dict.fromkeys(("description", "license", "author", "homepage", "repository", "readme"), ""),
            "keywords": [],
            "dependencies": {},
            **self.facts,
            "manifest": self.manifest,
            "deprecated": self.manifest.get("deprecated") or "",
            "attestations": list(self.attestations),
        }
        return Deposit(
            tarball_path(self.name, self.version),
            self.tarball,
            coordinates(self.name, self.version),
            Facts(attributes),
            CONTENT_TYPE,
        )


@dataclass(frozen=True, slots=True)
class Attachments:
    """The tarballs that came with a document, and its Sigstore bundles, by the names that the client gave them."""

    drafts: Mapping[str, Draft]
    bundles: Mapping[str, str]

    async def cancel(self) -> None:
        for draft in self.drafts.values():
            await draft.cancel()

    def check(self) -> None:
        """Raise `Invalid` for a name that is no file name."""
        for file in (*self.drafts, *self.bundles):
            # A scoped package's attachment carries its scope: "@scope/name-1.0.0.tgz".
            scoped = file.startswith("@") and file.count("/") == 1
            if "\\" in file or "\0" in file or ".." in file.split("/") or ("/" in file and not scoped):
                raise Invalid(f"'{file}' is not a name for an attachment", field="_attachments")

    def tarball(self, name: str, version: str, *, alone: bool) -> Draft | None:
        """The tarball of a version; whatever its name, if there is just one version and one tarball."""
        for base in (name, split(name)[1]):
            if draft := self.drafts.get(f"{base}-{version}.tgz"):
                return draft
        return next(iter(self.drafts.values())) if alone and len(self.drafts) == 1 else None

    def bundle(self, name: str, version: str) -> str | None:
        return self.bundles.get(f"{name}-{version}.sigstore")


async def receive(call: Call, hosted: Hosted) -> tuple[dict[str, Any], Attachments]:
    """The document and what came with it; the caller sees to it that the drafts end. Raises `Invalid`."""
    document, drafts = await read_json_with_attachments(call.body, hosted.draft, limit=MAX_DOCUMENT)
    attached = document.get("_attachments") if isinstance(document, dict) else None
    attachments = Attachments(drafts, _texts(attached))
    try:
        if not isinstance(document, dict):
            raise Invalid("the body is not a package document")
        attachments.check()
    except Invalid:
        await attachments.cancel()
        raise
    return document, attachments


def _texts(attachments: object) -> dict[str, str]:
    """The attachments that are text: Sigstore bundles, which are not sent as base64."""
    listed = attachments.items() if isinstance(attachments, dict) else ()
    return {file: one["data"] for file, one in listed if isinstance(one, dict) and isinstance(one.get("data"), str)}


async def releases(name: str, document: Mapping[str, Any], attachments: Attachments) -> list[Release]:
    """The versions of the document that came with a tarball, each checked against it."""
    found = []
    manifests = versions_of(document)
    for version, stated in manifests.items():
        tarball = attachments.tarball(name, version, alone=len(manifests) == 1)
        if tarball is not None:
            bundle = attachments.bundle(name, version)
            found.append(await asyncio.to_thread(_release, name, version, stated, tarball, bundle))
    if len({id(draft) for draft in attachments.drafts.values()} - {id(each.tarball) for each in found}):
        raise Invalid("an attached tarball belongs to none of the document's versions", field="_attachments")
    return found


def versions_of(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    versions = document.get("versions", {})
    if not isinstance(versions, dict) or not all(isinstance(stated, dict) for stated in versions.values()):
        raise Invalid("'versions' is not an object of manifests", field="versions")
    return versions


def tags_of(document: Mapping[str, Any]) -> dict[str, str]:
    tags = document.get("dist-tags", {})
    if not isinstance(tags, dict) or not all(isinstance(version, str) for version in tags.values()):
        raise Invalid("'dist-tags' is not an object of versions", field="dist-tags")
    return tags


def _release(name: str, version: str, stated: dict[str, Any], tarball: Draft, bundle: str | None) -> Release:
    """Check a version against its tarball. Raises `Invalid`, `BadPackage`, `DigestMismatch`. Runs in a thread."""
    check_version(version)
    what = f"{name}@{version}"
    if stated.get("name") != name or not same_version(version, stated.get("version")):
        raise Invalid(f"the manifest of {what} says it is {stated.get('name')}@{stated.get('version')}")
    integrity.check(_dist(stated), tarball.digests, what=what)
    with tarball.open() as body:
        packed = manifest.read_tarball(body)
    written = packed.manifest
    if written.get("name") != name or not same_version(version, written.get("version")):
        raise BadPackage(
            f"the package.json in the tarball of {what} says it is {written.get('name')}@{written.get('version')}"
        )
    return _composed(name, version, stated, packed, tarball, bundle)


def _dist(stated: Mapping[str, Any]) -> Mapping[str, Any]:
    dist = stated.get("dist")
    return dist if isinstance(dist, dict) else {}


def _composed(
    name: str, version: str, stated: Mapping[str, Any], packed: manifest.Packed, tarball: Draft, bundle: str | None
) -> Release:
    dist = {
        "fileCount": packed.files,
        **_dist(stated),
        **integrity.describe(tarball.digests),
        "tarball": tarball_path(name, version),
    }
    attestations = _attestations(bundle)
    if attestations:
        path = ATTESTATIONS.format(name=name, version=version)
        dist["attestations"] = {"url": path, "provenance": {"predicateType": attestations[0]["predicateType"]}}
    kept = {member: value for member, value in stated.items() if member not in RECOMPUTED}
    kept |= {"name": name, "version": version, "_id": f"{name}@{version}", "dist": dist}
    readme = stated.get("readme")
    text = readme if isinstance(readme, str) and readme and not packed.readme else packed.readme
    known = manifest.facts(kept, text[: manifest.README_LIMIT])
    return Release(name, version, kept, known, tarball, attestations)


def _attestations(bundle: str | None) -> list[dict[str, Any]]:
    """A Sigstore bundle with what it states: the predicate type of the in-toto statement in its envelope."""
    if bundle is None:
        return []
    try:
        document = json.loads(bundle)
        statement = json.loads(base64.b64decode(document["dsseEnvelope"]["payload"]))
        return [{"predicateType": str(statement["predicateType"]), "bundle": document}]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Invalid("the attached provenance is not a Sigstore bundle", field="_attachments") from error


async def store(hosted: Hosted, name: str, new: Sequence[Release], tags: Mapping[str, str]) -> None:
    """Keep the releases and set the tags, in one transaction."""
    check_name(name, new=name != name.lower() and not await hosted.find(package_query(name)))
    again = [release.version for release in new if await hosted.asset(tarball_path(name, release.version))]
    changes: list[Change] = [release.deposit for release in new]
    changes.append(Annotation(coordinates(name), lambda held: _retagged(held, tags, new), name))
    try:
        await hosted.deposit(*changes)
    except PolicyViolation as refused:
        if not again:
            raise
        # Tools which publish many packages go on if they read this sentence in a 403.
        said = f"You cannot publish over the previously published versions: {', '.join(again)}."
        raise Forbidden(f"{said} {refused.message}") from refused


def _retagged(held: Attributes, tags: Mapping[str, str], new: Sequence[Release]) -> Attributes:
    """The package's own attributes after a publication; its description is that of `latest`, for search."""
    latest = next((release for release in new if release.version == tags.get("latest")), None)
    described = latest or (new[0] if "description" not in held else None)
    known = {"description": described.facts.get("description", "")} if described else {}
    return {**held, **known, "tags": {**held.get("tags", {}), **tags}}


def chosen_tags(document: Mapping[str, Any], new: Sequence[Release]) -> dict[str, str]:
    """The document's tags that name a version which is being published."""
    published = {release.version for release in new}
    tags = {tag: version for tag, version in tags_of(document).items() if version in published}
    for tag in tags:
        check_tag(tag)
    return tags


async def upload(form: Form, hosted: Hosted) -> None:
    """A tarball by the REST API: name and version are its package.json's; `latest` follows if it is newer."""
    if len(form.assets) != 1:
        raise Invalid("exactly one npm package can be uploaded at a time")
    draft = form.assets[0].draft
    try:
        await _upload(draft, hosted)
    except BaseException:
        await draft.cancel()
        raise


async def _upload(draft: Draft, hosted: Hosted) -> None:
    release = await asyncio.to_thread(_packed_release, draft)
    own = await hosted.find(package_query(release.name, ""))
    latest = own[0].attributes.get("tags", {}).get("latest") if own else None
    newer = latest is not None and newest((latest, release.version)) == release.version
    # While nobody has set `latest`, it is the newest version by itself.
    await store(hosted, release.name, [release], {"latest": release.version} if newer else {})


def _packed_release(tarball: Draft) -> Release:
    with tarball.open() as body:
        packed = manifest.read_tarball(body)
    name, version = packed.manifest.get("name"), packed.manifest.get("version")
    if not isinstance(name, str) or not isinstance(version, str):
        raise BadPackage("the tarball's package.json has no name or no version")
    version = version.strip().lstrip("=v ")
    check_version(version)
    return _composed(full(coordinates(name)), version, packed.manifest, packed, tarball, None)
