"""The flat container: which versions there are, and the files of each.

Source: NuGet's documentation, "Package content" (`PackageBaseAddress/3.0.0`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import BinaryIO

from pakhus.domain.content import Component, Coordinates, Facts, Origin, Query
from pakhus.domain.errors import BadPackage, NotFound, UpstreamRefused
from pakhus.formats.nuget import atom, package
from pakhus.formats.nuget.names import CONTENT, coordinates, key
from pakhus.formats.nuget.registration import REGISTRATION, SEMVER2
from pakhus.formats.nuget.upstream import CONTENT_TYPES, below, is_v2, members
from pakhus.kit.context import Context, Upstream
from pakhus.kit.format import File
from pakhus.kit.versions import nuget_key
from pakhus.kit.wire import dump_json, parse_json

Versions = tuple[str, ...]


def ordered(versions: Iterable[str]) -> Versions:
    """Each version once, the oldest first."""
    return tuple(sorted({key(version) for version in versions}, key=nuget_key))


class VersionList(atom.Fed[Versions]):
    """All versions of a package, the unlisted ones too."""

    path = CONTENT + "/{id}/index.json"

    def select(self, ctx: Context) -> Query:
        return Query(name=ctx["id"].lower())

    def build(self, ctx: Context, components: Iterable[Component]) -> Versions | None:
        return ordered(component.version for component in components if component.assets) or None

    def parse(self, ctx: Context, body: bytes) -> Versions:
        if atom.is_feed(body):
            return ordered(leaf.version for leaf in atom.read(ctx, body).leaves)
        versions = members(parse_json(body), "a list of versions").get("versions")
        if not isinstance(versions, list):
            raise UpstreamRefused("the upstream's answer is not a list of versions")
        return ordered(version for version in versions if isinstance(version, str))

    def merge(self, ctx: Context, models: Sequence[Versions]) -> Versions:
        return ordered(version for model in models for version in model)

    def dump(self, ctx: Context, model: Versions) -> bytes:
        return dump_json({"versions": model})

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        if is_v2(ctx):
            return Origin(atom.by_id(ctx["id"]))
        return Origin(await below(upstream, CONTENT_TYPES, f"{ctx['id']}/index.json"))


class PackageFile(File):
    """A package. A feed does not take the same version twice, so its bytes never change."""

    path = CONTENT + "/{id}/{version}/{id}.{version}.nupkg"

    def immutable(self, ctx: Context) -> bool:
        return True

    def identify(self, ctx: Context) -> Coordinates | None:
        return coordinates(ctx["id"], ctx["version"])

    def inspect(self, ctx: Context, body: BinaryIO) -> Facts:
        found = package.read(body)
        if coordinates(found.nuspec.id, found.nuspec.version) != self.identify(ctx):
            raise BadPackage(f"the package says it is {found.nuspec.id} {found.nuspec.version}")
        return package.facts(found)

    def content_type(self, ctx: Context) -> str:
        return "application/octet-stream"

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        """Where the flat container has it; else where the package's registration says."""
        if not is_v2(ctx):
            try:
                return Origin(await below(upstream, CONTENT_TYPES, ctx.path.removeprefix(f"{CONTENT}/")))
            except NotFound:
                pass
        found = await upstream.model(REGISTRATION, hive=SEMVER2, id=ctx["id"])
        leaf = next((leaf for leaf in found.leaves if key(leaf.version) == ctx["version"]), None)
        if leaf is None or not leaf.source:
            raise NotFound(f"the upstream does not list {ctx['id']} {ctx['version']}")
        return Origin(leaf.source, leaf.digests)


class Beside(File):
    """What the flat container has beside a package: its nuspec, its icon, its README."""

    path = CONTENT + "/{id}/{version}/{file:[^/]+\\.nuspec|icon|readme}"

    def identify(self, ctx: Context) -> Coordinates | None:
        return coordinates(ctx["id"], ctx["version"])

    def content_type(self, ctx: Context) -> str:
        return "application/xml" if ctx["file"].endswith(".nuspec") else ""

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        if is_v2(ctx):
            raise NotFound("an upstream of version 2 has only packages")
        return Origin(await below(upstream, CONTENT_TYPES, ctx.path.removeprefix(f"{CONTENT}/")))


class SymbolPackage(File):
    """The `.snupkg` as it was pushed, for whoever keeps both."""

    path = CONTENT + "/{id}/{version}/{id}.{version}.snupkg"

    def identify(self, ctx: Context) -> Coordinates | None:
        return coordinates(ctx["id"], ctx["version"])

    def content_type(self, ctx: Context) -> str:
        return "application/octet-stream"

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        return Origin(await below(upstream, CONTENT_TYPES, ctx.path.removeprefix(f"{CONTENT}/")))
