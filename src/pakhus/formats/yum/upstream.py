"""Reading the metadata of an upstream: which files its `repomd.xml` names, and the packages and documents in them.

The XML of each package is taken over as it is: a group says of it what the upstream says.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import unescape
from xml.etree.ElementTree import Element

from pakhus.domain.errors import Invalid, UpstreamRefused
from pakhus.formats.yum import slices
from pakhus.formats.yum.compressed import pieces, whole
from pakhus.formats.yum.documents import KINDS, MAX_DOCUMENT
from pakhus.formats.yum.index import LISTS, NAMESPACES, RPM_NAMESPACE
from pakhus.formats.yum.layout import REPODATA
from pakhus.formats.yum.listed import Fragments, Identity
from pakhus.kit.compressed import zstd
from pakhus.kit.paths import flaw
from pakhus.kit.wire import parse_xml

MAX_LIST = 4 << 30
MAX_PACKAGES = 1_000_000
LEVEL = 1
ALGORITHMS = {"sha": "sha1", "sha1": "sha1", "md5": "md5"} | {f"sha{n}": f"sha{n}" for n in (224, 256, 384, 512)}
WANTED = (*LISTS, *KINDS)

_QUOTED = rb"""=\s*(?:"([^"]*)"|'([^']*)')"""
_NAME, _ARCH = re.compile(rb"<name>([^<]*)</name\s*>"), re.compile(rb"<arch>([^<]*)</arch\s*>")
_VERSION, _LOCATION = re.compile(rb"<version\s[^>]*>"), re.compile(rb"<location\s[^>]*>")
_CHECKSUM = re.compile(rb"<checksum\s[^>]*>\s*([0-9a-fA-F]+)\s*</checksum\s*>")
_PACKAGE = re.compile(rb"<package\s[^>]*>")
_ATTRIBUTES = {
    name: re.compile(rb"\s" + name.encode() + rb"\s*" + _QUOTED)
    for name in ("epoch", "ver", "rel", "href", "xml:base", "pkgid", "type")
}


@dataclass(frozen=True, slots=True)
class Record:
    """A file that `repomd.xml` names; `path` is relative to the folder of the repository."""

    path: str
    algorithm: str
    digest: str


def records(entry: bytes) -> Mapping[str, Record]:
    """Type → its file. Raises `Invalid`; what lies elsewhere or is not understood is left out."""
    root = parse_xml(entry)
    if _local(root) != "repomd":
        raise Invalid("this is no repomd.xml")
    found: dict[str, Record] = {}
    for each in root:
        kind, location, checksum = each.get("type", ""), each.find("{*}location"), each.find("{*}checksum")
        if _local(each) != "data" or kind not in WANTED or location is None or checksum is None:
            continue
        path, algorithm = location.get("href", ""), ALGORITHMS.get(checksum.get("type", ""))
        elsewhere = any(name.endswith("}base") for name in location.attrib)
        if algorithm and path.startswith(REPODATA) and not elsewhere and not flaw(path):
            found.setdefault(kind, Record(path, algorithm, (checksum.text or "").strip().lower()))
    return found


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


@dataclass(frozen=True, slots=True)
class TakenOver:
    """A package of an upstream, its XML in compressed form."""

    identity: Identity
    path: str
    kept: bytes

    def fragments(self) -> Fragments:
        return Fragments(*zstd.decompress(self.kept).split(b"\0"))


def contents(entry: bytes, files: Mapping[str, bytes]) -> tuple[list[TakenOver], list[tuple[str, bytes]]]:
    """The packages and documents; `files` are by paths as in `records`. Raises `Invalid`, `UpstreamRefused`."""
    named = records(entry)
    if "primary" not in named:
        raise UpstreamRefused("the upstream's repomd.xml names no list of packages")
    for record in named.values():
        _check(record, files)
    documents = [(kind, whole(files[named[kind].path], MAX_DOCUMENT)) for kind in KINDS if kind in named]
    for kind, body in documents:
        KINDS[kind].check(body)
    further = {kind: _by_pkgid(files, named, kind) for kind in ("filelists", "other")}
    return list(_packages(files[named["primary"].path], further)), documents


def _check(record: Record, files: Mapping[str, bytes]) -> None:
    content = files.get(record.path)
    if content is None:
        raise UpstreamRefused(f"the upstream names {record.path} and does not have it")
    if hashlib.new(record.algorithm, content, usedforsecurity=False).hexdigest() != record.digest:
        raise UpstreamRefused(f"the upstream's {record.path} is not what its repomd.xml says")


def _elements(content: bytes, kind: str) -> Iterator[bytes]:
    prefixes = {NAMESPACES[kind]: "", RPM_NAMESPACE: "rpm"}
    for count, each in enumerate(slices.elements(lambda: pieces(content, MAX_LIST), "package", prefixes)):
        if count >= MAX_PACKAGES:
            raise UpstreamRefused(f"the upstream lists more than {MAX_PACKAGES} packages")
        yield each


def _by_pkgid(files: Mapping[str, bytes], named: Mapping[str, Record], kind: str) -> Mapping[bytes, bytes]:
    if kind not in named:
        return {}
    found = {}
    for each in _elements(files[named[kind].path], kind):
        start = _PACKAGE.match(each)
        found[_attribute(start[0] if start else b"", "pkgid")] = zstd.compress(each, LEVEL)
    return found


def _packages(primary: bytes, further: Mapping[str, Mapping[bytes, bytes]]) -> Iterator[TakenOver]:
    for each in _elements(primary, "primary"):
        version, location = _found(_VERSION, each), _found(_LOCATION, each)
        name, arch, digest = (_found(pattern, each, 1) for pattern in (_NAME, _ARCH, _CHECKSUM))
        evr = [_text(_attribute(version, part)) for part in ("epoch", "ver", "rel")]
        identity = Identity(_text(name), evr[0] or "0", evr[1], evr[2], _text(arch))
        start = b'<package pkgid="%b" name="%b" arch="%b">%b</package>' % (digest, name, arch, version)
        kept = [zstd.decompress(found) if (found := further[kind].get(digest)) else start for kind in further]
        path = _text(_attribute(location, "xml:base")) + _text(_attribute(location, "href"))
        yield TakenOver(identity, path, zstd.compress(b"\n\0".join([each, *kept]) + b"\n", LEVEL))


def digests(primary: bytes) -> Iterator[tuple[str, str, str]]:
    """Path, algorithm and digest of each package of the list. Raises `Invalid`."""
    for each in _elements(primary, "primary"):
        checksum = _CHECKSUM.search(each)
        location = _found(_LOCATION, each)
        algorithm = ALGORITHMS.get(_text(_attribute(checksum[0], "type"))) if checksum else None
        if checksum is not None and algorithm and not _attribute(location, "xml:base"):
            yield _text(_attribute(location, "href")), algorithm, checksum[1].decode().lower()


def _found(pattern: re.Pattern[bytes], element: bytes, group: int = 0) -> bytes:
    found = pattern.search(element)
    if found is None:
        raise Invalid("a package of the list lacks its name, version, architecture, digest or location")
    return found[group]


def _attribute(tag: bytes, name: str) -> bytes:
    found = _ATTRIBUTES[name].search(tag)
    return b"" if found is None else found[1] or found[2] or b""


def _text(written: bytes) -> str:
    return unescape(written.decode())
