"""A package as the lists tell of it: kept with its asset in compact form, or taken over from an upstream's lists.

An asset's attributes carry the XML of its package ready for use, so that no publication opens a package again. Digest,
size, time and place are not part of it: the asset has them.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Protocol

from pakhus.domain.content import Asset
from pakhus.formats.yum import elements
from pakhus.formats.yum.elements import escaped
from pakhus.formats.yum.package import Package
from pakhus.kit.compressed import zstd

RPM = "rpm"
"""The attribute of an asset that is a package."""
LEVEL = 5
SEPARATOR = "\0"
"""No XML has it."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Name, epoch, version, release, architecture: of two packages with the same, a client installs either."""

    name: str
    epoch: str
    version: str
    release: str
    arch: str


@dataclass(frozen=True, slots=True)
class Fragments:
    """A package in each of the three lists, as UTF-8."""

    primary: bytes
    filelists: bytes
    other: bytes


class Listed(Protocol):
    """`path` is relative to the folder in which `repodata/` lies."""

    @property
    def identity(self) -> Identity: ...
    @property
    def path(self) -> str: ...
    def fragments(self) -> Fragments: ...


@dataclass(frozen=True, slots=True)
class Held:
    """A package that lies in the repository itself."""

    identity: Identity
    path: str
    sha256: str
    size: int
    time: int
    built: int
    installed: int
    archive: int
    xml: bytes

    def fragments(self) -> Fragments:
        about, details, files, changelogs = zstd.decompress(self.xml).decode().split(SEPARATOR)
        who, name = self.identity, escaped(self.identity.name)
        version = f'<version epoch="{who.epoch}" ver="{escaped(who.version)}" rel="{escaped(who.release)}"/>'
        start = f'<package pkgid="{self.sha256}" name="{name}" arch="{who.arch}">\n  {version}\n'
        primary = (
            f'<package type="rpm">\n  <name>{name}</name>\n  <arch>{who.arch}</arch>\n  {version}\n'
            f'  <checksum type="sha256" pkgid="YES">{self.sha256}</checksum>\n  {about}\n'
            f'  <time file="{self.time}" build="{self.built}"/>\n'
            f'  <size package="{self.size}" installed="{self.installed}" archive="{self.archive}"/>\n'
            f'  <location href="{escaped(self.path)}"/>\n  {details}\n</package>\n'
        )
        return Fragments(
            primary.encode(),
            f"{start}{_lines(files)}</package>\n".encode(),
            f"{start}{_lines(changelogs)}</package>\n".encode(),
        )


def _lines(text: str) -> str:
    return text + "\n" if text else ""


def kept_of(package: Package) -> dict[str, Any]:
    """What an asset keeps of its package, as JSON values."""
    parts = (
        elements.about(package),
        elements.details(package),
        elements.file_list(package),
        elements.changelogs(package),
    )
    return {
        "name": package.name,
        "epoch": package.epoch,
        "version": package.version,
        "release": package.release,
        "arch": package.arch,
        "built": package.build_time,
        "installed": package.installed_size,
        "archive": package.archive_size,
        "xml": packed(SEPARATOR.join(parts)),
    }


def held(asset: Asset, base: str) -> Held | None:
    """The package that an asset below the folder `base` is, if it is one."""
    kept = asset.attributes.get(RPM)
    if kept is None or not asset.path.startswith(base):
        return None
    return Held(
        Identity(kept["name"], kept["epoch"], kept["version"], kept["release"], kept["arch"]),
        asset.path[len(base) :],
        asset.blob.digests.sha256,
        asset.blob.size,
        int(asset.updated.timestamp()),
        kept["built"],
        kept["installed"],
        kept["archive"],
        base64.b64decode(kept["xml"]),
    )


def packed(text: str) -> str:
    """A text for a JSON value, compressed."""
    return base64.b64encode(zstd.compress(text.encode(), LEVEL)).decode()


def unpacked(kept: str) -> str:
    """What `packed` was given."""
    return zstd.decompress(base64.b64decode(kept)).decode()
