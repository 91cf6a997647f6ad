"""A body that is parsed as it arrives: what its parser says is taken one by one, files as streams."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from pakhus.kit.context import Draft

Head = TypeVar("Head")
Keep = Callable[[AsyncIterable[bytes]], Awaitable[Draft]]


@dataclass(frozen=True, slots=True)
class Begin(Generic[Head]):
    head: Head


class End:
    """The part that began last is complete."""


END = End()
Piece = Begin[Head] | bytes | End


class Parser(Protocol[Head]):
    """Takes the body's bytes and adds to `pieces` what it found."""

    pieces: deque[Piece[Head]]

    def feed(self, chunk: bytes) -> None: ...
    def close(self) -> None:
        """The body is over. Raises `Invalid` if it should not be."""
        ...


class Parts(Generic[Head]):
    """The parts of a body, in order; each is taken by `begin` and read by `payload` before the next."""

    def __init__(self, chunks: AsyncIterable[bytes], parser: Parser[Head]) -> None:
        self._chunks = aiter(chunks)
        self._parser = parser
        self._over = False

    async def begin(self) -> Head | None:
        """The next part's head, `None` at the end; what is left of the part before is skipped."""
        while (piece := await self._next()) is not None:
            if isinstance(piece, Begin):
                return piece.head
        return None

    async def payload(self) -> AsyncIterator[bytes]:
        while (piece := await self._next()) is not None:
            if not isinstance(piece, bytes):
                return
            yield piece

    async def _next(self) -> Piece[Head] | None:
        pieces = self._parser.pieces
        while not pieces:
            if self._over:
                return None
            chunk = await anext(self._chunks, None)
            if chunk is None:
                self._over = True
                self._parser.close()
            else:
                self._parser.feed(chunk)
        return pieces.popleft()


@asynccontextmanager
async def kept(keep: Keep) -> AsyncIterator[Keep]:
    """`keep`, whose drafts are cancelled if the block fails."""
    drafts: list[Draft] = []

    async def remember(chunks: AsyncIterable[bytes]) -> Draft:
        draft = await keep(chunks)
        drafts.append(draft)
        return draft

    try:
        yield remember
    except BaseException:
        for draft in drafts:
            await draft.cancel()
        raise
