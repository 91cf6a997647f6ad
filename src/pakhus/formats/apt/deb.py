"""Binary packages (deb(5)): what the control file says, and which files are inside."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import unquote

from pakhus.domain.errors import BadPackage
from pakhus.formats.apt import ar, control
from pakhus.formats.apt.control import Fields
from pakhus.formats.apt.versions import VERSION, without_epoch
from pakhus.kit.archives import Limits, read_tar, tar_names

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*")
ARCHITECTURE = re.compile(r"[a-z0-9][a-z0-9-]*")
FILE = re.compile(r"(?P<name>[^_/]+)_(?P<version>[^_/]+)_(?P<architecture>[^_/]+)\.[ud]?deb")
CONTROL = Limits(entries=10_000, member=4 << 20, total=64 << 20)
MOST_FILES = 500_000
LEAST_UNPACKED = 1 << 30
RATIO = 200
"""A package may unpack to a GiB, or to this many times its size: beyond, it is taken for a bomb."""


@dataclass(frozen=True, slots=True)
class Deb:
    """A package: its control paragraph as written, its fields, and the paths of its files."""

    text: str
    fields: Fields
    files: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.fields["package"]

    @property
    def version(self) -> str:
        return self.fields["version"]

    @property
    def architecture(self) -> str:
        return self.fields["architecture"]

    @property
    def source(self) -> str:
        """The source package that it was built from (`Source: name (version)`)."""
        return self.fields.get("source", "").partition("(")[0].strip() or self.name

    def filename(self, suffix: str) -> str:
        return f"{self.name}_{without_epoch(self.version)}_{self.architecture}{suffix}"


def read_deb(body: BinaryIO) -> Deb:
    """A package of format 2.x. Raises `BadPackage`."""
    text, fields = "", None
    for position, (name, content, size) in enumerate(ar.members(body)):
        if position == 0:
            _check_version(name, content.read(16))
        elif name.startswith("control.tar"):
            text, fields = _control(content)
        elif name.startswith("data.tar"):
            if fields is None:
                raise BadPackage("the package has its data before its control file")
            limits = Limits(entries=MOST_FILES, total=max(LEAST_UNPACKED, RATIO * size))
            files = tar_names(content, limits) if size else []
            return Deb(text, fields, tuple(_path(each) for each in files))
    raise BadPackage("the package is truncated: it has no data" if fields else "the package has no control file")


def check_filename(deb: Deb, filename: str) -> None:
    """Raise `BadPackage` if a file name of the usual form tells of another package than the control file."""
    said = FILE.fullmatch(unquote(filename))
    if said is None:
        return
    found = (deb.name, without_epoch(deb.version), deb.architecture)
    if (said["name"], without_epoch(said["version"]), said["architecture"]) != found:
        raise BadPackage(f"{filename} does not agree with its control file, which says {' '.join(found)}")


def _check_version(name: str, content: bytes) -> None:
    if name != "debian-binary" or not content.startswith(b"2."):
        raise BadPackage("not a Debian package of format 2")


def _control(content: BinaryIO) -> tuple[str, Fields]:
    found = read_tar(content, lambda name: name in ("control", "./control"), CONTROL, first_only=True)
    if not found:
        raise BadPackage("the package has no control file")
    text, fields = control.single(next(iter(found.values())), "the control file")
    for name, pattern in (("Package", NAME), ("Version", VERSION), ("Architecture", ARCHITECTURE)):
        value = fields.get(name.lower())
        if value is None:
            raise BadPackage(f"the control file has no {name}")
        if not pattern.fullmatch(value):
            raise BadPackage(f"{value[:80]!r} is not a {name.lower()} that Debian allows")
    if fields["architecture"] == "source":
        raise BadPackage("a binary package cannot have the architecture 'source'")
    return text, fields


def _path(name: str) -> str:
    return name.removeprefix("./").lstrip("/")
