"""`maven-metadata.xml` and `archetype-catalog.xml` as documents, and what clients send for them and for checksums.

The server derives all of it from what it holds: what a client sends is checked, acknowledged and not kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pakhus.domain.content import Component, Query
from pakhus.domain.errors import DigestMismatch
from pakhus.formats.maven import archetypes, metadata
from pakhus.formats.maven.archetypes import Catalog
from pakhus.formats.maven.checksums import MAX_CHECKSUM, digest_in
from pakhus.formats.maven.layout import CATALOG, METADATA, Place
from pakhus.formats.maven.metadata import PLUGIN, Metadata
from pakhus.formats.maven.policy import admit_metadata, admit_path, allows
from pakhus.kit.context import Call, Context, Hosted, Reply
from pakhus.kit.format import Document
from pakhus.kit.wire import read_body

METADATA_PATH = "{dir:path}/" + METADATA
CHECKSUM_PATH = "{path:path}.{algo:md5|sha1|sha256|sha512}"
MAX_METADATA = 64 << 20
XML = ("application/xml",)


class MetadataDocument(Document[Metadata]):
    path = METADATA_PATH
    media_types = XML
    limit = MAX_METADATA

    def admit(self, ctx: Context) -> None:
        admit_metadata(ctx.settings, ctx.path, Place(ctx["dir"]))

    def select(self, ctx: Context) -> Sequence[Query]:
        """The folder is a SNAPSHOT version; or else it may be an artifact, a group of plugins, or both."""
        place = Place(ctx["dir"])
        group, artifact = place.artifact
        if place.is_version:
            return (Query(group, artifact, attributes={"baseVersion": place.version}),)
        return (
            Query(group, artifact, assets=False),
            Query(place.group, attributes={"packaging": PLUGIN}, assets=False),
        )

    def build(self, ctx: Context, components: Iterable[Component]) -> Metadata | None:
        model = metadata.derive(Place(ctx["dir"]), components)
        known = metadata.restrict(model, lambda version: allows(ctx.settings, version)) if model else Metadata()
        return known if known.versions or known.builds or known.plugins else None

    def parse(self, ctx: Context, body: bytes) -> Metadata:
        return metadata.restrict(metadata.load(body), lambda version: allows(ctx.settings, version))

    def merge(self, ctx: Context, models: Sequence[Metadata]) -> Metadata:
        return metadata.merge(models)

    def dump(self, ctx: Context, model: Metadata) -> bytes:
        return metadata.dump(model)


class CatalogDocument(Document[Catalog]):
    path = CATALOG
    media_types = XML

    def select(self, ctx: Context) -> Query:
        return Query(attributes={"archetype": "true"}, assets=False)

    def build(self, ctx: Context, components: Iterable[Component]) -> Catalog | None:
        return archetypes.derive(components)

    def parse(self, ctx: Context, body: bytes) -> Catalog:
        return archetypes.load(body)

    def merge(self, ctx: Context, models: Sequence[Catalog]) -> Catalog:
        return archetypes.merge(models)

    def dump(self, ctx: Context, model: Catalog) -> bytes:
        return archetypes.dump(model)


async def take_metadata(call: Call, hosted: Hosted) -> Reply:
    """PUT of `maven-metadata.xml`: 400 when malformed or against the version policy."""
    admit_metadata(call.ctx.settings, call.ctx.path, Place(call.ctx["dir"]))
    metadata.load(await read_body(call.body, limit=MAX_METADATA))
    return Reply(201)


async def take_catalog(call: Call, hosted: Hosted) -> Reply:
    archetypes.load(await read_body(call.body, limit=CatalogDocument.limit))
    return Reply(201)


async def take_checksum(call: Call, hosted: Hosted) -> Reply:
    """PUT of a checksum: 400 when it is not that of the stored file.

    Clients that send several files at a time may be here before the file itself; then there is nothing to compare.
    """
    path, algorithm = call.ctx["path"], call.ctx["algo"]
    if path.endswith(f"/{METADATA}"):
        admit_metadata(call.ctx.settings, path, Place(path.removesuffix(f"/{METADATA}")))
    elif path != CATALOG:
        admit_path(call.ctx.settings, path)
    sent = digest_in(await read_body(call.body, limit=MAX_CHECKSUM), algorithm)
    asset = await hosted.asset(path)
    known = asset.blob.digests.get(algorithm) if asset is not None else sent
    if sent != known:
        raise DigestMismatch(f"The {algorithm} of {path} is {known}, not {sent}")
    return Reply(201)


async def keep_derived(call: Call, hosted: Hosted) -> Reply:
    """DELETE of something derived: it goes when what it is derived from goes."""
    return Reply(204)
