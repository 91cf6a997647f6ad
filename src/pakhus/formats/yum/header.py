"""The headers of an RPM package, read within bounds; its payload is hashed and never unpacked.

Source: rpm.org, "RPM V4 Package format" (lead, signature, header, index entries, digests) and "RPM Tags".
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from pakhus.domain.errors import BadPackage

LEAD, LEAD_MAGIC = 96, b"\xed\xab\xee\xdb"
MAGIC = b"\x8e\xad\xe8\x01\0\0\0\0"
ENTRY, PREAMBLE = 16, 16
CHUNK = 1 << 20
MAX_ENTRIES = 4_096
MAX_STORE = 64 << 20
MAX_ITEMS = 500_000
"""Values of one tag: the largest packages have some hundred thousand files."""

NUMBERS = {2: "B", 3: "H", 4: "I", 5: "Q"}
BINARY, STRING, STRINGS, I18N = 7, 6, 8, 9

# Tags of the signature header; those below 1000 mean the same in both.
SIG_SIZE, SIG_MD5, SIG_PAYLOAD_SIZE = 1000, 1004, 1007
LONG_SIG_SIZE, LONG_ARCHIVE_SIZE, HEADER_SHA1, HEADER_SHA256 = 270, 271, 269, 273
PAYLOAD_DIGEST, PAYLOAD_DIGEST_ALGORITHM = 5092, 5093
ALGORITHMS = {8: "sha256", 9: "sha384", 10: "sha512", 11: "sha224"}
"""RFC 9580, section 9.5."""


class Header:
    """One header: its values by tag. What a value is not, or lies outside of it, is a `BadPackage`."""

    def __init__(self, preamble: bytes, index: bytes, store: bytes) -> None:
        self._store = store
        self._entries: dict[int, tuple[int, int, int]] = {}
        self.size = len(preamble) + len(index) + len(store)
        for tag, kind, offset, count in struct.iter_unpack(">IIII", index):
            if offset > len(store) or count > max(len(store), 1):
                raise BadPackage(f"the RPM header is corrupt: tag {tag} lies outside of it")
            self._entries.setdefault(tag, (kind, offset, count))

    def __contains__(self, tag: int) -> bool:
        return tag in self._entries

    def text(self, tag: int) -> str:
        """The first of its strings, empty when there is none."""
        found = self._strings(tag, first=True)
        return found[0] if found else ""

    def texts(self, tag: int) -> list[str]:
        return self._strings(tag)

    def number(self, tag: int) -> int | None:
        found = self.numbers(tag)
        return found[0] if found else None

    def numbers(self, tag: int) -> tuple[int, ...]:
        entry = self._entries.get(tag)
        if entry is None:
            return ()
        kind, offset, count = entry
        if kind not in NUMBERS or count > MAX_ITEMS:
            raise BadPackage(f"the RPM header is corrupt: tag {tag} is not a list of numbers")
        try:
            return struct.unpack_from(f">{count}{NUMBERS[kind]}", self._store, offset)
        except struct.error as error:
            raise BadPackage(f"the RPM header is corrupt: tag {tag} lies outside of it") from error

    def binary(self, tag: int) -> bytes:
        entry = self._entries.get(tag)
        if entry is None or entry[0] != BINARY:
            return b""
        return self._store[entry[1] : entry[1] + entry[2]]

    def _strings(self, tag: int, *, first: bool = False) -> list[str]:
        entry = self._entries.get(tag)
        if entry is None:
            return []
        kind, offset, count = entry
        if kind not in (STRING, STRINGS, I18N) or count > MAX_ITEMS:
            raise BadPackage(f"the RPM header is corrupt: tag {tag} is not a list of strings")
        found = []
        for _ in range(1 if first or kind == STRING else count):
            end = self._store.find(b"\0", offset)
            if end < 0:
                raise BadPackage(f"the RPM header is corrupt: tag {tag} lies outside of it")
            found.append(_decoded(self._store[offset:end]))
            offset = end + 1
        return found


def _decoded(text: bytes) -> str:
    """UTF-8, or what old packages have instead."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


