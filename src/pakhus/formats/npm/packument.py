"""The packument: all that the registry knows of a package, in its full and in its abbreviated form.

Sources: npm's registry API ("REGISTRY-API") and "package metadata" pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

from pakhus.domain.content import Component, Origin, Query
from pakhus.domain.errors import UpstreamDown
from pakhus.formats.npm import integrity
from pakhus.formats.npm.manifest import Manifest, abbreviated
from pakhus.formats.npm.names import NAME, package_query, tarball_path
from pakhus.kit.context import Context, Upstream
from pakhus.kit.format import Document
from pakhus.kit.paths import flaw
from pakhus.kit.versions import semver_key, semver_prerelease
from pakhus.kit.wire import dump_json, parse_json

FULL = "application/json"
ABBREVIATED = "application/vnd.npm.install-v1+json"
ATTESTATIONS = "-/npm/v1/attestations/{name}@{version}"
TAKEN_FROM_LATEST = (
    "description",
    "author",
    "contributors",
    "homepage",
    "repository",
    "bugs",
    "license",
    "keywords",
    "readmeFilename",
)
OWN = frozenset({"_id", "_rev", "_attachments", "name", "versions", "dist-tags", "time"})
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Package:
    """The model. `versions` are manifests as published, except that `dist.tarball` is a repository path.

    `times` has the publication of each version, and `created` and `modified`, as ISO 8601. `about` are the members
    of the package itself. `origins` has the upstream URL of each version's tarball.
    """

    name: str
    versions: Mapping[str, Manifest]
    tags: Mapping[str, str]
    times: Mapping[str, str]
    about: Mapping[str, Any] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def modified(self) -> str:
        return self.times.get("modified", "")

    @property
    def revision(self) -> str:
        """Number of versions and the time of the last change in milliseconds: see `changed_at`."""
        return f"{len(self.versions)}-{int(instant(self.modified).timestamp() * 1000):x}"

    def resolve(self, wanted: str) -> Manifest | None:
        """A version by its number or its tag."""
        return self.versions.get(wanted) or self.versions.get(self.tags.get(wanted, ""))


def changed_at(revision: str) -> datetime:
    """When the package that a client read under this revision had last changed; the future if it cannot be told."""
    try:
        return datetime.fromtimestamp((int(revision.partition("-")[2], 16) + 1) / 1000, UTC)
    except (ValueError, OverflowError):
        return datetime.max.replace(tzinfo=UTC)


def instant(time: str) -> datetime:
    try:
        parsed = datetime.fromisoformat(time)
    except ValueError:
        return EPOCH
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def stamp(time: datetime) -> str:
    """As JavaScript writes it: milliseconds and Z."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def newest(versions: Iterable[str]) -> str:
    """The greatest released version, or the greatest of all."""
    return max(versions, key=lambda version: (not semver_prerelease(version), semver_key(version)))


def effective_tags(tags: Mapping[str, Any], versions: Mapping[str, Any]) -> dict[str, str]:
    """The tags whose version is there, and always `latest`."""
    held = {tag: version for tag, version in tags.items() if isinstance(version, str) and version in versions}
    if "latest" not in held and versions:
        held["latest"] = newest(versions)
    return held


def spanned(times: dict[str, str]) -> dict[str, str]:
    """The same times with `created` and `modified`, from those of the versions where they are not stated."""
    versions = sorted((t for name, t in times.items() if name not in ("created", "modified")), key=instant)
    if not versions:
        return times
    bounds = {"created": versions[0], "modified": versions[-1]}
    return {**bounds, **{name: time for name, time in times.items() if time}}


