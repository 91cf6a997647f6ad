"""The encodings of an index: written so that a publication is soon done, read with a bound."""

from __future__ import annotations

import bz2
import io
import lzma
import sys
import zlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pakhus.domain.errors import BadPackage

if TYPE_CHECKING or sys.version_info < (3, 14):
    from backports import zstd
else:
    from compression import zstd

LARGEST = 1 << 30
CHUNK = 1 << 20
XZ_PRESET = 0
"""A stronger preset takes ten times as long for a fifth less: every upload would wait for it."""

ENCODERS: Mapping[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    ".gz": lambda data: _gzip(data),
    ".xz": lambda data: lzma.compress(data, preset=XZ_PRESET),
    ".zst": lambda data: zstd.compress(data, 3),
}
READABLE = (".xz", ".zst", ".gz", ".bz2", "")
"""What is asked of an upstream, best first."""


def _gzip(data: bytes) -> bytes:
    """The same bytes for the same data, whenever it is called: without a time."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


def plain(path: str, data: bytes, limit: int = LARGEST) -> bytes:
    """The decoded index, by the ending of its name. Raises `BadPackage`."""
    ending = next((each for each in READABLE if each and path.endswith(each)), "")
    try:
        return _unpacked(ending, data, limit)
    except (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error, zstd.ZstdError) as error:
        raise BadPackage(f"{path} cannot be unpacked: {error}") from error


def _unpacked(ending: str, data: bytes, limit: int) -> bytes:
    source = io.BytesIO(data)
    if ending == "":
        return data
    if ending == ".gz":
        return _gunzipped(data, limit)
    opened = {".xz": lzma.LZMAFile, ".bz2": bz2.BZ2File, ".zst": zstd.ZstdFile}[ending](source)
    out = bytearray()
    while piece := opened.read(CHUNK):
        out += piece
        _bound(len(out), limit)
    return bytes(out)


def _gunzipped(data: bytes, limit: int) -> bytes:
    unpacker = zlib.decompressobj(31)
    out = bytearray(unpacker.decompress(data, limit + 1))
    _bound(len(out), limit)
    if not unpacker.eof:
        raise EOFError("it ends early")
    return bytes(out)


def _bound(size: int, limit: int) -> None:
    if size > limit:
        raise ValueError(f"it unpacks to more than {limit} bytes")
