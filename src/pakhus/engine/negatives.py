"""What upstream did not have, remembered for a while in this process. Losing it costs a question, never an answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from pakhus.domain.repository import Repository
from pakhus.engine.memory import Memory

CAPACITY = 100_000


class Negatives:
    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._absent: Memory[tuple[float, datetime | None]] = Memory(CAPACITY)

    def remember(self, repository: Repository, path: str) -> None:
        remote = repository.remote
        if remote is None or not remote.negative_cache or remote.negative_ttl == 0:
            return
        ttl = remote.negative_ttl * 60 if remote.negative_ttl > 0 else float("inf")
        self._absent.put((repository.id, path), (self._seconds() + ttl, repository.invalidated))

    def has(self, repository: Repository, path: str) -> bool:
        remote = repository.remote
        found = self._absent.get((repository.id, path))
        if found is None or remote is None or not remote.negative_cache:
            return False
        expires, invalidated = found
        return self._seconds() < expires and invalidated == repository.invalidated

    def forget(self, repository: Repository, path: str) -> None:
        self._absent.drop((repository.id, path))
