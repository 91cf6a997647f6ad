"""Models and renderings that are remembered while their edition stands."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Memory(Generic[T]):
    """A bounded map that forgets what was not asked for the longest. `weight` says what an entry costs."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._used = 0
        self._entries: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()

    def get(self, key: Hashable) -> T | None:
        found = self._entries.get(key)
        if found is None:
            return None
        self._entries.move_to_end(key)
        return found[0]

    def put(self, key: Hashable, value: T, *, weight: int = 1) -> None:
        if weight > self._capacity // 4:
            return
        self.drop(key)
        self._entries[key] = (value, weight)
        self._used += weight
        while self._used > self._capacity:
            _, (_, freed) = self._entries.popitem(last=False)
            self._used -= freed

    def drop(self, key: Hashable) -> None:
        held = self._entries.pop(key, None)
        if held is not None:
            self._used -= held[1]