@dataclass(frozen=True, slots=True)
class Headers:
    """Both headers of a package; the main one stands at the bytes from `start` to before `end`."""

    signature: Header
    main: Header
    start: int
    end: int


def read_headers(body: BinaryIO) -> Headers:
    """The headers of a package that is whole: sizes and digests are checked. Raises `BadPackage`. Blocks."""
    lead = body.read(LEAD)
    if len(lead) < LEAD or not lead.startswith(LEAD_MAGIC):
        raise BadPackage("the file is not an RPM package: it has no RPM lead")
    signature, _ = _read_header(body, "signature")
    padding = -signature.size % 8
    if len(body.read(padding)) != padding:
        raise BadPackage("the RPM package is truncated in its signature")
    start = LEAD + signature.size + padding
    main, raw = _read_header(body, "header")
    _check_header(signature, raw)
    _check_payload(signature, main, raw, body)
    return Headers(signature, main, start, start + main.size)


def _read_header(body: BinaryIO, what: str) -> tuple[Header, bytes]:
    preamble = body.read(PREAMBLE)
    if len(preamble) < PREAMBLE:
        raise BadPackage(f"the RPM package is truncated in its {what}")
    if not preamble.startswith(MAGIC):
        raise BadPackage(f"the RPM package has no {what} where one belongs")
    entries, size = struct.unpack(">II", preamble[8:])
    if not 0 < entries <= MAX_ENTRIES or size > MAX_STORE:
        raise BadPackage(f"the RPM package states a {what} of {entries} entries and {size} bytes")
    rest = body.read(entries * ENTRY + size)
    if len(rest) < entries * ENTRY + size:
        raise BadPackage(f"the RPM package is truncated in its {what}")
    return Header(preamble, rest[: entries * ENTRY], rest[entries * ENTRY :]), preamble + rest


def _check_header(signature: Header, raw: bytes) -> None:
    for tag, algorithm in ((HEADER_SHA256, "sha256"), (HEADER_SHA1, "sha1")):
        promised = signature.text(tag)
        if promised and promised.lower() != hashlib.new(algorithm, raw, usedforsecurity=False).hexdigest():
            raise BadPackage(f"the RPM package is corrupt: its header has not the {algorithm} that it states")


def _check_payload(signature: Header, main: Header, raw: bytes, body: BinaryIO) -> None:
    """The payload's own digest, the MD5 over header and payload, and the size of both: those that are stated."""
    promised = _promises(signature, main)
    if not promised:
        raise BadPackage("the RPM package states no digest of its payload")
    digests = {name: hashlib.new(algorithm, usedforsecurity=False) for name, (algorithm, _) in promised.items()}
    if "md5" in digests:
        digests["md5"].update(raw)
    size = len(raw)
    while chunk := body.read(CHUNK):
        size += len(chunk)
        for digest in digests.values():
            digest.update(chunk)
    stated = signature.number(LONG_SIG_SIZE) or signature.number(SIG_SIZE)
    if stated is not None and stated != size:
        what = "truncated" if size < stated else "longer than it should be"
        raise BadPackage(f"the RPM package is {what}: {size} bytes after its signature, not {stated}")
    for name, (algorithm, value) in promised.items():
        if digests[name].hexdigest() != value:
            raise BadPackage(f"the RPM package is corrupt: its {name} has not the {algorithm} that it states")


def _promises(signature: Header, main: Header) -> Mapping[str, tuple[str, str]]:
    """What is vouched for → algorithm and value."""
    found: dict[str, tuple[str, str]] = {}
    payload, algorithm = main.text(PAYLOAD_DIGEST), ALGORITHMS.get(main.number(PAYLOAD_DIGEST_ALGORITHM) or 8)
    if payload and algorithm:
        found["payload"] = (algorithm, payload.lower())
    if md5 := signature.binary(SIG_MD5):
        found["md5"] = ("md5", md5.hex())
    return found
