"""Rate limits: how many requests a minute an account, and an address, may make.

Off unless configured, and never on reads unless that is configured too. Counted in this process: with several nodes
behind a balancer each has its own count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import ip_address, ip_network

from cachetools import LRUCache

from pakhus.domain.errors import TooManyRequests
from pakhus.domain.security import Actor

READS = frozenset({"GET", "HEAD", "OPTIONS"})
KEPT = 100_000
"""Accounts and addresses that are counted at once."""


class Limits:
    def __init__(
        self,
        *,
        per_user: int | None = None,
        per_address: int | None = None,
        reads: bool = False,
        exempt: Sequence[str] = (),
        seconds: Callable[[], float],
    ) -> None:
        self._per_user = per_user
        self._per_address = per_address
        self._reads = reads
        self._exempt = [ip_network(each) for each in exempt]
        self._seconds = seconds
        self._buckets: LRUCache[tuple[str, str], tuple[float, float]] = LRUCache(KEPT)

    @property
    def on_reads(self) -> bool:
        """Does every read have to be counted?"""
        return self._reads and (self._per_user is not None or self._per_address is not None)

    def arrive(self, method: str, address: str) -> None:
        """Before anything is asked of anybody. Raises `TooManyRequests`."""
        if self._per_address is not None and self._counts(method, address):
            self._take(("", address), self._per_address)

    def identified(self, method: str, actor: Actor) -> None:
        """Once it is known who asks. Raises `TooManyRequests`."""
        if self._per_user is not None and not actor.anonymous and self._counts(method, actor.address):
            self._take((actor.user, actor.source), self._per_user)

    def _counts(self, method: str, address: str) -> bool:
        if method in READS and not self._reads:
            return False
        try:
            parsed = ip_address(address)
        except ValueError:
            return True
        return not any(parsed in network for network in self._exempt)

    def _take(self, key: tuple[str, str], limit: int) -> None:
        """One of the key's allowance, which is filled up evenly: at most a minute's worth at once."""
        now = self._seconds()
        left, since = self._buckets.get(key, (float(limit), now))
        left = min(float(limit), left + (now - since) * limit / 60)
        if left < 1:
            self._buckets[key] = (left, now)
            wait = int((1 - left) * 60 / limit) + 1
            raise TooManyRequests(f"more than {limit} requests a minute: slow down", retry_after=wait)
        self._buckets[key] = (left - 1, now)
