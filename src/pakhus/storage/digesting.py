"""All digests of a body that grows, computed behind the writer's back from the page cache."""

from __future__ import annotations

import asyncio
import hashlib
import os
from concurrent.futures import Executor

from pakhus.domain.content import Digests
from pakhus.storage.handle import PIECE, Handle
from pakhus.storage.spool import Spool

INLINE = 256 * 1024
"""Below this many bytes a thread costs more than it saves."""

LANES = (("md5", "sha256"), ("sha1", "sha512"))
"""What is computed by one thread: two that take equally long where the processor knows SHA-1 and SHA-256."""


class Digesting:
    """Hashes a spool as far as it is written."""

    def __init__(self, spool: Spool, pool: Executor) -> None:
        self._spool = spool
        self._lanes = [Lane(names, spool, pool) for names in LANES]

    def nudge(self) -> None:
        """There may be more to hash."""
        handle = self._spool.handle
        if handle is not None:
            for lane in self._lanes:
                lane.nudge(handle)

    async def finish(self) -> Digests:
        """The digests of the whole spool, which must be complete. Raises `OSError`."""
        memory, handle = self._spool.memory(), self._spool.handle
        for lane in self._lanes:
            if memory is not None:
                lane.update(memory)
            elif handle is not None:
                lane.nudge(handle, least=1)
        if handle is not None:
            for lane in self._lanes:
                await lane.catch_up(handle)
        return Digests(**{name: value for lane in self._lanes for name, value in lane.digests()})

    def stop(self) -> None:
        """The digests are not wanted any more."""
        for lane in self._lanes:
            lane.stop()


class Lane:
    """Some of the digests.

    A thread works only while there is something to hash: a thousand slow uploads need no thousand threads.
    """

    def __init__(self, names: tuple[str, ...], spool: Spool, pool: Executor) -> None:
        self._spool = spool
        self._pool = pool
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in names}
        self._done = 0
        self._stopped = False
        self._job: asyncio.Future[None] | None = None

    def digests(self) -> list[tuple[str, str]]:
        return [(name, found.hexdigest()) for name, found in self._hashes.items()]

    def nudge(self, handle: Handle, *, least: int = INLINE) -> None:
        """Go on if no thread is at it and at least so many bytes wait."""
        if not self._running() and not self._stopped and self._spool.written - self._done >= least:
            if self._spool.written < INLINE:
                self._follow(handle.fd)
            else:
                self._start(handle)

    async def catch_up(self, handle: Handle) -> None:
        while not self._stopped and self._done < self._spool.written:
            await asyncio.shield(self._running() or self._start(handle))

    def stop(self) -> None:
        self._stopped = True

    def update(self, piece: bytes | memoryview) -> None:
        for each in self._hashes.values():
            each.update(piece)
        self._done += len(piece)

    def _running(self) -> asyncio.Future[None] | None:
        return self._job if self._job is not None and not self._job.done() else None

    def _start(self, handle: Handle) -> asyncio.Future[None]:
        self._job = handle.submit(self._pool, self._follow, handle.fd)
        self._job.add_done_callback(lambda job: self._ended(handle, job))
        return self._job

    def _ended(self, handle: Handle, job: asyncio.Future[None]) -> None:
        """More may have been written since; a failure is met again, and told, by `catch_up`."""
        if not job.cancelled() and job.exception() is None:
            self.nudge(handle)

    def _follow(self, fd: int) -> None:
        """Up to where the spool is written; in a thread, while it grows."""
        with memoryview(bytearray(PIECE)) as view:
            while not self._stopped and (wanted := min(PIECE, self._spool.written - self._done)):
                count = os.preadv(fd, [view[:wanted]], self._done)
                if not count:
                    raise OSError("the draft was cut short on the disk")
                self.update(view[:count])