class Packument(Document[Package]):
    path = NAME
    media_types = (FULL, ABBREVIATED)
    upstream_accept = FULL

    def select(self, ctx: Context) -> Query:
        return package_query(ctx["name"])

    def build(self, ctx: Context, components: Iterable[Component]) -> Package | None:
        held = list(components)
        own = next((c for c in held if not c.version), None)
        attributes = own.attributes if own else {}
        released = sorted((c for c in held if c.version and c.assets), key=lambda c: semver_key(c.version))
        if not released:
            return None
        versions = {c.version: published(ctx["name"], c) for c in released}
        tags = effective_tags(attributes.get("tags", {}), versions)
        latest = next(c for c in released if c.version == tags["latest"])
        return Package(ctx["name"], versions, tags, _times(released, own), _about(latest, attributes))

    def parse(self, ctx: Context, body: bytes) -> Package:
        document = parse_json(body)
        if not isinstance(document, dict):
            raise UpstreamDown(f"the upstream's answer for {ctx['name']} is not a packument")
        return parsed(ctx["name"], document, source=ctx.source)

    def merge(self, ctx: Context, models: Sequence[Package]) -> Package:
        versions: dict[str, Manifest] = {}
        times: dict[str, str] = {}
        tags: dict[str, str] = {}
        about: dict[str, Any] = {}
        for model in reversed(models):
            versions = {**versions, **model.versions}
            times = {**times, **model.times}
            tags |= model.tags
            about |= model.about
        times["created"] = min((m.times["created"] for m in models if "created" in m.times), key=instant, default="")
        times["modified"] = max((m.times["modified"] for m in models if "modified" in m.times), key=instant, default="")
        stated = {name: time for name, time in times.items() if time}
        return Package(ctx["name"], versions, effective_tags(tags, versions), stated, about)

    def dump(self, ctx: Context, model: Package) -> bytes:
        short = ctx.accept == ABBREVIATED
        shape = abbreviated if short else dict
        versions = {version: shape(linked(ctx, manifest)) for version, manifest in model.versions.items()}
        common = {"name": model.name, "dist-tags": model.tags, "versions": versions}
        if short:
            return dump_json({**common, "modified": model.modified})
        own = {"_id": model.name, "_rev": model.revision}
        return dump_json({**own, **common, "time": model.times, **model.about})

    async def origin(self, ctx: Context, upstream: Upstream) -> Origin:
        return Origin(ctx.path)


def linked(ctx: Context, manifest: Manifest) -> dict[str, Any]:
    """The manifest with links into the repository that the client addressed."""
    dist = dict(manifest["dist"])
    dist["tarball"] = ctx.link(dist["tarball"])
    attestations = dist.get("attestations")
    if isinstance(attestations, Mapping) and "url" in attestations:
        path = ATTESTATIONS.format(name=ctx["name"], version=manifest["version"])
        dist["attestations"] = {**attestations, "url": ctx.link(path)}
    return {**manifest, "dist": dist}


def published(name: str, component: Component) -> Manifest:
    """The manifest as it was published, with what has changed since: its deprecation, and where the tarball is."""
    manifest = dict(component.attributes.get("manifest", {}))
    digests = component.asset.blob.digests
    dist = {**integrity.describe(digests), **manifest.get("dist", {}), "tarball": component.asset.path}
    manifest |= {"name": name, "version": component.version, "dist": dist}
    if reason := component.attributes.get("deprecated"):
        manifest["deprecated"] = reason
    else:
        manifest.pop("deprecated", None)
    return manifest


def _times(released: Sequence[Component], own: Component | None) -> dict[str, str]:
    """`modified` is the time of the last change of any kind, so that a revision tells one state from the next."""
    times = {c.version: c.published or c.created for c in released}
    changes = [c.updated for c in released] + ([own.updated] if own else [])
    created, modified = min(times.values()), max([*changes, *times.values()])
    return {
        "created": stamp(created),
        "modified": stamp(modified),
        **{version: stamp(time) for version, time in times.items()},
    }


def _about(latest: Component, attributes: Mapping[str, Any]) -> dict[str, Any]:
    manifest = latest.attributes.get("manifest", {})
    about = {member: manifest[member] for member in TAKEN_FROM_LATEST if member in manifest}
    about["readme"] = latest.attributes.get("readme")
    about["maintainers"] = attributes.get("maintainers") or owners_of(latest)
    return {member: value for member, value in about.items() if value}


def owners_of(component: Component) -> list[Any]:
    """Whoever the published manifest names as maintainer, or else the user who uploaded it."""
    stated = component.attributes.get("manifest", {}).get("maintainers")
    if isinstance(stated, list) and stated:
        return stated
    return [{"name": component.asset.uploader, "email": ""}] if component.assets and component.asset.uploader else []


def parsed(name: str, document: dict[str, Any], *, source: str) -> Package:
    """An upstream packument; of a version without a usable tarball nothing can be served, so it is left out."""
    versions: dict[str, Manifest] = {}
    origins: dict[str, str] = {}
    for version, manifest in _mapping(document.get("versions")).items():
        dist = manifest.get("dist") if isinstance(manifest, dict) else None
        url = dist.get("tarball") if isinstance(dist, dict) else None
        path = tarball_path(name, version)
        if not isinstance(url, str) or flaw(path) or "/" in version:
            continue
        # The document is ours alone: its manifests are changed in place, not copied.
        manifest["dist"]["tarball"] = path
        manifest.setdefault("version", version)
        versions[version] = manifest
        origins[version] = urljoin(source, url)
    times = {key: time for key, time in _mapping(document.get("time")).items() if isinstance(time, str)}
    tags = effective_tags(_mapping(document.get("dist-tags")), versions)
    about = {member: value for member, value in document.items() if member not in OWN}
    return Package(name, versions, tags, spanned(times), about, origins)


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
