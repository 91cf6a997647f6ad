"""The files of an index: distributions, and what accompanies them.

Beside each distribution: `.metadata` (PEP 658/714) and `.asc` (a detached signature). Provenance (PEP 740) has the
path of the integrity API.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import BinaryIO
from urllib.parse import urlsplit, urlunsplit

from pakhus.domain.content import ALGORITHMS, NO_FACTS, Coordinates, Facts, Origin
from pakhus.domain.errors import BadPackage, NotFound
from pakhus.formats.pypi import metadata
from pakhus.formats.pypi.documents import PROJECT
from pakhus.formats.pypi.filenames import METADATA, SIGNATURE, media_type, understand
from pakhus.formats.pypi.simple import ProjectFile
from pakhus.kit.context import Context, Upstream
from pakhus.kit.format import File

PROVENANCE_TYPE = "application/vnd.pypi.integrity.v1+json"


def promised(hashes: Mapping[str, str]) -> dict[str, str]:
    """Those of the index's digests that can be checked."""
    return {algorithm: hashes[algorithm] for algorithm in ALGORITHMS if algorithm in hashes}


def beside(url: str, suffix: str) -> str:
    """The URL of an accompanying file: its path with a suffix, the query left alone."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path + suffix, fragment=""))


def moment(text: str) -> datetime | None:
    """A time from an index page, `None` if it is not one."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


async def listed(ctx: Context, path: str, upstream: Upstream) -> ProjectFile:
    """What the upstream's page tells of the distribution at `path`. Raises `NotFound`."""
    page = await upstream.model(PROJECT, name=ctx["name"])
    file = page.at(path)
    if file is None or not file.url:
        raise NotFound(f"the upstream's page of {ctx['name']} does not list {path.rpartition('/')[2]}")
    return file


class PackageFile(File):
    """A distribution. Its bytes never change: an index does not take a file name twice."""

    path = "packages/{name}/{version}/{file}"

    def immutable(self, ctx: Context) -> bool:
        return True

    def identify(self, ctx: Context) -> Coordinates | None:
        return Coordinates(ctx["name"], ctx.params.get("version", ""))

    def inspect(self, ctx: Context, body: BinaryIO) -> Facts:
        """An index holds files from before there were rules: what cannot be understood is still a file."""
        distribution = understand(ctx["file"], ctx["name"])
        if distribution is None:
            return NO_FACTS
        try:
            return metadata.facts(metadata.read_metadata(body, ctx["file"], distribution), distribution)
        except BadPackage:
            return Facts(asset=metadata.file_facts(distribution))

    def content_type(self, ctx: Context) -> str:
        return media_type(ctx.path)

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        file = await listed(ctx, ctx.path, upstream)
        return Origin(file.url, promised(file.hashes), file.size, moment(file.upload_time))


class UnversionedFile(PackageFile):
    """A distribution whose name does not tell its version: only indexes older than the rules have them."""

    path = "packages/{name}/{file}"


class MetadataFile(PackageFile):
    """The metadata of a distribution, apart, so that an installer can resolve without downloading."""

    path = PackageFile.path + METADATA

    def inspect(self, ctx: Context, body: BinaryIO) -> Facts:
        return NO_FACTS

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        file = await listed(ctx, ctx.path.removesuffix(METADATA), upstream)
        if file.metadata is None:
            raise NotFound(f"the upstream has no metadata file for {file.filename}")
        return Origin(beside(file.url, METADATA), promised(file.metadata))


class SignatureFile(PackageFile):
    """A detached signature, as it was uploaded beside its distribution."""

    path = PackageFile.path + SIGNATURE

    def immutable(self, ctx: Context) -> bool:
        return False

    def inspect(self, ctx: Context, body: BinaryIO) -> Facts:
        return NO_FACTS

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        file = await listed(ctx, ctx.path.removesuffix(SIGNATURE), upstream)
        return Origin(beside(file.url, SIGNATURE))


class ProvenanceFile(File):
    """Who made a distribution, attested."""

    path = "integrity/{name}/{version}/{file}/provenance"
    accept = (PROVENANCE_TYPE,)

    def identify(self, ctx: Context) -> Coordinates | None:
        return Coordinates(ctx["name"], ctx["version"])

    def content_type(self, ctx: Context) -> str:
        return PROVENANCE_TYPE

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        file = await listed(ctx, f"packages/{ctx['name']}/{ctx['version']}/{ctx['file']}", upstream)
        if not file.provenance_url:
            raise NotFound(f"the upstream has no provenance of {file.filename}")
        return Origin(file.provenance_url)
