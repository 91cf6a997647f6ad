"""Reading a blob that is a local file."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from concurrent.futures import Executor

from pakhus.domain.errors import TooLarge
from pakhus.storage.handle import PIECE, Handle
from pakhus.storage.store import BlobMissing


class FileReader:
    """See `pakhus.storage.store.Reader`. The blob stays readable until `close`, even when it is deleted."""

    def __init__(self, path: str, pool: Executor) -> None:
        """Raises `FileNotFoundError`."""
        self._handle = Handle(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        self._path = path
        self._pool = pool
        self._size = os.fstat(self._handle.fd).st_size
        self._closed = False

    @property
    def size(self) -> int:
        return self._size

    @property
    def path(self) -> str | None:
        return self._path

    async def chunks(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        end = self._size if stop is None else min(stop, self._size)
        while start < end:
            piece = await self._handle.read(start, min(PIECE, end - start), self._pool)
            if not piece:
                raise BlobMissing(f"The blob {self._path} was cut short.")
            start += len(piece)
            yield piece

    def read(self, limit: int) -> bytes:
        if self._size > limit:
            raise TooLarge(f"The body has {self._size} bytes, more than {limit}.")
        if self._closed:
            raise ValueError("the reader is closed")
        body = os.pread(self._handle.fd, self._size, 0)
        if len(body) < self._size:
            raise BlobMissing(f"The blob {self._path} was cut short.")
        return body

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._handle.release()
