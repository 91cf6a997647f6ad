"""RPM packages as bytes, made without rpmbuild: headers that say what a test wants, and a payload of no meaning."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

INT16, INT32, STRING, BINARY, STRINGS, I18N = 3, 4, 6, 7, 8, 9
LEAD = b"\xed\xab\xee\xdb\3\0".ljust(78, b"\0") + b"\0\5" + bytes(16)
MAGIC = b"\x8e\xad\xe8\x01\0\0\0\0"
SIGNATURE, MAIN = 62, 63
"""The tags of the regions."""
DEPENDENCIES = {
    "provides": (1047, 1112, 1113),
    "requires": (1049, 1048, 1050),
    "conflicts": (1054, 1053, 1055),
    "obsoletes": (1090, 1114, 1115),
    "recommends": (5046, 5048, 5047),
    "suggests": (5049, 5051, 5050),
    "supplements": (5052, 5054, 5053),
    "enhances": (5055, 5057, 5056),
}
EQUAL = 8


@dataclass(frozen=True)
class Relation:
    name: str
    flags: int = 0
    version: str = ""


def header(values: Mapping[int, tuple[int, Any]], region: int) -> bytes:
    """A header of these tags: (type, value), all in one region, as packages have them since version 4."""
    index, store = b"", b""
    for tag, (kind, value) in sorted(values.items()):
        if kind in (INT16, INT32):
            width, letter = (2, "H") if kind == INT16 else (4, "I")
            store += b"\0" * (-len(store) % width)
            encoded, count = struct.pack(f">{len(value)}{letter}", *value), len(value)
        elif kind == BINARY:
            encoded, count = value, len(value)
        else:
            texts = [value] if isinstance(value, str) else value
            encoded, count = b"".join(text.encode() + b"\0" for text in texts), len(texts)
        index += struct.pack(">IIII", tag, kind, len(store), count)
        store += encoded
    size = (len(values) + 1) * 16
    index = struct.pack(">IIII", region, BINARY, len(store), 16) + index
    store += struct.pack(">IIiI", region, BINARY, -size, 16)
    return MAGIC + struct.pack(">II", len(values) + 1, len(store)) + index + store


def rpm(
    name: str,
    version: str = "1.0",
    release: str = "1",
    arch: str = "noarch",
    *,
    epoch: int | None = None,
    files: Sequence[tuple[str, int, int]] = (),
    relations: Mapping[str, Sequence[Relation]] | None = None,
    changelogs: Sequence[tuple[int, str, str]] = (),
    payload: bytes = b"no archive",
    more: Mapping[int, tuple[int, Any]] | None = None,
) -> bytes:
    """The bytes of a package. `files` are (path, mode, flags); `more` are further tags, or other values of these."""
    whole = version if epoch is None else f"{epoch}:{version}"
    values: dict[int, tuple[int, Any]] = {
        1000: (STRING, name),
        1001: (STRING, version),
        1002: (STRING, release),
        1004: (I18N, [f"The package {name}"]),
        1005: (I18N, [f"All about\n{name} & more"]),
        1006: (INT32, [1_600_000_000]),
        1007: (STRING, "builder.example.org"),
        1009: (INT32, [1234]),
        1014: (STRING, "MIT"),
        1016: (I18N, ["Unspecified"]),
        1020: (STRING, "https://example.org/"),
        1022: (STRING, arch),
        1044: (STRING, f"{name}-{version}-{release}.src.rpm"),
        5092: (STRINGS, [hashlib.sha256(payload).hexdigest()]),
        5093: (INT32, [8]),
    }
    if epoch is not None:
        values[1003] = (INT32, [epoch])
    own = {"provides": [Relation(name, EQUAL, f"{whole}-{release}")], **(relations or {})}
    for kind, entries in own.items():
        names, flags, versions = DEPENDENCIES[kind]
        values[names] = (STRINGS, [each.name for each in entries])
        values[flags] = (INT32, [each.flags for each in entries])
        values[versions] = (STRINGS, [each.version for each in entries])
    if files:
        folders = sorted({path.rpartition("/")[0] + "/" for path, _, _ in files})
        values[1030] = (INT16, [mode for _, mode, _ in files])
        values[1037] = (INT32, [flags for _, _, flags in files])
        values[1116] = (INT32, [folders.index(path.rpartition("/")[0] + "/") for path, _, _ in files])
        values[1117] = (STRINGS, [path.rpartition("/")[2] for path, _, _ in files])
        values[1118] = (STRINGS, folders)
    if changelogs:
        values[1080] = (INT32, [time for time, _, _ in changelogs])
        values[1081] = (STRINGS, [author for _, author, _ in changelogs])
        values[1082] = (STRINGS, [text for _, _, text in changelogs])
    return assembled(header({**values, **(more or {})}, MAIN), payload)


def assembled(main: bytes, payload: bytes, **signature: tuple[int, Any]) -> bytes:
    """Lead, signature, header and payload; what the signature states is right unless said otherwise (`t1004=…`)."""
    md5 = hashlib.md5(main, usedforsecurity=False)
    md5.update(payload)
    stated: dict[int, tuple[int, Any]] = {
        269: (STRING, hashlib.sha1(main, usedforsecurity=False).hexdigest()),
        273: (STRING, hashlib.sha256(main).hexdigest()),
        1000: (INT32, [len(main) + len(payload)]),
        1004: (BINARY, md5.digest()),
        1007: (INT32, [len(payload) * 2]),
    }
    signed = header({**stated, **{int(tag[1:]): value for tag, value in signature.items()}}, SIGNATURE)
    return b"".join((LEAD, signed, b"\0" * (-len(signed) % 8), main, payload))
