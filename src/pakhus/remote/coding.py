"""Content codings undone (RFC 9110 section 8.4), for upstreams that compress although identity was asked for.

Output comes in pieces of at most `PIECE` bytes: a body that inflates a thousandfold costs time, not memory.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Protocol

from pakhus.domain.errors import UpstreamDown

PIECE = 256 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_TYPES = frozenset({"application/gzip", "application/x-gzip", "application/x-gunzip", "application/x-tgz"})
_MOST_CODINGS = 3
_SLICE = 16 * 1024


class Inflater(Protocol):
    """A zlib-like object: at most `limit` bytes of output a call, the rest of the input waits."""

    @property
    def eof(self) -> bool: ...
    @property
    def rest(self) -> bytes:
        """Input after the end of the compressed stream; empty before it."""
        ...

    def inflate(self, body: bytes, limit: int) -> bytes:
        """Empty when more input is needed."""
        ...


class _Zlib:
    def __init__(self, window: int) -> None:
        self._inner = zlib.decompressobj(window)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def rest(self) -> bytes:
        return self._inner.unused_data

    def inflate(self, body: bytes, limit: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + body, limit)


def _gzip(_first: bytes) -> Inflater:
    return _Zlib(16 + zlib.MAX_WBITS)


def _deflate(first: bytes) -> Inflater:
    """With a zlib wrapper, as the RFC says, or raw, as some servers send it."""
    wrapped = len(first) > 1 and first[0] & 0x0F == 8 and (first[0] << 8 | first[1]) % 31 == 0
    return _Zlib(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)


_INFLATERS: dict[str, Callable[[bytes], Inflater]] = {"gzip": _gzip, "x-gzip": _gzip, "deflate": _deflate}


def codings(header: str) -> tuple[str, ...]:
    """The codings of a `Content-Encoding` header, in the order in which they were applied."""
    named = (coding.strip().lower() for coding in header.split(","))
    return tuple(coding for coding in named if coding not in ("", "identity"))


def refuse_unknown(names: tuple[str, ...], host: str) -> None:
    """Raises `UpstreamDown` for a coding that cannot be undone."""
    unknown = [name for name in names if name not in _INFLATERS]
    if unknown or len(names) > _MOST_CODINGS:
        raise UpstreamDown(f"{host} sent a content coding that was not asked for")


def is_gzip_file(path: str, content_type: str) -> bool:
    """Is a gzip coding of this path perhaps the file's own?

    Some servers label `x.tar.gz` as a tar file with content coding gzip; the coding is then the file.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    return path.lower().endswith((".gz", ".tgz")) or media_type in _GZIP_TYPES


async def decoded(
    chunks: AsyncIterator[bytes], names: tuple[str, ...], host: str, *, gzip_file: bool
) -> AsyncIterator[bytes]:
    """The body with its codings undone. Raises `UpstreamDown` when it is cut or not what it says."""
    if gzip_file and names in (("gzip",), ("x-gzip",)):
        first, chunks = await _peeked(chunks)
        if not _inflates_to_gzip(first):
            names = ()
    for name in reversed(names):
        chunks = _undone(chunks, _INFLATERS[name], host)
    async for chunk in chunks:
        yield chunk


async def _undone(chunks: AsyncIterator[bytes], make: Callable[[bytes], Inflater], host: str) -> AsyncIterator[bytes]:
    inflater: Inflater | None = None
    members, pending = 0, b""
    try:
        async for part in _sliced(chunks):
            pending += part
            while len(pending) > 1 or (pending and inflater is not None):
                if inflater is None:
                    if members and not (make is _gzip and pending.startswith(_GZIP_MAGIC)):
                        return  # a gzip file may have several members; what follows the last is padding
                    inflater = make(pending)
                for piece in _pieces(inflater, pending):
                    yield piece
                pending = inflater.rest
                if inflater.eof:
                    inflater, members = None, members + 1
    except zlib.error as error:
        raise UpstreamDown(f"{host} sent a body that is not coded as it says") from error
    if inflater is not None or (pending and not members):
        raise UpstreamDown(f"{host} sent a body that is cut")


async def _sliced(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Short slices, because each end of a gzip member copies what follows it."""
    async for chunk in chunks:
        for start in range(0, len(chunk), _SLICE):
            yield chunk[start : start + _SLICE]


def _pieces(inflater: Inflater, chunk: bytes) -> Iterator[bytes]:
    piece = inflater.inflate(chunk, PIECE)
    while piece:
        yield piece
        if inflater.eof:
            return
        piece = inflater.inflate(b"", PIECE)


def _inflates_to_gzip(first: bytes) -> bool:
    try:
        return _gzip(first).inflate(first, 2) == _GZIP_MAGIC
    except zlib.error:
        return False


async def _peeked(chunks: AsyncIterator[bytes]) -> tuple[bytes, AsyncIterator[bytes]]:
    """The first kibibyte or so, and the whole again."""
    first = b""
    async for chunk in chunks:
        first += chunk
        if len(first) >= 1024:
            break

    async def whole() -> AsyncIterator[bytes]:
        if first:
            yield first
        async for chunk in chunks:
            yield chunk

    return first, whole()
