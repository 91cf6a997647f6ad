"""All digests of a body that grows, computed behind the writer's back from the page cache."""

from __future__ import annotations

import asyncio
import hashlib
import os
from concurrent.futures import Executor

from pakhus.domain.content import ALGORITHMS, Digests
from pakhus.storage.handle import PIECE, Handle
from pakhus.storage.spool import Spool

INLINE = 256 * 1024
"""Below this many bytes a thread costs more than it saves."""


class Digesting:
    """Hashes a spool as far as it is written.

    A thread works only while there is something to hash: a thousand slow uploads need no thousand threads.
    """

    def __init__(self, spool: Spool, pool: Executor) -> None:
        self._spool = spool
        self._pool = pool
        self._hashes = [hashlib.new(name, usedforsecurity=False) for name in ALGORITHMS]
        self._done = 0
        self._stopped = False
        self._job: asyncio.Future[None] | None = None

    def nudge(self) -> None:
        """There may be more to hash."""
        handle = self._spool.handle
        if handle is not None and self._job is None and self._spool.written - self._done >= INLINE:
            self._start(handle)

    async def finish(self) -> Digests:
        """The digests of the whole spool, which must be complete. Raises `OSError`."""
        memory = self._spool.memory()
        if memory is not None:
            self._update(memory)
        elif self._spool.handle is not None:
            await self._catch_up(self._spool.handle)
        return Digests(**{name: found.hexdigest() for name, found in zip(ALGORITHMS, self._hashes, strict=True)})

    def stop(self) -> None:
        """The digests are not wanted any more."""
        self._stopped = True

    async def _catch_up(self, handle: Handle) -> None:
        while self._job is not None or self._done < self._spool.written:
            if self._job is None and self._spool.written < INLINE:
                self._follow(handle.fd)
                return
            await asyncio.shield(self._job or self._start(handle))
            if self._stopped:
                return

    def _start(self, handle: Handle) -> asyncio.Future[None]:
        self._job = handle.submit(self._pool, self._follow, handle.fd)
        self._job.add_done_callback(self._ended)
        return self._job

    def _ended(self, job: asyncio.Future[None]) -> None:
        self._job = None
        if not job.cancelled() and job.exception() is None and not self._stopped:
            self.nudge()

    def _follow(self, fd: int) -> None:
        buffer = bytearray(PIECE)
        with memoryview(buffer) as view:
            while not self._stopped and (wanted := min(PIECE, self._spool.written - self._done)):
                count = os.preadv(fd, [view[:wanted]], self._done)
                if not count:
                    raise OSError("the draft was cut short on the disk")
                self._update(view[:count])

    def _update(self, piece: bytes | memoryview) -> None:
        for each in self._hashes:
            each.update(piece)
        self._done += len(piece)
