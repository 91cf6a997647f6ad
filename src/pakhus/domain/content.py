"""The words for what a repository holds: components, assets, blobs, and how they are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Attributes = Mapping[str, Any]
"""What a format knows of a component or an asset: JSON values under names of the format's choosing."""

EMPTY: Attributes = {}

ALGORITHMS = ("md5", "sha1", "sha256", "sha512")


@dataclass(frozen=True, slots=True)
class Coordinates:
    """Who a component is. No version means the package itself: its tags, owners, deprecations."""

    name: str
    version: str = ""
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Digests:
    """Lower-case hexadecimal digests of one body."""

    sha256: str
    sha1: str
    md5: str
    sha512: str

    def get(self, algorithm: str) -> str:
        """The digest by its algorithm's name, one of `ALGORITHMS`."""
        if algorithm not in ALGORITHMS:
            raise KeyError(algorithm)
        value: str = getattr(self, algorithm)
        return value

    def as_mapping(self) -> dict[str, str]:
        return {name: self.get(name) for name in ALGORITHMS}


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes in a blob store. The key is random; sameness is `(blob_store, sha256)`."""

    id: int
    blob_store: str
    key: str
    size: int
    digests: Digests
    created: datetime


@dataclass(frozen=True, slots=True)
class Kept:
    """What a proxy remembers of a kept copy: when it last asked, and what the upstream called it."""

    verified: datetime
    origin: str = ""
    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class Asset:
    """A path and its blob."""

    id: int
    repository: str
    path: str
    blob: Blob
    content_type: str
    coordinates: Coordinates | None
    attributes: Attributes
    created: datetime
    updated: datetime
    last_downloaded: datetime | None = None
    downloads: int = 0
    uploader: str = ""
    uploader_ip: str = ""
    kept: Kept | None = None
    component_id: int | None = None

    @property
    def filename(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Component:
    """A version of a package (or, without version, the package itself) and its assets."""

    id: int
    repository: str
    coordinates: Coordinates
    attributes: Attributes
    assets: Sequence[Asset]
    created: datetime
    updated: datetime
    published: datetime | None = None
    prerelease: bool = False

    @property
    def namespace(self) -> str:
        return self.coordinates.namespace

    @property
    def name(self) -> str:
        return self.coordinates.name

    @property
    def version(self) -> str:
        return self.coordinates.version

    @property
    def asset(self) -> Asset:
        """The first asset, for formats whose components have one."""
        return self.assets[0]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the bytes of a file say of themselves: about the component, and about this one asset.

    Component facts are merged over those already known; asset facts replace them.
    `published` is the publication time that upstream or the file itself states.
    """

    component: Attributes = field(default_factory=dict)
    asset: Attributes = field(default_factory=dict)
    published: datetime | None = None


NO_FACTS = Facts()


@dataclass(frozen=True, slots=True)
class Query:
    """Which components feed a document. `None` means "any".

    `text` looks into names and descriptions, `packages` wants each (namespace, name) once, without versions,
    attributes and assets, `attributes` compares top-level members of the component's attributes for equality.
    """

    namespace: str | None = None
    name: str | None = None
    version: str | None = None
    attributes: Attributes = field(default_factory=dict)
    text: str | None = None
    packages: bool = False
    assets: bool = True
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a proxy finds the bytes: a path below the remote URL, or an absolute URL.

    A location with a query of its own is asked for as it is; others get the document's parameters of the request.
    `digests` (algorithm → lower-case hex) are promises that are checked before the copy is kept. `otherwise` is asked
    for when there is nothing at the location.
    """

    location: str
    digests: Mapping[str, str] = field(default_factory=dict)
    size: int | None = None
    published: datetime | None = None
    otherwise: str = ""
