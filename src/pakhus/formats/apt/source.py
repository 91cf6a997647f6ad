"""Source packages (dsc(5)): a `.dsc` and the archives that it names, which come in any order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from pakhus.domain.content import Digests
from pakhus.domain.errors import BadPackage, DigestMismatch
from pakhus.formats.apt import control
from pakhus.formats.apt.control import Fields
from pakhus.formats.apt.deb import NAME
from pakhus.formats.apt.versions import VERSION, without_epoch

DSC_FILE = re.compile(r"(?P<name>[^_/]+)_(?P<version>[^_/]+)\.dsc")
LARGEST_DSC = 1 << 20
MOST_PARTS = 1000
ARMOR = re.compile(
    rb"-----BEGIN PGP SIGNED MESSAGE-----\n(?:[^\n]+\n)*\n(?P<text>.*?)\n-----BEGIN PGP SIGNATURE-----", re.DOTALL
)
DROPPED = frozenset({"source", "files", "checksums-sha1", "checksums-sha256", "checksums-sha512"})
LINE = re.compile(r"\s*(?P<digest>[0-9a-fA-F]+)\s+(?P<size>[0-9]+)\s+(?P<name>[^\s/]+)\s*")
SUMS = (("checksums-sha256", 64), ("checksums-sha1", 40), ("files", 32))


@dataclass(frozen=True, slots=True)
class Part:
    """A file that a source package consists of, with the digests that the `.dsc` has of it (length → digest)."""

    name: str
    size: int
    digests: Mapping[int, str]

    def check(self, size: int, digests: Digests) -> None:
        """Raise `DigestMismatch` unless the file is the one that is meant."""
        found = {64: digests.sha256, 40: digests.sha1, 32: digests.md5}
        if size != self.size or any(found[length] != promised for length, promised in self.digests.items()):
            raise DigestMismatch(f"{self.name} is not the file that its .dsc names")

    @property
    def sha256(self) -> str:
        return self.digests[64]


@dataclass(frozen=True, slots=True)
class Dsc:
    text: str
    fields: Fields
    parts: tuple[Part, ...]

    @property
    def name(self) -> str:
        return self.fields["source"]

    @property
    def version(self) -> str:
        return self.fields["version"]

    @property
    def filename(self) -> str:
        return f"{self.name}_{without_epoch(self.version)}.dsc"

    def stanza(self, folder: str, size: int, digests: Digests) -> str:
        """A paragraph of `Sources`."""
        files = [(each.name, each.size, each.digests) for each in self.parts]
        files.append((self.filename, size, {64: digests.sha256, 40: digests.sha1, 32: digests.md5}))
        lines = [f"Package: {self.name}", control.without(self.text, DROPPED), f"Directory: {folder}"]
        for title, length in (("Files", 32), ("Checksums-Sha1", 40), ("Checksums-Sha256", 64)):
            if all(length in each for _, _, each in files):
                lines += [f"{title}:", *(f" {sums[length]} {size} {name}" for name, size, sums in files)]
        return "\n".join(lines)


def read_dsc(body: BinaryIO) -> Dsc:
    """A `.dsc`, signed or not. Raises `BadPackage`."""
    content = body.read(LARGEST_DSC + 1)
    if len(content) > LARGEST_DSC:
        raise BadPackage(f"the .dsc has more than {LARGEST_DSC} bytes")
    content = content.replace(b"\r\n", b"\n")
    signed = ARMOR.search(content)
    if signed is not None:
        content = re.sub(rb"^- ", b"", signed["text"], flags=re.M)
    text, fields = control.single(content, "the .dsc")
    for name, pattern in (("source", NAME), ("version", VERSION)):
        if not pattern.fullmatch(fields.get(name, "")):
            raise BadPackage(f"the .dsc has no {name} that Debian allows")
    return Dsc(text, fields, tuple(_parts(fields)))


def check_filename(dsc: Dsc, filename: str) -> None:
    if filename != dsc.filename:
        raise BadPackage(f"{filename} does not agree with its content, which is {dsc.filename}")


def _parts(fields: Fields) -> Iterable[Part]:
    sizes: dict[str, int] = {}
    digests: dict[str, dict[int, str]] = {}
    for field, length in SUMS:
        for line in fields.get(field, "").split("\n"):
            if not line.strip():
                continue
            found = LINE.fullmatch(line)
            if found is None or len(found["digest"]) != length:
                raise BadPackage(f"{line.strip()[:80]!r} of the .dsc is not a digest, a size and a file name")
            size = int(found["size"])
            if sizes.setdefault(found["name"], size) != size:
                raise BadPackage(f"the .dsc has two sizes of {found['name']}")
            digests.setdefault(found["name"], {})[length] = found["digest"].lower()
    if not sizes or len(sizes) > MOST_PARTS:
        raise BadPackage("the .dsc names no files" if not sizes else "the .dsc names too many files")
    weak = [name for name, known in digests.items() if 64 not in known]
    if weak:
        raise BadPackage(f"the .dsc has no SHA-256 of {weak[0]}")
    return [Part(name, size, digests[name]) for name, size in sizes.items()]
