"""All outbound requests of a process: `Upstreams` on aiohttp.

A request is a chain of hops (redirects are followed here, by hand), a hop is one exchange or two (the second answers a
401), and every exchange passes the guard. Retries start the chain anew, before any byte of a body has been given out.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial

import aiohttp
from yarl import URL

from pakhus import __version__
from pakhus.domain.errors import Blocked, UpstreamBlocked, UpstreamDown, UpstreamRefused
from pakhus.domain.repository import Remote
from pakhus.remote.answer import Answer
from pakhus.remote.authorization import MAX_TOKEN_ANSWER, Authorization, credentials
from pakhus.remote.autoblock import Attempt, AutoBlock, Key
from pakhus.remote.failures import FAILURES, down
from pakhus.remote.guard import Guard, OutOfReach, Reach
from pakhus.remote.location import directory, host, origin, redirected, target
from pakhus.remote.pools import Pools, proxy

MAX_REDIRECTS = 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_FOR_FIRST_ORIGIN = frozenset({"authorization", "cookie", "proxy-authorization"})
_OURS = frozenset({"accept-encoding", "user-agent", "host", "content-length", "connection", "transfer-encoding"})
_FIRST_BACKOFF, _LONGEST_BACKOFF, _LONGEST_RETRY_AFTER = 0.25, 5.0, 2.0  # seconds
_DRAINED = 64 * 1024  # bytes of an unwanted body that are read to keep its connection
_DRAIN_TIME = 1.0


@dataclass(frozen=True, slots=True)
class _Ask:
    """What a caller wants: the same for all hops and retries. `base` is the remote's URL, `url` the first target."""

    remote: Remote
    base: URL
    url: URL
    headers: Mapping[str, str]
    once: bool = False


@dataclass(frozen=True, slots=True)
class _Hop:
    """One URL of the chain. `led_by` is the reach of the host that redirected here."""

    url: URL
    method: str
    body: bytes | None
    led_by: Reach | None = None


