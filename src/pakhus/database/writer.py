"""The one writer of an embedded database: what waits together is committed together, with one flush to the disk.

Each piece of work has a savepoint of its own, so that it succeeds or fails alone; nobody is answered before the commit.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

MOST = 64


@dataclass(frozen=True, slots=True)
class Job:
    """Work, and who waits for it."""

    run: Callable[[Connection], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]

    def resolve(self, outcome: Any) -> None:
        self.loop.call_soon_threadsafe(_resolve, self.future, outcome)


@dataclass(frozen=True, slots=True)
class Failure:
    error: BaseException


class Writer:
    """A thread that runs jobs in the order in which they come.

    `begin` opens a connection for writing; `committed` is told each result right after its commit, in the thread, even
    when nobody waits for it any more.
    """

    def __init__(self, begin: Callable[[], Connection], committed: Callable[[Any], None]) -> None:
        self._begin = begin
        self._committed = committed
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="pakhus-write", daemon=True)
        self._thread.start()

    async def submit(self, run: Callable[[Connection], Any]) -> Any:
        """The result of the job, once it is committed."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._jobs.put(Job(run, loop, future))
        return await future

    def close(self) -> None:
        """Finish what is queued, then stop."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            batch, last = self._gather(job)
            self._commit(batch)
            if last:
                return

    def _gather(self, first: Job) -> tuple[list[Job], bool]:
        """All that waits already, up to a bound; and whether the end was among it."""
        batch = [first]
        while len(batch) < MOST:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                break
            if job is None:
                return batch, True
            batch.append(job)
        return batch, False

    def _commit(self, batch: list[Job]) -> None:
        try:
            with self._begin() as connection, connection.begin():
                outcomes = [_attempt(job, connection) for job in batch]
        except BaseException as error:  # noqa: BLE001 -- every waiting request gets it
            outcomes = [Failure(error)] * len(batch)
        for job, outcome in zip(batch, outcomes, strict=True):
            if not isinstance(outcome, Failure):
                self._committed(outcome)
            job.resolve(outcome)


def _attempt(job: Job, connection: Connection) -> Any:
    try:
        with connection.begin_nested():
            return job.run(connection)
    except OperationalError:  # of the database, not of this job: a full disk ends the transaction of all
        raise
    except Exception as error:  # noqa: BLE001 -- raised again where the job's result is awaited
        return Failure(error)


def _resolve(future: asyncio.Future[Any], outcome: Any) -> None:
    if future.done():
        return
    if isinstance(outcome, Failure):
        future.set_exception(outcome.error)
    else:
        future.set_result(outcome)
