"""Login throttling: after some wrong passwords, an account from an address, and an address, have to wait.

The counts are rows, so that all nodes go by the same. An account is locked per address, so that nobody can lock others
out; who exempts an address (a build farm behind one) vouches for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network

from pakhus.database import sessions
from pakhus.database.sessions import Lockout
from pakhus.database.transaction import Database
from pakhus.domain.errors import NotFound, TooManyRequests


class Throttle:
    def __init__(
        self,
        database: Database,
        *,
        per_account: int,
        per_address: int,
        minutes: int,
        exempt: Sequence[str],
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._per_account = per_account
        self._per_address = per_address
        self._window = timedelta(minutes=minutes)
        self._exempt = [ip_network(each) for each in exempt]
        self._now = now

    async def check(self, user: str, address: str) -> bool:
        """Has this login failed lately? Raises `TooManyRequests` when it has to wait."""
        if self._is_exempt(address):
            return False
        found = await self._database.glance(sessions.failures, user, address)
        if found.get(user, 0) >= self._per_account or found.get("", 0) >= self._per_address:
            raise TooManyRequests(
                "too many failed logins; wait a few minutes before the next",
                retry_after=int(self._window.total_seconds()),
            )
        return user in found

    async def failed(self, user: str, address: str) -> None:
        if not self._is_exempt(address):
            users = [user, ""] if user else [""]
            await self._database.write(sessions.count_failure, users, address, self._now() + self._window)

    async def succeeded(self, user: str, address: str) -> None:
        await self._database.write(sessions.clear_failures, user, address)

    async def locked(self) -> list[Lockout]:
        """Who has to wait now."""
        found = await self._database.read(sessions.lockouts)
        return [each for each in found if each.failures >= (self._per_account if each.user_id else self._per_address)]

    async def unlock(self, user: str, address: str | None) -> None:
        """Forget the failures of a user, or (empty) of an address."""
        if not await self._database.write(sessions.clear_failures, user, address):
            raise NotFound("nobody of that name is locked out")

    def _is_exempt(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._exempt)
