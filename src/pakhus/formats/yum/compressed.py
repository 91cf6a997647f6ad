"""Compressed documents, unpacked piece by piece: gzip, xz, bzip2, Zstandard, by their first bytes; or plain."""

from __future__ import annotations

import io
from collections.abc import Iterator

from pakhus.domain.errors import Invalid
from pakhus.kit.compressed import CHUNK, opened_stream

PIECE = 16 * CHUNK


def pieces(content: bytes, limit: int) -> Iterator[bytes]:
    """The document in pieces of about a megabyte. Raises `Invalid` for a corrupt one, or one of more than `limit`."""
    left = limit
    gathered = bytearray()
    with opened_stream(io.BytesIO(content)) as source:
        while piece := source.read(CHUNK):
            left -= len(piece)
            if left < 0:
                raise Invalid(f"the document unpacks to more than {limit} bytes")
            gathered += piece
            if len(gathered) >= PIECE:
                yield bytes(gathered)
                gathered.clear()
    if gathered:
        yield bytes(gathered)


def whole(content: bytes, limit: int) -> bytes:
    return b"".join(pieces(content, limit))
