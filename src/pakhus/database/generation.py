"""Counters in shared memory: while they stand still, nothing that a cached decision rests on has changed.

Every committed write bumps one; all processes that share the data directory see the bump without asking the database.
`content` counts changes of what repositories hold, `configuration` those of repositories, users, rights and rules.
Losing the file costs caches, never truth.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

_COUNTERS = struct.Struct("=QQ")
_COUNTER = struct.Struct("=Q")


class Generation:
    """Two 8-byte counters. Two bumps at the same moment may count as one: a value need only differ from before."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
        with path.open("r+b") as file:
            if path.stat().st_size < _COUNTERS.size:
                file.write(_COUNTERS.pack(0, 0))
                file.flush()
            self._page = mmap.mmap(file.fileno(), _COUNTERS.size)

    @property
    def value(self) -> tuple[int, int]:
        """Both counters: (content, configuration)."""
        content, configuration = _COUNTERS.unpack_from(self._page)
        return content, configuration

    @property
    def stamp(self) -> bytes:
        """Both counters as bytes: equal stamps mean that nothing has changed in between."""
        return self._page[: _COUNTERS.size]

    @property
    def configuration(self) -> int:
        return self.value[1]

    def bump(self, *, configuration: bool = False) -> None:
        position = 1 if configuration else 0
        _COUNTER.pack_into(self._page, position * _COUNTER.size, (self.value[position] + 1) % 2**64)

    def close(self) -> None:
        self._page.close()
