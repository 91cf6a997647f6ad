"""A file descriptor with several users, and reads that stay off threads while the page cache has the bytes."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

T = TypeVar("T")

PIECE = 256 * 1024
"""How many bytes a reader or a follower gets at a time."""

_NOWAIT: int = getattr(os, "RWF_NOWAIT", 0) if hasattr(os, "preadv") else 0


class Handle:
    """An open file that is closed when its last user lets go of it.

    A read which a thread carries out goes on when the task that asked for it is cancelled; if the descriptor were
    closed meanwhile, its number could already be another file's. So every such read is a user of its own.
    """

    __slots__ = ("_lock", "_nowait", "_users", "fd")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._users = 1
        self._lock = threading.Lock()
        self._nowait = _NOWAIT

    def __del__(self) -> None:
        if self._users:
            self._users = 0
            os.close(self.fd)

    def share(self) -> None:
        """One more user. Raises `ValueError` when the file is closed already."""
        with self._lock:
            if not self._users:
                raise ValueError("the file is closed")
            self._users += 1

    def release(self) -> None:
        with self._lock:
            self._users -= 1
            last = not self._users
        if last:
            os.close(self.fd)

    def submit(self, pool: Executor, work: Callable[..., T], *args: object) -> asyncio.Future[T]:
        """Do something with the file in a thread; it stays open for that, whatever becomes of the future."""
        self.share()
        future = pool.submit(work, *args)
        future.add_done_callback(lambda _: self.release())
        return asyncio.wrap_future(future)

    async def read(self, position: int, limit: int, pool: Executor) -> bytes:
        """Up to `limit` bytes from `position`; none at the end of the file."""
        if not self._users:
            raise ValueError("the file is closed")
        piece = self._cached(position, limit) if self._nowait else None
        if piece is None:
            piece = await self.submit(pool, os.pread, self.fd, limit, position)
        return piece

    def _cached(self, position: int, limit: int) -> bytes | None:
        """What the page cache holds, or `None` when the disk has to be asked."""
        buffer = bytearray(limit)
        try:
            count = os.preadv(self.fd, [buffer], position, self._nowait)
        except BlockingIOError:
            return None
        except OSError:  # this file system cannot say, so do not ask it again
            self._nowait = 0
            return None
        with memoryview(buffer) as view:
            return bytes(view[:count])
