"""Connection pools: one per combination of settings that connections depend on.

Pools of different reach are apart, so that a connection which one remote may have to a private host is never handed to
a request that may not.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Hashable

import aiohttp
from yarl import URL

from pakhus.domain.errors import UpstreamDown
from pakhus.domain.repository import Remote
from pakhus.remote.guard import EITHER, Guard, Reach

READ_BUFFER = 256 * 1024  # bytes a response may have waiting; reading from the socket stops at twice as many
_LONGEST_HEADER = 32 * 1024
_MOST_HEADERS = 256


class Pools:
    """The sessions of a process, made when they are first needed."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._sessions: dict[Hashable, aiohttp.ClientSession] = {}
        self._contexts: dict[str, ssl.SSLContext] = {}

    async def session(self, remote: Remote, reach: Reach) -> aiohttp.ClientSession:
        """The session for requests of this remote to hosts of this reach. Raises `UpstreamDown` for bad settings."""
        connection = remote.connection
        # Cookies are kept per remote and user: two remotes on one host must not share a login.
        owner = (remote.url, remote.authentication) if connection.cookies else None
        # Behind a proxy all connections lead to the proxy, wherever it may be.
        allowed = EITHER if connection.proxy_url else frozenset({reach})
        key = (connection.proxy_url, connection.ca_certificates, owner, allowed)
        if key not in self._sessions:
            context = await self._context(connection.ca_certificates)
            if key not in self._sessions:
                self._sessions[key] = self._opened(context, allowed, cookies=connection.cookies)
        return self._sessions[key]

    def _opened(self, context: ssl.SSLContext, allowed: frozenset[Reach], *, cookies: bool) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            ssl=context,
            resolver=self._guard.resolver(allowed),
            socket_factory=self._guard.socket_factory(allowed),
            # Requests are bounded by those that come in; a limit here would let slow readers starve the others.
            limit=0,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.CookieJar() if cookies else aiohttp.DummyCookieJar(),
            auto_decompress=False,  # `coding` does it, in bounded memory
            raise_for_status=False,
            read_bufsize=READ_BUFFER,
            max_line_size=_LONGEST_HEADER,
            max_field_size=_LONGEST_HEADER,
            max_headers=_MOST_HEADERS,
            trust_env=False,
        )

    async def _context(self, ca_certificates: str) -> ssl.SSLContext:
        if ca_certificates not in self._contexts:
            try:
                context = await asyncio.to_thread(_trusting, ca_certificates)
            except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
                raise UpstreamDown("the CA certificates of the remote cannot be read") from error
            self._contexts.setdefault(ca_certificates, context)
        return self._contexts[ca_certificates]

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()


def _trusting(ca_certificates: str) -> ssl.SSLContext:
    """The system's authorities, and those given: PEM text, or the path of a file."""
    context = ssl.create_default_context()
    if "-----BEGIN" in ca_certificates:
        context.load_verify_locations(cadata=ca_certificates)
    elif ca_certificates:
        context.load_verify_locations(cafile=ca_certificates)
    return context


def proxy(remote: Remote) -> URL | None:
    """The outbound proxy; user information in its URL is sent as `Proxy-Authorization`. Raises `UpstreamDown`."""
    if not remote.connection.proxy_url:
        return None
    try:
        url = URL(remote.connection.proxy_url)
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise UpstreamDown("the URL of the outbound proxy is not valid")
    return url
