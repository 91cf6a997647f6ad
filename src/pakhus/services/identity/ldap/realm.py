"""The LDAP realm: the servers in their order, what they said lately, and rest for those that do not answer."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import structlog
from cachetools import TTLCache

from pakhus.database import directories, values
from pakhus.database.directories import ServerRow
from pakhus.database.transaction import Database, Transaction
from pakhus.database.vault import Vault
from pakhus.remote.ldap.client import DirectoryDown
from pakhus.services.identity.ldap.lookup import SOURCE, Lookup
from pakhus.services.identity.ldap.settings import LdapSettings
from pakhus.services.identity.realm import Directory, Door, Identity, Listed

log = structlog.get_logger()
CACHE = "ldap-cache"
"""A value that changes when an administrator wants everything asked anew."""
AT_ONCE = 16
Trusted = Callable[[], Awaitable[Sequence[str]]]
"""Certificates (PEM) of the server's own trust store."""
Answer = TypeVar("Answer")


async def nothing_more() -> Sequence[str]:
    return ()


class LdapRealm(Directory):
    id = "LdapRealm"
    name = "LDAP Realm"
    source = SOURCE
    source_name = "LDAP"

    def __init__(
        self,
        database: Database,
        vault: Vault,
        *,
        cache_seconds: float,
        ca_file: Path | None,
        seconds: Callable[[], float],
        trusted: Trusted = nothing_more,
    ) -> None:
        self._database = database
        self._vault = vault
        self._ca_file = ca_file
        self._seconds = seconds
        self.trusted = trusted
        self._proven: TTLCache[bytes, Identity] = TTLCache(10_000, cache_seconds, timer=seconds)
        self._found: TTLCache[str, Identity] = TTLCache(10_000, cache_seconds, timer=seconds)
        self._asking: dict[bytes, asyncio.Future[Identity | None]] = {}
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._generation = -1
        self._loaded: tuple[Any, ...] = ()
        self._servers: list[_Server] = []

    async def by_password(self, username: str, password: str, door: Door) -> Identity | None:
        """However many requests bring the same password at once, the servers are asked once."""
        await self._refresh()
        if not self._servers:
            return None
        key = hashlib.sha256(f"{username}\0{password}".encode()).digest()
        if (known := self._proven.get(key)) is not None:
            return known
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.ensure_future(self._authenticated(key, username, password))
            asking.add_done_callback(lambda done: self._asking.pop(key, None))
        return await asyncio.shield(asking)

    async def _authenticated(self, key: bytes, username: str, password: str) -> Identity | None:
        loaded = self._loaded
        found = await self._first(lambda lookup: lookup.authenticate(username, password))
        if found is not None and loaded is self._loaded:
            self._proven[key] = found
            self._found[found.user_id] = found
        return found

    async def find(self, user_id: str) -> Identity | None:
        await self._refresh()
        if (known := self._found.get(user_id)) is not None:
            return known
        loaded = self._loaded
        found = await self._first(lambda lookup: lookup.find(user_id))
        if found is not None and loaded is self._loaded:
            self._found[user_id] = found
        return found

    async def search(self, prefix: str, *, limit: int) -> Sequence[Listed]:
        await self._refresh()
        people: dict[str, Listed] = {}
        down: DirectoryDown | None = None
        for server in self._servers:
            try:
                found = await self._asked(server, lambda lookup: lookup.listed(prefix, limit=limit))
            except DirectoryDown as error:
                down = error
            else:
                people = {**{each.user_id: each for each in found}, **people}
        if down is not None and not people:
            raise down
        return [people[name] for name in sorted(people)[:limit]]

    # -- the servers -----------------------------------------------------------------------------------------------

    async def _first(self, ask: Callable[[Lookup], Awaitable[Identity | None]]) -> Identity | None:
        """What the first server that knows says. Raises `DirectoryDown` if none does, and one could not be asked."""
        down: DirectoryDown | None = None
        for server in self._servers:
            try:
                found = await self._asked(server, ask)
            except DirectoryDown as error:
                down = error
            else:
                if found is not None:
                    return found
        if down is not None:
            raise down
        return None

    async def _asked(self, server: _Server, ask: Callable[[Lookup], Awaitable[Answer]]) -> Answer:
        """Raises `DirectoryDown`; after some incidents at once, until the server has had its rest."""
        server.refuse_at_rest(self._seconds())
        lookup = Lookup(server.settings, await self._trusting(server.settings))
        try:
            async with self._at_once:
                answer = await ask(lookup)
        except DirectoryDown as error:
            server.incident(error, self._seconds())
            raise
        server.incidents = 0
        return answer

    async def _trusting(self, settings: LdapSettings) -> Callable[[], ssl.SSLContext]:
        more = await self.trusted() if settings.use_trust_store else ()
        return lambda: trusting(self._ca_file, more)

    def lookup(self, settings: LdapSettings, more: Sequence[str]) -> Lookup:
        """A server that is not, or not yet, one of the realm's."""
        return Lookup(settings, lambda: trusting(self._ca_file, more))

    async def _refresh(self) -> None:
        """The servers as they are configured now; what was cached goes if they, or the cache's key, have changed."""
        generation = self._database.generation.configuration
        if generation == self._generation:
            return
        loaded = await self._database.read(_load)
        if loaded != self._loaded:
            self._loaded = loaded
            self._servers = [_Server(self._settings(row)) for row in loaded[0]]
            self._proven.clear()
            self._found.clear()
        self._generation = generation

    def _settings(self, row: ServerRow) -> LdapSettings:
        return LdapSettings.of(self._vault.open(dict(row.settings)))


class _Server:
    def __init__(self, settings: LdapSettings) -> None:
        self.settings = settings
        self.incidents = 0
        self._rests_until = 0.0
        self._reason = ""

    def incident(self, error: DirectoryDown, now: float) -> None:
        self.incidents += 1
        self._reason = error.message
        log.warning("ldap_server_down", server=self.settings.name, reason=error.message, incidents=self.incidents)
        if self.incidents >= self.settings.max_incidents_count:
            self._rests_until = now + self.settings.connection_retry_delay_seconds

    def refuse_at_rest(self, now: float) -> None:
        if self.incidents and now < self._rests_until:
            left = int(self._rests_until - now) + 1
            raise DirectoryDown(f"{self._reason}; it is asked again in {left} s")


def _load(tx: Transaction) -> tuple[Any, ...]:
    return directories.servers(tx), values.get(tx, CACHE)


def trusting(ca_file: Path | None, more: Sequence[str]) -> ssl.SSLContext:
    """Trusts what the system trusts, a configured file, and the trust store's certificates."""
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(cafile=str(ca_file))
    if more:
        context.load_verify_locations(cadata="\n".join(more))
    return context
