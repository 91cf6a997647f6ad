"""Auto-block: an upstream that fails again and again is left alone for a while.

After `THRESHOLD` consecutive failures (no connection, no answer, a cut body, a 5xx status) requests fail at once for
`SHORTEST` seconds. Then one request may try; while it waits for an answer the others still fail at once. Each failed
try doubles the time, up to `LONGEST`; the first answer ends the block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cachetools import LRUCache

from pakhus.domain.errors import UpstreamBlocked

THRESHOLD = 3
SHORTEST = 10.0
LONGEST = 300.0

Key = tuple[str, str]


@dataclass(slots=True)
class _State:
    failures: int = 0
    blocks: int = 0
    until: float = 0.0
    probing: bool = False


class Attempt:
    """One request, whose outcome is reported. Reports after the first failure are ignored."""

    def __init__(self, block: AutoBlock, key: Key, *, probe: bool, blocks: int) -> None:
        self._block = block
        self._key = key
        self._probe = probe
        self._blocks = blocks
        self._has_failed = False
        self._has_answered = False

    def answered(self, status: int) -> None:
        """Headers have come: an error of the server is a failure, anything else ends a block."""
        if status >= 500:
            self.failed()
        else:
            self._has_answered = True
            self._block.lift(self._key)

    def failed(self) -> None:
        if not self._has_failed:
            self._has_failed = True
            self._block.count(self._key, admitted_at=self._blocks)

    def finish(self) -> None:
        """The request is over, however it ended."""
        if self._has_answered and not self._has_failed:
            self._block.forgive(self._key)
        if self._probe:
            self._block.release(self._key)


class AutoBlock:
    """The state of every upstream that has failed lately. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float], *, threshold: float = THRESHOLD) -> None:
        self._clock = clock
        self._threshold = threshold
        self._states: LRUCache[Key, _State] = LRUCache(4096)

    @contextmanager
    def attempt(self, key: Key, host: str) -> Iterator[Attempt]:
        """Admit a request. Raises `UpstreamBlocked`."""
        state = self._states.get(key)
        if state is not None and state.until:
            left = state.until - self._clock()
            if left > 0 or state.probing:
                raise UpstreamBlocked(f"{host} is blocked after repeated failures; next try in {max(left, 0):.0f} s")
            state.probing = True
        attempt = Attempt(
            self, key, probe=state is not None and state.probing, blocks=state.blocks if state is not None else 0
        )
        try:
            yield attempt
        finally:
            attempt.finish()

    def is_blocked(self, key: Key) -> bool:
        state = self._states.get(key)
        return state is not None and bool(state.until)

    def count(self, key: Key, *, admitted_at: int) -> None:
        """Another failure; requests that were under way when the block began do not lengthen it."""
        state = self._states.setdefault(key, _State())
        if state.blocks != admitted_at:
            return
        state.failures += 1
        if state.failures >= self._threshold:
            state.until = self._clock() + min(SHORTEST * 2**state.blocks, LONGEST)
            state.blocks = min(state.blocks + 1, 16)

    def lift(self, key: Key) -> None:
        """The upstream answers: others may ask again. A body that is cut later still counts."""
        state = self._states.get(key)
        if state is not None:
            state.until, state.probing = 0.0, False

    def forgive(self, key: Key) -> None:
        self._states.pop(key, None)

    def release(self, key: Key) -> None:
        state = self._states.get(key)
        if state is not None:
            state.probing = False
