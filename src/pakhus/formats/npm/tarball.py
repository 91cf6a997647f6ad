"""The tarball of a version. Its bytes never change: another content would be another version."""

from __future__ import annotations

from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from pakhus.domain.content import Coordinates, Facts, Origin
from pakhus.domain.errors import NotFound
from pakhus.formats.npm import integrity, manifest
from pakhus.formats.npm.names import NAME, coordinates, version_of
from pakhus.formats.npm.packument import EPOCH, Package, Packument, instant
from pakhus.kit.context import Context, Upstream
from pakhus.kit.format import File

CONTENT_TYPE = "application/x-tgz"


class Tarball(File):
    path = NAME + "/-/{file}"

    def immutable(self, ctx: Context) -> bool:
        return True

    def identify(self, ctx: Context) -> Coordinates | None:
        version = version_of(ctx["name"], ctx["file"])
        return coordinates(ctx["name"], version) if version else None

    def inspect(self, ctx: Context, body: BinaryIO) -> Facts:
        packed = manifest.read_tarball(body)
        known = manifest.facts(packed.manifest, packed.readme)
        return Facts({**known, "manifest": packed.manifest})

    def content_type(self, ctx: Context) -> str:
        return CONTENT_TYPE

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        """Where the packument says, with the digests that it promises.

        A version that the kept packument does not have may be newer than that copy (a lock file knows it, too):
        then the upstream is asked for the same path, without a promise.
        """
        package = await upstream.model(Packument(), name=ctx["name"])
        version = _held(package, ctx["file"])
        if version is not None:
            published = instant(package.times.get(version, ""))
            return Origin(
                package.origins[version],
                integrity.promised(package.versions[version]["dist"]),
                published=None if published == EPOCH else published,
            )
        if self.identify(ctx) is None:
            raise NotFound(f"{ctx['name']} has no tarball {ctx['file']}")
        return Origin(ctx.path)


def _held(package: Package, file: str) -> str | None:
    """The version of a file: by the rule for names, or by the last segment of the tarball's own URL upstream."""
    version = version_of(package.name, file)
    if version in package.origins:
        return version
    for other, url in package.origins.items():
        if (file in url or "%" in url) and unquote(urlsplit(url).path).rpartition("/")[2] == file:
            return other
    return None
