"""The files of a Maven repository, and what a JAR says of itself.

A plugin's prefix stands in `META-INF/maven/plugin.xml` of its JAR; an archetype has
`META-INF/maven/archetype-metadata.xml` (before version 2.0: `archetype.xml`).
"""

from __future__ import annotations

from typing import Any, BinaryIO
from urllib.parse import quote

from pakhus.domain.content import NO_FACTS, Attributes, Coordinates, Facts, Origin
from pakhus.domain.errors import Invalid
from pakhus.formats.maven.checksums import MAX_CHECKSUM, promises
from pakhus.formats.maven.elements import text
from pakhus.formats.maven.layout import Gav, parse
from pakhus.formats.maven.policy import admit_path, options
from pakhus.formats.maven.pom import MAX_POM, check_pom, parse_pom
from pakhus.kit.archives import read_zip
from pakhus.kit.context import Content, Context, Headers, Upstream
from pakhus.kit.format import Drop
from pakhus.kit.wire import parse_xml

PLUGIN_DESCRIPTOR = "META-INF/maven/plugin.xml"
ARCHETYPE_DESCRIPTORS = ("META-INF/maven/archetype-metadata.xml", "META-INF/maven/archetype.xml")
MEDIA_TYPES = {
    "pom": "application/xml",
    "jar": "application/java-archive",
    "war": "application/java-archive",
    "ear": "application/java-archive",
    "aar": "application/java-archive",
    "module": "application/vnd.org.gradle.module+json",
    "asc": "application/pgp-signature",
    "tar.gz": "application/gzip",
    "tgz": "application/gzip",
    "tar.bz2": "application/x-bzip2",
    "tar.xz": "application/x-xz",
}


class Artifact(Drop):
    """An artifact, its signature, or, where the layout is permissive, any other file."""

    path = "{path:path}"

    def admit(self, ctx: Context) -> None:
        admit_path(ctx.settings, ctx.path)

    def immutable(self, ctx: Context) -> bool:
        gav = parse(ctx.path)
        return gav is not None and not gav.signature and (gav.is_timestamped or not gav.is_snapshot)

    def rewritable(self, ctx: Context) -> bool:
        gav = parse(ctx.path)
        return gav.signature != "" if gav is not None else ctx.path.startswith(".index/")

    def identify(self, ctx: Context) -> Coordinates | None:
        gav = parse(ctx.path)
        return Coordinates(gav.artifact_id, gav.version, gav.group_id) if gav is not None else None

    def inspect(self, ctx: Context, body: BinaryIO) -> Facts:
        gav = parse(ctx.path)
        return Facts({"baseVersion": gav.base_version, **_said(gav, body)}, asset_facts(gav)) if gav else NO_FACTS

    def content_type(self, ctx: Context) -> str:
        gav = parse(ctx.path)
        known = MEDIA_TYPES.get(gav.signature[1:] or gav.extension) if gav is not None else None
        return known or super().content_type(ctx)

    def headers(self, ctx: Context, content: Content) -> Headers:
        """Digests too: Maven's resolver then asks for no checksum files."""
        headers = {}
        if content.digests is not None:
            headers = {f"x-checksum-{name}": content.digests.get(name) for name in ("sha1", "md5", "sha256")}
        disposition = options(ctx.settings).content_disposition
        if disposition is not None:
            filename = quote(ctx.path.rpartition("/")[2])
            headers["content-disposition"] = f"{disposition.lower()}; filename*=UTF-8''{filename}"
        return headers

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        """Clients get the checksums of our copy, so ours has to be compared with upstream's while it arrives.

        Only where the file cannot change between the two requests.
        """
        if not self.immutable(ctx):
            return Origin(ctx.path)
        published = await upstream.fetch(f"{ctx.path}.sha1", limit=MAX_CHECKSUM)
        return Origin(ctx.path, promises(published, "sha1"))


def asset_facts(gav: Gav) -> Attributes:
    """`gavec` joins group, artifact, base version, extension and classifier for Nexus's search parameter."""
    facts = {"baseVersion": gav.base_version, "extension": gav.full_extension}
    if gav.classifier:
        facts["classifier"] = gav.classifier
    parts = (gav.group_id, gav.artifact_id, gav.base_version, gav.full_extension, gav.classifier)
    return {**facts, "gavec": ":".join(part for part in parts if part)}


def _said(gav: Gav, body: BinaryIO) -> Attributes:
    if gav.is_pom:
        pom = parse_pom(body.read(MAX_POM))
        check_pom(pom, gav)
        return pom.facts
    plain = not gav.classifier and not gav.signature
    return _of_jar(body) if plain and gav.extension == "jar" else {}


def _of_jar(body: BinaryIO) -> Attributes:
    """Plugin and archetype facts; nothing for a JAR that cannot be read, for it may be anything that a build made."""
    try:
        entries = read_zip(body, lambda name: name == PLUGIN_DESCRIPTOR or name in ARCHETYPE_DESCRIPTORS)
        facts: dict[str, Any] = {}
        if PLUGIN_DESCRIPTOR in entries:
            descriptor = parse_xml(entries[PLUGIN_DESCRIPTOR])
            facts["plugin"] = {"prefix": text(descriptor, "goalPrefix"), "name": text(descriptor, "name")}
        if any(name in entries for name in ARCHETYPE_DESCRIPTORS):
            facts["archetype"] = "true"
    except Invalid:
        return {}
    return facts
