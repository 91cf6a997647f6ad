"""Login throttling: after some wrong passwords, an account from an address, and an address, have to wait."""

from __future__ import annotations

from collections.abc import Callable

from cachetools import TTLCache

from pakhus.domain.errors import TooManyRequests

PER_ACCOUNT = 10
PER_ADDRESS = 50
WINDOW_SECONDS = 300.0


class Throttle:
    """Counts failures in this process. An account is throttled per address, so that nobody can lock others out."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._failures: TTLCache[tuple[str, str], int] = TTLCache(100_000, WINDOW_SECONDS, timer=seconds)

    def check(self, user: str, address: str) -> None:
        """Raise `TooManyRequests` when this login has to wait."""
        if self._failures.get((user, address), 0) >= PER_ACCOUNT or self._failures.get(("", address), 0) >= PER_ADDRESS:
            raise TooManyRequests(
                "too many failed logins; wait a few minutes before the next", retry_after=int(WINDOW_SECONDS)
            )

    def failed(self, user: str, address: str) -> None:
        for key in ((user, address), ("", address)):
            self._failures[key] = self._failures.get(key, 0) + 1

    def succeeded(self, user: str, address: str) -> None:
        self._failures.pop((user, address), None)
