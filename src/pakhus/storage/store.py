"""What a blob store must do. No method has a default body, so that no store can inherit buffering."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import BinaryIO, Protocol

from pakhus.domain.content import Digests
from pakhus.domain.errors import PakhusError


class BlobMissing(PakhusError, LookupError):
    """There is no such blob, though a row may say so: the server's trouble, never the caller's."""


class Draft(Protocol):
    """A blob being written: append-only, hashed as it grows, readable while it grows.

    States: open → finished → committed; or cancelled, at any time before commit. Where there is no room left,
    `write`, `finish` and `commit` raise `StorageFull`, and the draft is cancelled with it.
    """

    @property
    def store(self) -> str:
        """The name of the blob store that it is written to."""
        ...

    @property
    def size(self) -> int:
        """Bytes written so far."""
        ...

    @property
    def digests(self) -> Digests:
        """Of the whole body; only after `finish`."""
        ...

    async def write(self, chunk: bytes) -> None: ...

    async def finish(self) -> Digests:
        """No more bytes come; wait for the digests."""
        ...

    def open(self) -> BinaryIO:
        """A seekable reader of what has been written, for inspection in a thread."""
        ...

    def follow(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """The bytes as they arrive. The last byte is held back until `settle`, so that a body that turns out to
        be wrong never looks complete; after `cancel` it raises that error. A follower that was there before `settle`
        gets all bytes, also when the draft is cancelled after it (the body was a duplicate)."""
        ...

    async def commit(self) -> str:
        """Make the bytes durable under a new random key, which is returned. Nobody sees them before a row does."""
        ...

    def settle(self) -> None:
        """The followers may have the last byte: the body is kept (or is known to be kept already)."""
        ...

    async def cancel(self, error: Exception | None = None) -> None:
        """Forget the bytes, unless committed; followers get the error. Idempotent."""
        ...


class Reader(Protocol):
    """An open blob. `path` is the local file, where the store has one (for sendfile)."""

    @property
    def size(self) -> int: ...
    @property
    def path(self) -> str | None: ...
    def chunks(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Bytes from `start` up to, not including, `stop`."""
        ...

    def read(self, limit: int) -> bytes:
        """The whole of a small blob; raises `TooLarge` over the limit."""
        ...

    def close(self) -> None: ...


class BlobStore(Protocol):
    @property
    def name(self) -> str: ...

    async def begin(self) -> Draft: ...

    async def open(self, key: str) -> Reader:
        """Raises `BlobMissing`."""
        ...

    async def delete(self, key: str) -> None:
        """Remove the blob and its sidecar. Idempotent."""
        ...

    async def stat(self, key: str) -> int | None:
        """The size in bytes, `None` when there is no such blob."""
        ...

    async def url(self, key: str) -> str | None:
        """A signed URL from which a client may fetch the bytes itself."""
        ...

    def keys(self) -> AsyncIterator[tuple[str, float]]:
        """All blobs and when each was written (seconds since the epoch)."""
        ...

    async def describe(self, key: str, sidecar: Mapping[str, object]) -> None:
        """Write the blob's sidecar: what a lost database is rebuilt from."""
        ...

    async def description(self, key: str) -> Mapping[str, object] | None: ...

    async def drafts(self) -> int:
        """How many drafts lie in the store, abandoned ones included."""
        ...

    async def sweep_drafts(self, older_than: float) -> int:
        """Remove drafts that nobody writes and that are older than so many seconds; how many there were."""
        ...

    async def free(self) -> int:
        """Bytes that can still be written."""
        ...