class HttpUpstreams:
    """One for a process, made in its event loop's thread. `clock` is monotonic, in seconds."""

    def __init__(
        self,
        *,
        guard: Guard | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._guard = guard or Guard()
        self._sleep = sleep
        self._pools = Pools(self._guard)
        self._authorization = Authorization(clock)
        self._autoblock = AutoBlock(clock)
        self._unlimited = AutoBlock(clock, threshold=math.inf)

    @asynccontextmanager
    async def request(
        self,
        remote: Remote,
        location: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        once: bool = False,
    ) -> AsyncIterator[Answer]:
        """See `pakhus.remote.client.Upstreams`.

        An `Authorization` header of the caller replaces the remote's credentials, and like a `Cookie` it only goes to
        the origin of `location`.
        """
        base = directory(remote.url)
        url = target(base, location)
        given = {name.lower(): value for name, value in (headers or {}).items() if name.lower() not in _OURS}
        with self._attempt(remote, base, url) as attempt:
            response = await self._tried(_Ask(remote, base, url, given, once), _Hop(url, method.upper(), body), attempt)
            try:
                yield Answer(response, attempt.failed)
            finally:
                response.release()

    def status(self, remote: Remote) -> str:
        """Whether the remote is asked, in Nexus's words."""
        if remote.blocked:
            return "Remote Manually Blocked"
        if remote.auto_block and self._autoblock.is_blocked(_key(remote, directory(remote.url))):
            return "Remote Auto Blocked and Unavailable"
        return "Remote Available"

    async def close(self) -> None:
        """Close all connections."""
        await self._pools.close()

    def _attempt(self, remote: Remote, base: URL, url: URL) -> AbstractContextManager[Attempt]:
        if remote.blocked:
            raise UpstreamBlocked(f"{host(base)} is blocked by an administrator")
        block = self._autoblock if remote.auto_block else self._unlimited
        # A foreign host that fails says nothing about the remote's own, so it is counted apart.
        return block.attempt(_key(remote, url), host(url))

    async def _tried(self, ask: _Ask, hop: _Hop, attempt: Attempt) -> aiohttp.ClientResponse:
        try:
            response = await self._retried(ask, hop)
        except UpstreamRefused:
            raise  # it did answer
        except UpstreamDown:
            attempt.failed()
            raise
        attempt.answered(response.status)
        return response

    async def _retried(self, ask: _Ask, hop: _Hop) -> aiohttp.ClientResponse:
        left = ask.remote.connection.retries if hop.method in ("GET", "HEAD") else 0
        pause = _FIRST_BACKOFF
        while True:
            try:
                response = await self._followed(ask, hop)
                wait = _retry_after(response) if left > 0 else None
                if wait is None:
                    return response
                await _discard(response)
            except UpstreamDown as error:
                if left <= 0 or isinstance(error, UpstreamRefused):
                    raise
                wait, pause = pause, min(pause * 2, _LONGEST_BACKOFF)
            left -= 1
            await self._sleep(wait)

    async def _followed(self, ask: _Ask, hop: _Hop) -> aiohttp.ClientResponse:
        seen: set[tuple[str, URL]] = set()
        for _ in range(MAX_REDIRECTS + 1):
            if (hop.method, hop.url) in seen and not ask.remote.connection.circular_redirects:
                raise UpstreamRefused(f"{host(hop.url)} redirects in a circle")
            seen.add((hop.method, hop.url))
            response, reach = await self._authorized(ask, hop)
            leads_to = response.headers.get("Location")
            if response.status not in _REDIRECTS or not leads_to or ask.once:
                return response
            await _discard(response)
            hop = _next(ask, hop, response.status, leads_to, reach)
        raise UpstreamRefused(f"{host(ask.url)} redirects more than {MAX_REDIRECTS} times")

    async def _authorized(self, ask: _Ask, hop: _Hop) -> tuple[aiohttp.ClientResponse, Reach]:
        """Send the hop, and once more with an answer to the challenge of a 401."""
        if "authorization" in ask.headers or ask.once:
            return await self._sent(ask, hop, None)
        tried = self._authorization.first(ask.remote, ask.base, hop.url)
        response, reach = await self._sent(ask, hop, tried)
        if response.status != 401:
            return response, reach
        try:
            better = await self._authorization.answer(
                ask.remote,
                ask.base,
                hop.url,
                headers=response.headers.getall("WWW-Authenticate", ()),
                tried=tried,
                fetch=partial(self._token, ask, reach),
            )
        except BaseException:
            response.release()
            raise
        if better is None:
            return response, reach
        await _discard(response)
        return await self._sent(ask, hop, better)

    async def _token(self, ask: _Ask, reach: Reach, realm: URL, authorization: str | None) -> tuple[int, bytes]:
        """Ask a token service, which the remote (of this reach) has named; its redirects are not followed."""
        anew = replace(ask, headers={}, url=realm)
        response, _ = await self._sent(anew, _Hop(realm, "GET", None, led_by=reach), authorization)
        try:
            body = bytearray()
            async for chunk in Answer(response, lambda: None).chunks():
                body += chunk
                if len(body) > MAX_TOKEN_ANSWER:
                    raise UpstreamDown(f"{host(realm)} gave a token that is too large")
            return response.status, bytes(body)
        finally:
            response.release()

    async def _sent(self, ask: _Ask, hop: _Hop, authorization: str | None) -> tuple[aiohttp.ClientResponse, Reach]:
        """Send to the addresses that the guard allows, and say of which reach they were. Raises `Blocked`."""
        name, is_own = host(hop.url), origin(hop.url) == origin(ask.base)
        proxied = bool(ask.remote.connection.proxy_url)
        refusal: OutOfReach | None = None
        for reach in self._ways(hop, name):
            try:
                if reach is Reach.PRIVATE and not (is_own or hop.led_by or await self._is_on_premises(ask)):
                    break
                self._guard.check(name, reach)
                response = await self._exchanged(ask, hop, reach, authorization)
            except OutOfReach as refused:
                refusal = refused
                if refused.reach is Reach.FORBIDDEN:
                    break
                continue
            if is_own and hop.led_by is None and not proxied:
                self._guard.remember(name, reach)
            return response, reach
        raise refusal or Blocked(f"{name} may not be connected to")

    def _ways(self, hop: _Hop, name: str) -> tuple[Reach, ...]:
        """The reaches to try: the remote itself may be private, and a private host may lead to another."""
        if hop.led_by is Reach.PUBLIC:
            return (Reach.PUBLIC,)
        if self._guard.likely(name) is Reach.PRIVATE:
            return (Reach.PRIVATE, Reach.PUBLIC)
        return (Reach.PUBLIC, Reach.PRIVATE)

    async def _is_on_premises(self, ask: _Ask) -> bool:
        proxied = bool(ask.remote.connection.proxy_url)
        return await self._guard.is_private(host(ask.base), ask.base.port or 0, proxied=proxied)

    async def _exchanged(self, ask: _Ask, hop: _Hop, reach: Reach, authorization: str | None) -> aiohttp.ClientResponse:
        session = await self._pools.session(ask.remote, reach)
        timeout = ask.remote.connection.timeout
        try:
            return await session.request(
                hop.method,
                hop.url,
                headers=_headers(ask, hop, authorization),
                data=hop.body,
                allow_redirects=False,
                proxy=proxy(ask.remote),
                # `connect` includes name resolution and TLS. There is none for the whole: large files take their time.
                timeout=aiohttp.ClientTimeout(total=None, connect=timeout, sock_connect=timeout, sock_read=timeout),
                skip_auto_headers=("Content-Type",),
            )
        except FAILURES as error:
            raise down(error, host(hop.url)) from error


def _key(remote: Remote, url: URL) -> Key:
    scheme, name, port = origin(url)
    return remote.url, f"{scheme}://{name}:{port}"


def _headers(ask: _Ask, hop: _Hop, authorization: str | None) -> dict[str, str]:
    headers = dict(ask.headers)
    if origin(hop.url) != origin(ask.url):
        headers = {name: value for name, value in headers.items() if name not in _FOR_FIRST_ORIGIN}
    if hop.body is None:
        headers.pop("content-type", None)
    if authorization is not None:
        headers["authorization"] = authorization
    headers["accept-encoding"] = "identity"
    headers["user-agent"] = f"Pakhus/{__version__} {ask.remote.connection.user_agent_suffix}".strip()
    return headers


def _next(ask: _Ask, hop: _Hop, status: int, leads_to: str, reach: Reach) -> _Hop:
    """The hop that a redirect asks for (RFC 9110 section 15.4). Raises `Blocked`, `UpstreamRefused`."""
    url = redirected(hop.url, leads_to)
    if hop.url.scheme == "https" and url.scheme == "http" and credentials(ask.remote, ask.base) is not None:
        raise Blocked(
            f"{host(hop.url)} redirects from https to http, which is refused where credentials are configured"
        )
    becomes_get = (status == 303 and hop.method != "HEAD") or (status in (301, 302) and hop.method == "POST")
    return _Hop(url, "GET" if becomes_get else hop.method, None if becomes_get else hop.body, led_by=reach)


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    """Seconds after which the upstream wants to be asked again, if that is soon."""
    wait = response.headers.get("Retry-After", "").strip()
    if response.status not in (429, 503) or not (wait.isascii() and wait.isdigit()):
        return None
    return float(wait) if len(wait) < 4 and float(wait) <= _LONGEST_RETRY_AFTER else None


async def _discard(response: aiohttp.ClientResponse) -> None:
    """Read a short unwanted body, so that its connection can be used again."""
    with suppress(*FAILURES):
        async with asyncio.timeout(_DRAIN_TIME):
            left = _DRAINED
            async for chunk in response.content.iter_any():
                left -= len(chunk)
                if left < 0:
                    break
    response.release()
