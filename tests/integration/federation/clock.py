"""Time as a test wants it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass
class Ahead:
    """A clock that a test puts forward."""

    by: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.by

    def seconds(self) -> float:
        return time.monotonic() + self.by.total_seconds()

    def pass_(self, *, seconds: float) -> None:
        self.by += timedelta(seconds=seconds)
