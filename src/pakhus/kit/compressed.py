"""Compressed streams, read forwards: gzip, bzip2, xz, lzma and Zstandard, by their first bytes, or plain."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Protocol

from pakhus.domain.errors import BadPackage

if TYPE_CHECKING or sys.version_info < (3, 14):
    from backports import zstd
else:
    from compression import zstd

CHUNK = 1 << 16
MAX_XZ_MEMORY = 256 << 20


class Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class CorruptError(Exception):
    """The stream is not what its format demands."""


CORRUPT = (EOFError, zlib.error, gzip.BadGzipFile, CorruptError)


class _Streams:
    """Concatenated compressed streams, read as one; never more than asked for is decompressed."""

    def __init__(self, body: BinaryIO, start: Callable[[], _Decompressor]) -> None:
        self._body, self._start, self._current = body, start, start()

    def read(self, size: int, /) -> bytes:
        while True:
            given = b""
            if self._current.eof:
                given = (self._current.unused_data or self._body.read(CHUNK)).lstrip(b"\0")
                if not given:
                    if not self._body.read(1):
                        return b""
                    self._body.seek(-1, 1)
                    continue
                self._current = self._start()
            elif self._current.needs_input:
                given = self._body.read(CHUNK)
                if not given:
                    raise EOFError("the compressed stream ends early")
            try:
                out = self._current.decompress(given, size)
            except (OSError, ValueError, lzma.LZMAError, zstd.ZstdError) as error:
                raise CorruptError(str(error)) from error
            if out:
                return out


def decompressed(magic: bytes, body: BinaryIO) -> Source | None:
    """The decompressed body by its first bytes, `None` if it is not compressed. Reading it may raise `CORRUPT`."""
    if magic.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=body, mode="rb")
    if magic.startswith(b"BZh"):
        return _Streams(body, bz2.BZ2Decompressor)
    if magic.startswith((b"\xfd7zXZ\0", b"\x5d\0\0")):
        return _Streams(body, lambda: lzma.LZMADecompressor(memlimit=MAX_XZ_MEMORY))
    if magic.startswith(b"\x28\xb5\x2f\xfd") or re.match(rb"[\x50-\x5f]\x2a\x4d\x18", magic):
        return _Streams(body, zstd.ZstdDecompressor)
    return None


@contextmanager
def opened_stream(body: BinaryIO) -> Iterator[Source]:
    """The bytes from here on, decompressed as they are read, or as they are. Raises `BadPackage`."""
    magic = body.read(6)
    body.seek(-len(magic), 1)
    try:
        yield decompressed(magic, body) or body
    except CORRUPT as error:
        raise BadPackage(f"the document is truncated or corrupt: {error}") from error


__all__ = ["CHUNK", "CORRUPT", "Source", "decompressed", "opened_stream", "zstd"]
