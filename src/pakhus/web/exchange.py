"""One HTTP request and its answer, as the gateway sees them: headers, body, base URL, client address."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from pakhus.domain.errors import BadPath, Invalid, TooLarge

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Gone(Invalid):
    """The client went away before its body was whole."""


class Exchange:
    """A request. Header names are lower case; the last of equal names wins, `x-forwarded-*` only from known proxies."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, max_body: int | None = None) -> None:
        self.scope = scope
        self.send = send
        self._receive = receive
        self._max_body = max_body
        self._received = 0
        self.method: str = scope["method"]
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self.consumed = False

    @property
    def target(self) -> str:
        """The path as it came, still percent-encoded."""
        raw: bytes = self.scope.get("raw_path") or self.scope["path"].encode()
        return raw.partition(b"?")[0].decode("ascii", "replace")

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The query, as it came."""
        text = self.scope["query_string"].decode("latin-1")
        return parse_qsl(text, keep_blank_values=True) if text else []

    @property
    def query(self) -> dict[str, str]:
        return dict(self.pairs)

    @property
    def size(self) -> int | None:
        length = self.headers.get("content-length")
        return int(length) if length is not None and length.isdigit() else None

    @property
    def request_id(self) -> str:
        return str(self.scope.get("state", {}).get("request_id", ""))

    def note(self, **fields: Any) -> None:
        """Fields for the one log line of this request."""
        self.scope.setdefault("state", {}).setdefault("log", {}).update(fields)

    def logged(self) -> dict[str, Any]:
        """What the log line of this request says whoever sends it, and whenever."""
        fields = self.scope.get("state", {}).get("log", {})
        return {"outcome": "ok", **fields, "method": self.method, "path": self.scope["path"]}

    def check_size(self) -> None:
        """Raises `TooLarge` for a body that says itself that it is."""
        if self._max_body is not None and (self.size or 0) > self._max_body:
            raise TooLarge(f"the body is larger than {self._max_body} bytes")

    async def receive(self) -> MutableMapping[str, Any]:
        """The next message. Raises `TooLarge` once there is more of the body than is accepted."""
        message = await self._receive()
        self._received += len(message.get("body", b""))
        if self._max_body is not None and self._received > self._max_body:
            raise TooLarge(f"the body is larger than {self._max_body} bytes")
        return message

    async def body(self) -> AsyncIterator[bytes]:
        """The request's body as it arrives. Raises `Gone` when it is cut."""
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise Gone("the connection was closed before the body was complete")
            if chunk := message.get("body", b""):
                yield chunk
            if not message.get("more_body", False):
                self.consumed = True
                return


def decoded(path: str) -> str:
    """A percent-encoded path, decoded once and for all."""
    try:
        return unquote_to_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadPath("the path is not UTF-8") from error


class Origins:
    """Where a request came from and how it was addressed; proxies are believed only when they are configured."""

    def __init__(self, base_url: str, trusted: Sequence[str], *, override: Callable[[], str] = lambda: "") -> None:
        """`base_url` is configured, `override` what an administrator has set at run time; empty for neither."""
        self._base_url = base_url.rstrip("/")
        self._override = override
        self._trusted: list[Network] = [ipaddress.ip_network(each, strict=False) for each in trusted]

    def address(self, exchange: Exchange) -> str:
        """The client's address: the last hop of X-Forwarded-For that is not a proxy of ours."""
        peer = exchange.scope.get("client")
        address = peer[0] if peer else ""
        if not self._trusts(address):
            return address
        for hop in reversed(exchange.headers.get("x-forwarded-for", "").split(",")):
            if hop.strip() and not self._trusts(address := hop.strip()):
                return address
        return address

    def is_by_proxy(self, exchange: Exchange) -> bool:
        """Did a proxy that is believed hand the request over?"""
        peer = exchange.scope.get("client")
        return peer is not None and self._trusts(peer[0])

    def base_url(self, exchange: Exchange, *, own_door: bool = False) -> str:
        """The URL of the server as the client addressed it, without a trailing slash.

        A repository with a door of its own is not at the URL that is configured for the server.
        """
        if not own_door and (known := self._override() or self._base_url):
            return known
        scheme = exchange.scope["scheme"]
        host = exchange.headers.get("host", "")
        peer = exchange.scope.get("client")
        prefix = ""
        if peer and self._trusts(peer[0]):
            scheme = str(exchange.headers.get("x-forwarded-proto", scheme)).split(",")[0].strip()
            host = exchange.headers.get("x-forwarded-host", host).split(",")[0].strip()
            host = _with_port(host, exchange.headers.get("x-forwarded-port", "").split(",")[0].strip(), scheme)
            prefix = exchange.headers.get("x-forwarded-prefix", "").rstrip("/")
        if not host:
            server = exchange.scope.get("server") or ("localhost", None)
            host = f"{server[0]}:{server[1]}" if server[1] else str(server[0])
        if scheme not in ("http", "https") or any(c in host for c in "/\\@?# \t<>\"'"):
            raise Invalid("malformed Host or X-Forwarded-Proto")
        return f"{scheme}://{host}{prefix}"

    def host(self, exchange: Exchange) -> str:
        """The host that the client addressed, with its port where it gave one."""
        host: str = exchange.headers.get("host", "")
        peer = exchange.scope.get("client")
        if peer and self._trusts(peer[0]):
            host = str(exchange.headers.get("x-forwarded-host", host)).split(",")[0].strip()
        return host

    def _trusts(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._trusted)


def _with_port(host: str, port: str, scheme: str) -> str:
    default = {"http": "80", "https": "443"}.get(scheme)
    if not port.isdigit() or port == default or ":" in host.rpartition("]")[2]:
        return host
    return f"{host}:{port}"
