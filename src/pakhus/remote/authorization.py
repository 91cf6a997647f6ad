"""How a request to an upstream is authorised: Basic, a fixed bearer token, or the token challenge of registries.

Credentials go to the remote's own origin only (scheme, host, port). The one exception is the token service that a
registry names in its challenge (`WWW-Authenticate: Bearer realm=…`, Distribution specification, "token"): the realm
gets the user's name and password when it is on the remote's own host, or when both the challenge came over https from
the remote's own origin and the realm is https. The second half is needed because large registries keep their token
service on another host; it trusts the registry, which has the same credentials anyway, to name it. Otherwise the token
is asked for anonymously. Tokens, like credentials, only go to the remote's own origin.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from cachetools import LRUCache
from yarl import URL

from pakhus.domain.errors import UpstreamDown, UpstreamRefused
from pakhus.domain.repository import Authentication, Remote
from pakhus.remote.location import host, origin, redirected

MAX_TOKEN_ANSWER = 1024 * 1024
_DEFAULT_LIFETIME = 60.0  # seconds, of a token without `expires_in`
_MARGIN = 5.0  # a token that expires under way is worth nothing
_LONGEST_LIFETIME = 3600.0

_WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_NAME = re.compile(_WORD)
_VALUE = re.compile(rf'\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_WORD}))')
_ESCAPE = re.compile(r"\\(.)")
_SERVICE = re.compile(r"https?://|/", re.IGNORECASE)
"""A realm that is an address; elsewhere it is a mere name (RFC 6750, section 3), and there is nobody to ask."""

Fetch = Callable[[URL, str | None], Awaitable[tuple[int, bytes]]]
"""GET a token service's URL with an `Authorization` value: its status and (bounded) body."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge of a `WWW-Authenticate` header (RFC 9110 section 11.6.1); scheme and names in lower case."""

    scheme: str
    params: tuple[tuple[str, str], ...] = ()

    def get(self, name: str) -> str:
        return dict(self.params).get(name, "")


