"""The bytes of a draft: the newest in memory, the others in a file, which small bodies need only to be kept."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import io
import os
import secrets
from collections.abc import Awaitable, Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import BinaryIO

from pakhus.domain.errors import StorageFull
from pakhus.storage.handle import Handle
from pakhus.storage.store import BlobMissing

BATCH = 64 * 1024
"""Bytes are gathered up to this many before they are written: a system call costs as much for ten bytes."""

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Disk full; the user's share of it used up; larger than a file may be."""


class Spool:
    """Append-only bytes. Used from one event loop, except where a method says otherwise.

    Methods that write raise `OSError`; what was appended before is then of no use.
    """

    def __init__(self, folder: Path, pool: Executor) -> None:
        self._folder = folder
        self._pool = pool
        self._tail = bytearray()
        self._handle: Handle | None = None
        self._path: Path | None = None
        self._is_open = False
        self._owned = True
        self._holders = 0
        self.written = 0

    @property
    def size(self) -> int:
        return self.written + len(self._tail)

    @property
    def handle(self) -> Handle | None:
        """The file with the first `written` bytes; `None` while all of them are in memory."""
        return self._handle

    def append(self, chunk: bytes) -> None:
        if not self._tail and len(chunk) >= BATCH:
            self._write(chunk)
            return
        self._tail += chunk
        if len(self._tail) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what is still in memory, which stays there when that fails."""
        self._write(self._tail)
        self._tail = bytearray()

    def complete(self) -> None:
        """No more comes: one place for all bytes, the file where there is one, else memory."""
        if self._handle is not None and self._tail:
            self.flush()

    def memory(self) -> bytes | None:
        """The whole body, if it never left memory."""
        return bytes(self._tail) if self._handle is None else None

    def local(self) -> Path:
        """The file with all the bytes, once complete. Raises `BlobMissing` after the draft was given up."""
        if self._path is None:
            raise BlobMissing("The draft was given up.")
        return self._path

    async def read(self, position: int, limit: int) -> bytes:
        """Up to `limit` bytes from `position`, at least one where there is one."""
        if position >= self.written:
            offset = position - self.written
            with memoryview(self._tail) as view:
                return bytes(view[offset : offset + limit])
        assert self._handle is not None
        return await self._handle.read(position, min(limit, self.written - position), self._pool)

    def open(self) -> BinaryIO:
        """A reader of its own, which other threads may use."""
        if self._handle is None:
            return io.BytesIO(self._tail)
        if self._path is None:
            raise BlobMissing("The draft was given up.")
        if self._tail:
            self.flush()
        return self._path.open("rb")

    def hold(self) -> None:
        """Keep the bytes readable, even when they are discarded, until `release`. Raises `BlobMissing`."""
        if self._handle is not None and not self._is_open:
            self._handle, self._is_open = self._reopened(), True
        self._holders += 1

    def release(self) -> None:
        self._holders -= 1
        self._close_unused()

    @contextlib.contextmanager
    def durable(self) -> Iterator[Path]:
        """The file with all the bytes, on the disk for good and safe from sweeping. Runs in a thread, once complete.

        Its time becomes that of the commit: a sweep of unused blobs must not take a slow upload for an old one.
        """
        if self._handle is not None:
            assert self._path is not None
            os.utime(self._handle.fd)
            os.fsync(self._handle.fd)
            yield self._path
            return
        fd, path = create(self._folder)
        try:
            write_all(fd, self._tail)
            os.fsync(fd)
            yield path
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(fd)

    def moved(self, path: Path) -> None:
        """The file is at `path` now and belongs to somebody else."""
        if self._handle is not None:
            self._path = path
        self._disown()

    async def discard(self) -> None:
        """Remove the file; whoever holds it can still read it."""
        if not self._owned:
            return
        handle, path, self._path = self._handle, self._path, None
        removed: Awaitable[None] | None = None
        if handle is not None and path is not None:
            # In a thread, and closed there: freeing the blocks of a large file takes long.
            removed = asyncio.shield(handle.submit(self._pool, path.unlink, True))
        self._disown()
        if removed is not None:
            await removed

    def _write(self, chunk: bytes | bytearray) -> None:
        if self._handle is None:
            fd, self._path = create(self._folder)
            self._handle, self._is_open = Handle(fd), True
        write_all(self._handle.fd, chunk, self.written)
        self.written += len(chunk)

    def _disown(self) -> None:
        self._owned = False
        self._close_unused()

    def _close_unused(self) -> None:
        if self._is_open and not self._owned and not self._holders and self._handle is not None:
            self._is_open = False
            self._handle.release()

    def _reopened(self) -> Handle:
        try:
            if self._path is not None:
                return Handle(os.open(self._path, os.O_RDONLY | os.O_CLOEXEC))
        except FileNotFoundError:
            pass
        raise BlobMissing("The draft was given up.")


def explain(error: OSError) -> Exception:
    """`StorageFull` for a disk without room, else the error itself."""
    return StorageFull("The blob store is full.") if error.errno in NO_ROOM else error


def create(folder: Path) -> tuple[int, Path]:
    """A new file with a random name, locked for as long as it is open, so that `remove_abandoned` can tell."""
    while True:
        path = folder / secrets.token_hex(16)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        with contextlib.suppress(OSError):  # a file system without locks: the file's age alone decides
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(fd).st_nlink:  # else a sweep came between the two calls
            return fd, path
        os.close(fd)


def remove_abandoned(path: Path) -> bool:
    """Remove a file that no living process has from `create`; whether it was so."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    except (BlockingIOError, FileNotFoundError):
        return False
    finally:
        os.close(fd)
    return True


def write_all(fd: int, chunk: bytes | bytearray, position: int = 0) -> None:
    """A full disk first shows as a short write."""
    with memoryview(chunk) as view:
        done = 0
        while done < len(view):
            done += os.pwrite(fd, view[done:], position + done)
