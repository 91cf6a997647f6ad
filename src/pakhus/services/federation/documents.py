"""JSON documents of identity providers (discovery, key sets), fetched like any upstream and remembered for a while.

They go through `pakhus.remote`, so that its guard, time-outs and certificate authorities count. A provider that is away
does not matter while a copy of its document is younger than a day. Nobody who sends rubbish makes us ask more often:
there is one request at a time, and a pause after each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from cachetools import LRUCache

from pakhus.domain.errors import Invalid, PakhusError, Unavailable, UpstreamDown
from pakhus.domain.repository import Connection, Remote
from pakhus.kit.wire import parse_json, read_body
from pakhus.remote.client import Upstreams

LARGEST = 1 << 20
TIMEOUT = 10.0
FRESH = 600.0
STALE = 86_400.0
PAUSE = 10.0
"""Seconds: a copy is used unasked, is used while the provider is away; between two requests for one document."""

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class ProviderAway(Unavailable):
    """The identity provider could not be asked: nothing is said about the credentials."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a provider's documents are: `ca` are certificates (PEM) to trust instead of the system's."""

    url: str
    ca: str = ""
    insecure: bool = False


@dataclass(slots=True)
class _Kept:
    value: Any = None
    fetched: float = -STALE
    tried: float = -STALE
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Documents:
    def __init__(self, upstreams: Upstreams, seconds: Callable[[], float]) -> None:
        self._upstreams = upstreams
        self._seconds = seconds
        self._kept: LRUCache[Place, _Kept] = LRUCache(512)

    async def read(self, place: Place, *, newer: bool = False) -> Any:
        """The document. `newer`: the copy lacks something, so ask again unless that was done a moment ago.

        Raises `ProviderAway`.
        """
        kept = self._kept.setdefault(place, _Kept())
        if not self._wants(kept, newer):
            return self._usable(kept, place)
        async with kept.lock:
            if self._wants(kept, newer):
                kept.tried = self._seconds()
                try:
                    kept.value = await self._fetched(place)
                    kept.fetched = self._seconds()
                except PakhusError as error:
                    if kept.value is None:
                        raise ProviderAway(f"the identity provider at {_host(place.url)} cannot be asked") from error
        return self._usable(kept, place)

    def _wants(self, kept: _Kept, newer: bool) -> bool:
        now = self._seconds()
        return (newer or now - kept.fetched >= FRESH) and now - kept.tried >= PAUSE

    def _usable(self, kept: _Kept, place: Place) -> Any:
        if kept.value is None or self._seconds() - kept.fetched >= STALE:
            raise ProviderAway(f"the identity provider at {_host(place.url)} cannot be asked")
        return kept.value

    async def _fetched(self, place: Place) -> Any:
        status, body = await self.send(place)
        if status != 200 or not isinstance(body, dict):
            raise UpstreamDown(f"{_host(place.url)} answered {status}")
        return body

    async def send(
        self, place: Place, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Status and parsed JSON (`None` for anything else) of a GET, or of a POST of a form."""
        check(place)
        remote = Remote(place.url, auto_block=False, connection=Connection(timeout=TIMEOUT, ca_certificates=place.ca))
        given = {"accept": "application/json", **(headers or {})}
        if form is not None:
            given["content-type"] = "application/x-www-form-urlencoded"
        body = None if form is None else urlencode(form).encode()
        asked = self._upstreams.request(
            remote, place.url, method="GET" if form is None else "POST", headers=given, body=body
        )
        try:
            async with asyncio.timeout(TIMEOUT * 2), asked as answer:
                check(Place(answer.url, insecure=place.insecure))  # a redirect must not lead off TLS
                return answer.status, _parsed(await read_body(answer.chunks(), limit=LARGEST))
        except TimeoutError as error:
            raise UpstreamDown(f"{_host(place.url)} took too long") from error


def check(place: Place) -> None:
    """Raises `Invalid` for a URL that nobody may be asked at: what is read there decides who somebody is."""
    parts = urlsplit(place.url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise Invalid(f"{place.url!r} is not an https URL")
    if parts.scheme == "http" and not place.insecure and parts.hostname not in LOOPBACK:
        raise Invalid(f"{place.url} is not https: whoever is on the way could log in as anybody")


def _parsed(body: bytes) -> Any:
    try:
        return parse_json(body)
    except Invalid:
        return None


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""
