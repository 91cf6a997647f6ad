"""The ar archive that a .deb is (deb(5)): members one after the other, each with a header of 60 bytes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

from pakhus.domain.errors import BadPackage

MAGIC = b"!<arch>\n"
HEADER = 60
MOST_MEMBERS = 64


class Part(io.RawIOBase):
    """A stretch of a seekable file, read like a file of its own."""

    def __init__(self, body: BinaryIO, start: int, size: int) -> None:
        self._body, self._start, self._size = body, start, size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        wanted = min(len(buffer), self._size - self._position)
        if wanted <= 0:
            return 0
        self._body.seek(self._start + self._position)
        content = self._body.read(wanted)
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = (0, self._position, self._size)[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        return self._position


def members(body: BinaryIO) -> Iterator[tuple[str, BinaryIO, int]]:
    """Name, content and size of each member. Raises `BadPackage`."""
    if body.read(len(MAGIC)) != MAGIC:
        raise BadPackage("not a Debian package: it does not begin as an ar archive does")
    position = len(MAGIC)
    end = body.seek(0, io.SEEK_END)
    for _ in range(MOST_MEMBERS):
        if position >= end:
            return
        body.seek(position)
        header = body.read(HEADER)
        written = header[48:58].strip()
        if len(header) < HEADER or header[58:] != b"`\n" or not written.isdigit():
            raise BadPackage("the package is truncated or corrupt: a member has no header")
        size = int(written)
        if position + HEADER + size > end:
            raise BadPackage("the package is truncated: a member is longer than what is left")
        name = header[:16].decode("ascii", "replace").rstrip().removesuffix("/")
        yield name, io.BufferedReader(Part(body, position + HEADER, size)), size
        position += HEADER + size + size % 2
    raise BadPackage(f"the package has more than {MOST_MEMBERS} members")
