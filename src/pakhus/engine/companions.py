"""What vouches for the entry of a document set, as each reader needs it: a signature fits one entry only.

A client asks for the entry and then, under a fixed name, for its signature. When the set was published anew in between,
the signature of now would not fit what the client holds. So it gets the one that belongs to the entry it was given.

Coordination: local. A client that comes to another process gets the signature of now, which fits but for that moment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pakhus.domain.content import Asset
from pakhus.engine.found import Visit
from pakhus.engine.memory import Memory

READERS = 20_000
SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class _Given:
    at: float
    files: Mapping[str, Asset]


class Companions:
    """The files that belong to the entry which a reader was given last."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._given: Memory[_Given] = Memory(READERS)

    def remember(self, shelf: tuple[int, str], visit: Visit, files: Mapping[str, Asset]) -> None:
        """The reader gets an entry now, and these belong to it."""
        self._given.put((shelf, *_reader(visit)), _Given(self._seconds(), files))

    def find(self, shelf: tuple[int, str], visit: Visit, path: str) -> Asset | None:
        given = self._given.get((shelf, *_reader(visit)))
        if given is None or given.at + SECONDS < self._seconds():
            return None
        return given.files.get(path)


def _reader(visit: Visit) -> tuple[str, str]:
    return visit.actor.user, visit.actor.address