def challenges(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """All challenges, also several in one header; what cannot be read is skipped."""
    return tuple(challenge for header in headers for challenge in _scanned(header))


def _scanned(header: str) -> list[Challenge]:
    found: list[Challenge] = []
    position = 0
    while position < len(header):
        name = _NAME.match(header, position)
        if name is None:
            position += 1
            continue
        position = name.end()
        value = _VALUE.match(header, position)
        if value is None:
            found.append(Challenge(name[0].lower()))
            continue
        position = value.end()
        if found:
            text = value[2] if value[1] is None else _ESCAPE.sub(r"\1", value[1])
            found[-1] = Challenge(found[-1].scheme, (*found[-1].params, (name[0].lower(), text)))
    return found


def basic(username: str, password: str) -> str:
    """The value of an `Authorization` header (RFC 7617, UTF-8)."""
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode("ascii")


def credentials(remote: Remote, base: URL) -> Authentication | None:
    """The remote's credentials; those in its URL count when no others are set."""
    if remote.authentication is not None:
        return remote.authentication
    if base.user is None and base.password is None:
        return None
    return Authentication(username=base.user or "", password=base.password or "", preemptive=True)


TokenKey = tuple[str, Authentication | None]
MemoryKey = tuple[str, Authentication | None, str]


class Authorization:
    """Chooses the `Authorization` header of requests, and remembers what upstreams asked for.

    `clock` is monotonic, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tokens: LRUCache[TokenKey, tuple[str, float]] = LRUCache(4096)
        self._asked: LRUCache[MemoryKey, TokenKey] = LRUCache(4096)
        self._wants_basic: LRUCache[MemoryKey, bool] = LRUCache(4096)

    def first(self, remote: Remote, base: URL, url: URL) -> str | None:
        """The header to send unasked: preemptive credentials, or what the last request of this kind ended with."""
        if origin(base) != origin(url):
            return None
        own = credentials(remote, base)
        if own is not None and own.type == "bearerToken":
            return f"Bearer {own.bearer_token}"
        token = self._asked.get((remote.url, own, _surroundings(url)))
        held = self._held(token) if token is not None else None
        if held is not None:
            return held
        if own is not None and (own.preemptive or (remote.url, own, "") in self._wants_basic):
            return basic(own.username, own.password)
        return None

    async def answer(
        self, remote: Remote, base: URL, url: URL, *, headers: Iterable[str], tried: str | None, fetch: Fetch
    ) -> str | None:
        """The header that answers a 401 of `url`, or `None` when there is nothing better than what was tried.

        Raises `UpstreamDown` when the token service cannot be asked.
        """
        own = credentials(remote, base)
        if origin(base) != origin(url) or (own is not None and own.type == "bearerToken"):
            return None
        given = challenges(headers)
        for challenge in given:
            if challenge.scheme == "bearer" and _SERVICE.match(challenge.get("realm")):
                return await self._token(remote, url, challenge=challenge, own=own, tried=tried, fetch=fetch)
        if own is None or (given and all(challenge.scheme != "basic" for challenge in given)):
            return None
        value = basic(own.username, own.password)
        if value == tried:
            return None
        self._wants_basic[(remote.url, own, "")] = True
        return value

    async def _token(
        self,
        remote: Remote,
        url: URL,
        *,
        challenge: Challenge,
        own: Authentication | None,
        tried: str | None,
        fetch: Fetch,
    ) -> str | None:
        realm = _realm(url, challenge)
        trusted = own if _may_have_credentials(url, realm) else None
        key = (str(realm), trusted)
        value = self._held(key)
        if value is None or value == tried:
            value = await self._fetched(realm, key, trusted, fetch)
        if value is None or value == tried:
            return None
        self._asked[(remote.url, own, _surroundings(url))] = key
        return value

    async def _fetched(self, realm: URL, key: TokenKey, own: Authentication | None, fetch: Fetch) -> str | None:
        status, body = await fetch(realm, basic(own.username, own.password) if own is not None else None)
        if status == 429 or status >= 500:
            raise UpstreamRefused(f"{host(realm)} gives no token: it answered {status}")
        if status != 200:
            return None
        token, lifetime = _read(body, host(realm))
        self._tokens[key] = (token, self._clock() + lifetime - _MARGIN)
        return f"Bearer {token}"

    def _held(self, key: TokenKey) -> str | None:
        token, expires = self._tokens.get(key, ("", 0.0))
        return f"Bearer {token}" if token and self._clock() < expires else None


def _realm(url: URL, challenge: Challenge) -> URL:
    """The token service's URL with `service` and `scope` (several, separated by spaces, are several parameters)."""
    realm = redirected(url, challenge.get("realm"))
    asked = [("service", challenge.get("service"))] if challenge.get("service") else []
    asked += [("scope", scope) for scope in challenge.get("scope").split()]
    return realm.extend_query(asked)


def _may_have_credentials(url: URL, realm: URL) -> bool:
    if url.scheme == "https":
        return realm.scheme == "https"
    return host(realm) == host(url)


def _surroundings(url: URL) -> str:
    """What URLs that need the same token share: the path without its last two segments.

    `…/name/manifests/tag` and `…/name/blobs/digest` do; a wrong guess costs one challenge.
    """
    return "/".join(url.raw_path.split("/")[:-2])


def _read(body: bytes, service: str) -> tuple[str, float]:
    """Token and lifetime in seconds, of a token service's JSON answer."""
    try:
        answer = json.loads(body)
        token = answer.get("token") or answer.get("access_token")
        lifetime = float(answer.get("expires_in") or _DEFAULT_LIFETIME)
    except (ValueError, AttributeError, TypeError) as error:
        raise UpstreamDown(f"{service} gave a token that cannot be read") from error
    if not isinstance(token, str) or not token or not token.isprintable():
        raise UpstreamDown(f"{service} gave no token")
    return token, min(lifetime, _LONGEST_LIFETIME)
