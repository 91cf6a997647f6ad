"""What documents tell of the versions of a package: the model that registrations, search and the feed share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pakhus.domain.content import Component
from pakhus.formats.nuget.names import key, package_path
from pakhus.kit.versions import nuget_key

PAGE = 64
INLINED = 128
"""Up to so many versions are told in the index itself."""
UNLISTED = "1900-01-01T00:00:00+00:00"
"""The publication time by which version 2 says that a package is not listed."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A version: its entry as published, without the URLs that depend on who tells it.

    `source` is where an upstream keeps the package, `digests` what it promises of it (algorithm → hexadecimal).
    """

    id: str
    version: str
    entry: Mapping[str, Any]
    listed: bool = True
    published: str = ""
    size: int | None = None
    sha512: str = ""
    downloads: int = 0
    source: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return key(self.version)

    @property
    def path(self) -> str:
        return package_path(self.id, self.version)

    @property
    def semver2(self) -> bool:
        return bool(self.entry.get("semVer2"))

    @property
    def prerelease(self) -> bool:
        return "-" in self.key


@dataclass(frozen=True, slots=True)
class Page:
    """Versions from `lower` to `upper`; without `leaves` they are told in a document of their own (at `source`)."""

    lower: str
    upper: str
    count: int
    leaves: tuple[Leaf, ...] | None = None
    source: str = ""

    def covers(self, version: str) -> bool:
        return nuget_key(self.lower) <= nuget_key(version) <= nuget_key(self.upper)

    def overlaps(self, other: Page) -> bool:
        return nuget_key(self.lower) <= nuget_key(other.upper) and nuget_key(other.lower) <= nuget_key(self.upper)


@dataclass(frozen=True, slots=True)
class Registration:
    pages: tuple[Page, ...]

    @property
    def leaves(self) -> list[Leaf]:
        return [leaf for page in self.pages for leaf in page.leaves or ()]


def stamp(moment: datetime) -> str:
    """ISO 8601 in UTC, with milliseconds and offset, as registrations have it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def leaf_of(component: Component) -> Leaf | None:
    """What a hosted version is; `None` if it has no package."""
    path = package_path(component.name, component.version)
    asset = next((asset for asset in component.assets if asset.path == path), None)
    entry = component.attributes.get("entry")
    if asset is None or not isinstance(entry, Mapping):
        return None
    return Leaf(
        entry["id"],
        entry["version"],
        entry,
        listed=component.attributes.get("listed", True) is True,
        published=stamp(component.published or asset.created),
        size=asset.blob.size,
        sha512=asset.blob.digests.sha512,
        downloads=asset.downloads,
    )


def leaves_of(components: Iterable[Component]) -> list[Leaf]:
    return ordered(leaf for component in components if (leaf := leaf_of(component)) is not None)


def ordered(leaves: Iterable[Leaf]) -> list[Leaf]:
    """Each version once, the first told of it, the oldest version first."""
    unique: dict[tuple[str, str], Leaf] = {}
    for leaf in leaves:
        unique.setdefault((leaf.id.lower(), leaf.key), leaf)
    return sorted(unique.values(), key=lambda leaf: (leaf.id.lower(), nuget_key(leaf.key)))


def paged(leaves: Sequence[Leaf], *, inline: bool) -> tuple[Page, ...]:
    """Ordered leaves as pages, told at once or by reference."""
    chunks = [leaves[start : start + PAGE] for start in range(0, len(leaves), PAGE)]
    return tuple(
        Page(chunk[0].key, chunk[-1].key, len(chunk), tuple(chunk) if inline else None) for chunk in chunks if chunk
    )
