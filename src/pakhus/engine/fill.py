"""Single flight: however many ask for a path that must come from upstream, one of them fetches, in the background.

A fill goes on when its clients leave. Its head is known as soon as upstream has answered; its end, when the copy is
kept. Between processes a lease says who fetches; losing it costs a second fetch, never a wrong body.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pakhus.domain.content import Asset
from pakhus.domain.errors import PakhusError, UpstreamDown
from pakhus.engine.found import Found

Key = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Missing:
    """Upstream says that it has no such thing."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What is kept is what upstream has."""

    asset: Asset


Head = Found | Missing | Confirmed


class Fill:
    """One fetch under way."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._head: asyncio.Future[Head] = loop.create_future()
        self._end: asyncio.Future[Asset | None] = loop.create_future()
        self._head.add_done_callback(_retrieve)
        self._end.add_done_callback(_retrieve)

    def answer(self, head: Head) -> None:
        """Upstream has answered; for a body, what is found grows."""
        if not self._head.done():
            self._head.set_result(head)

    def finish(self, asset: Asset | None) -> None:
        if not self._end.done():
            self._end.set_result(asset)

    def fail(self, error: Exception) -> None:
        for future in (self._head, self._end):
            if not future.done():
                future.set_exception(error)

    @property
    def over(self) -> bool:
        """It has brought what it could."""
        return self._end.done()

    async def head(self) -> Head:
        return await asyncio.shield(self._head)

    async def end(self) -> Asset | None:
        """The kept asset; `None` when there is none. Raises what went wrong."""
        return await asyncio.shield(self._end)


def _retrieve(future: asyncio.Future[Any]) -> None:
    """An error that no client waited for is not an error of ours."""
    if not future.cancelled():
        future.exception()


class Fills:
    """The fills of this process."""

    def __init__(self) -> None:
        self._flying: dict[Key, Fill] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def join(self, key: Key, run: Callable[[Fill], Awaitable[None]]) -> Fill:
        """The fill of this key that is under way, or a new one."""
        fill = self._flying.get(key)
        if fill is None or fill.over:
            fill = self._flying[key] = Fill()
            task = asyncio.create_task(self._guarded(key, fill, run), name=f"fill {key[1]}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return fill

    async def _guarded(self, key: Key, fill: Fill, run: Callable[[Fill], Awaitable[None]]) -> None:
        try:
            await run(fill)
        except PakhusError as error:
            fill.fail(error)
        except BaseException as error:
            fill.fail(UpstreamDown(f"fetching {key[1]} was interrupted"))
            if not isinstance(error, asyncio.CancelledError):
                raise
        finally:
            if self._flying.get(key) is fill:
                del self._flying[key]

    async def close(self) -> None:
        """Stop fetching; drafts are cancelled by those who write them."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
