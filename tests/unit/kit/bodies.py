"""What the tests of streamed bodies share: chunkings, and a place that keeps drafts as `Hosted.draft` does."""

import hashlib
import io
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from typing import BinaryIO

from hypothesis import strategies as st

from pakhus.domain.content import Digests
from pakhus.domain.errors import TooLarge


class MemoryDraft:
    def __init__(self, body: bytes) -> None:
        self.body = body
        self.cancelled = False

    @property
    def size(self) -> int:
        return len(self.body)

    @property
    def digests(self) -> Digests:
        return Digests(*(hashlib.new(name, self.body).hexdigest() for name in ("md5", "sha1", "sha256", "sha512")))

    def open(self) -> BinaryIO:
        return io.BytesIO(self.body)

    async def cancel(self) -> None:
        self.cancelled = True


class Shelf:
    """Keeps drafts; refuses one of more than `limit` bytes, and reads only `greed` bytes of each if that is given."""

    def __init__(self, *, limit: int = 1 << 40, greed: int | None = None) -> None:
        self.drafts: list[MemoryDraft] = []
        self.largest_chunk = 0
        self._limit, self._greed = limit, greed

    async def keep(self, chunks: AsyncIterable[bytes]) -> MemoryDraft:
        body = bytearray()
        async for chunk in chunks:
            self.largest_chunk = max(self.largest_chunk, len(chunk))
            body += chunk
            if len(body) > self._limit:
                raise TooLarge("the draft is too large")
            if self._greed is not None and len(body) >= self._greed:
                break
        self.drafts.append(MemoryDraft(bytes(body)))
        return self.drafts[-1]

    @property
    def left(self) -> list[MemoryDraft]:
        return [draft for draft in self.drafts if not draft.cancelled]


def cut(body: bytes, sizes: Sequence[int]) -> list[bytes]:
    """The body in chunks of these sizes, and the rest of it."""
    chunks, position = [], 0
    for size in sizes:
        chunks.append(body[position : position + size])
        position += size
    return [*chunks, body[position:]]


async def stream(chunks: Sequence[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


SIZES = st.one_of(st.lists(st.integers(0, 40), max_size=60), st.just([1] * 4000), st.just([]))
