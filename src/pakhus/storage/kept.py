"""A draft whose bytes already lie in the store as a blob: what an upload session has gathered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from pakhus.domain.content import Digests
from pakhus.storage.store import BlobMissing, Reader


class KeptDraft:
    """See `pakhus.storage.store.Draft`. Complete from the start; who has the blob removes it when it is not used."""

    def __init__(self, store: str, key: str, reader: Reader, digests: Digests) -> None:
        self._store = store
        self._key = key
        self._reader = reader
        self._digests = digests

    @property
    def store(self) -> str:
        return self._store

    @property
    def size(self) -> int:
        return self._reader.size

    @property
    def digests(self) -> Digests:
        return self._digests

    async def write(self, chunk: bytes) -> None:
        raise RuntimeError("the draft is finished")

    async def finish(self) -> Digests:
        return self._digests

    def open(self) -> BinaryIO:
        if self._reader.path is None:
            raise BlobMissing(f"The blob {self._key} is not a local file.")
        return Path(self._reader.path).open("rb")

    def follow(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        return self._reader.chunks(start, stop)

    async def commit(self) -> str:
        return self._key

    def settle(self) -> None:
        """There is nothing that a follower waits for."""

    async def cancel(self, error: Exception | None = None) -> None:
        self._reader.close()
