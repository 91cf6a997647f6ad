"""A draft on a local disk: written once, hashed and read by many while it grows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import BinaryIO

from pakhus.domain.content import Digests
from pakhus.domain.errors import Unavailable
from pakhus.storage.digesting import Digesting
from pakhus.storage.handle import PIECE
from pakhus.storage.spool import Spool, explain

Place = Callable[[Spool], Awaitable[tuple[str, Path]]]
"""Make a complete spool durable: its new key and where the file is now."""

Remove = Callable[[str], Awaitable[None]]


class FileDraft:
    """See `pakhus.storage.store.Draft`. Belongs to one event loop."""

    def __init__(self, spool: Spool, digesting: Digesting, *, store: str, place: Place, remove: Remove) -> None:
        self._store = store
        self._spool = spool
        self._digesting = digesting
        self._place = place
        self._remove = remove
        self._digests: Digests | None = None
        self._finished = False
        self._placing: asyncio.Future[tuple[str, Path]] | None = None
        self._key: str | None = None
        self._settled = False
        self._error: Exception | None = None
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def store(self) -> str:
        return self._store

    @property
    def size(self) -> int:
        return self._spool.size

    @property
    def digests(self) -> Digests:
        if self._digests is None:
            raise RuntimeError("the draft is not finished")
        return self._digests

    async def write(self, chunk: bytes) -> None:
        self._check()
        if self._finished:
            raise RuntimeError("the draft is finished")
        try:
            self._spool.append(chunk)
        except OSError as error:
            raise await self._broken(error) from error
        self._digesting.nudge()
        if self._waiting:
            self._announce()
            await asyncio.sleep(0)  # a writer that never waits would keep its followers from reading

    async def finish(self) -> Digests:
        self._check()
        self._finished = True
        if self._digests is None:
            try:
                self._spool.complete()
                digests = await self._digesting.finish()
            except OSError as error:
                raise await self._broken(error) from error
            self._check()
            self._digests = digests
        return self._digests

    def open(self) -> BinaryIO:
        self._check()
        try:
            return self._spool.open()
        except OSError as error:
            raise explain(error) from error

    def follow(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        if not self._settled:
            self._check()
        return Following(self, self._spool, start=start, stop=stop)

    async def commit(self) -> str:
        self._check()
        if self._digests is None:
            raise RuntimeError("the draft is not finished")
        if self._key is None:
            self._placing = self._placing or asyncio.ensure_future(self._place(self._spool))
            try:
                key, path = await asyncio.shield(self._placing)
            except OSError as error:
                raise await self._broken(error) from error
            self._key = key
            self._spool.moved(path)
        return self._key

    def settle(self) -> None:
        self._check()
        if self._digests is None:
            raise RuntimeError("the draft is not finished")
        self._settled = True
        self._announce()

    async def cancel(self, error: Exception | None = None) -> None:
        if self._settled and self._key is not None:
            return
        if self._error is None:
            self._error = error or Unavailable("The body was given up before it was complete.")
        self._digesting.stop()
        self._announce()
        if self._key is None:
            await self._undo_placing()
            await self._spool.discard()

    def readable(self) -> int:
        """How many bytes followers may have; raises the error after `cancel`."""
        if self._settled:
            return self.size
        self._check()
        return max(0, self.size - 1)

    @property
    def is_settled(self) -> bool:
        """Whether `readable` is the whole body."""
        return self._settled

    async def progress(self) -> None:
        """Wait until something has changed."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        try:
            await waiter
        finally:
            self._waiting.discard(waiter)

    def _announce(self) -> None:
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    def _check(self) -> None:
        if self._error is not None:
            # Raised to many: without this, each would see the stack of all the others.
            raise self._error.with_traceback(None)

    async def _broken(self, error: OSError) -> Exception:
        """Give up after a failure of the disk; what to raise."""
        cause = explain(error)
        await self.cancel(cause)
        return cause

    async def _undo_placing(self) -> None:
        """A commit whose caller did not wait for the key: nobody will ever ask for that blob."""
        if self._placing is None:
            return
        placing, self._placing = self._placing, None
        await asyncio.wait([placing])
        if not placing.cancelled() and placing.exception() is None:
            key, path = placing.result()
            self._spool.moved(path)
            await self._remove(key)


class Following:
    """One reader of a growing draft. It holds the bytes from the moment it is made until it ends or is dropped."""

    def __init__(self, draft: FileDraft, spool: Spool, *, start: int, stop: int | None) -> None:
        self._draft = draft
        self._spool = spool
        self._position = start
        self._stop = stop
        self._holds = False
        spool.hold()
        self._holds = True

    def __del__(self) -> None:
        self._release()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await self._next()
        except BaseException:
            self._release()
            raise
        if not piece:
            self._release()
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        self._stop = 0
        self._release()

    async def _next(self) -> bytes:
        while self._stop is None or self._position < self._stop:
            readable = self._draft.readable()
            end = readable if self._stop is None else min(readable, self._stop)
            if self._position < end:
                return await self._read(min(PIECE, end - self._position))
            if self._draft.is_settled:
                break
            await self._draft.progress()
        return b""

    async def _read(self, limit: int) -> bytes:
        piece = await self._spool.read(self._position, limit)
        if not piece:
            raise OSError("the draft was cut short on the disk")
        self._position += len(piece)
        return piece

    def _release(self) -> None:
        if self._holds:
            self._holds = False
            self._spool.release()
