"""Which addresses a proxy may connect to: the defence against server-side request forgery.

An administrator names a remote's host, so that host may be private (a mirror on the premises). Nobody vouches for where
the upstream then leads: from a public host no redirect and no absolute location may reach a private address. Addresses
that only serve the machine itself (link-local, cloud metadata, unspecified, multicast) are never connected to.

The decision is taken on the address that is connected to, after name resolution: a `Guard.resolver` gives the connector
only permitted addresses, and `Guard.socket_factory` checks each again when the socket is made. A name that resolves
differently the next time (DNS rebinding) thus gains nothing. Behind an outbound proxy the proxy resolves names: there
only literal addresses (and `localhost`) can be judged, and the proxy's own rules have to do the rest.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from aiohttp.abc import AbstractResolver, ResolveResult
from cachetools import LRUCache

from pakhus.domain.errors import Blocked

Address = IPv4Address | IPv6Address
AddrInfo = tuple[
    int | socket.AddressFamily,
    int | socket.SocketKind,
    int,
    str,
    tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes],
]
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class Reach(StrEnum):
    """Who can see an address: everybody, the organisation (or this machine), or nobody that a proxy serves."""

    PUBLIC = "public"
    PRIVATE = "private"
    FORBIDDEN = "forbidden"


EITHER = frozenset({Reach.PUBLIC, Reach.PRIVATE})
_WORST = (Reach.PUBLIC, Reach.PRIVATE, Reach.FORBIDDEN)
_FORBIDDEN_NETWORKS = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network: reaches the machine itself
            "169.254.0.0/16",  # link-local, and the metadata service of most clouds
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved and broadcast
            "100.100.100.200/32",  # metadata of Alibaba Cloud
            "168.63.129.16/32",  # host agent of Azure
            "192.0.0.192/32",  # metadata of Oracle Cloud
        ),
    )
)
_FORBIDDEN_NETWORKS_6 = tuple(
    map(
        IPv6Network,
        (
            "::/128",
            "fe80::/10",  # link-local
            "ff00::/8",  # multicast
            "fd00:ec2::/32",  # metadata and resolvers of AWS
            "fd20:ce::254/128",  # metadata of Google Cloud
        ),
    )
)
_SITE_LOCAL = IPv6Network("fec0::/10")
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/96"))
_COMPATIBLE = IPv6Network("::/96")


def classify(address: Address) -> Reach:
    """The reach of an address. One that carries an IPv4 address inside is as bad as the worse of the two."""
    if isinstance(address, IPv4Address):
        if any(address in network for network in _FORBIDDEN_NETWORKS):
            return Reach.FORBIDDEN
        return Reach.PUBLIC if address.is_global else Reach.PRIVATE
    plain = IPv6Address(int(address))  # without zone id
    if any(plain in network for network in _FORBIDDEN_NETWORKS_6):
        return Reach.FORBIDDEN
    carried = _carried(plain)
    if carried and plain.ipv4_mapped:
        return classify(plain.ipv4_mapped)
    own = Reach.PUBLIC if plain.is_global and plain not in _SITE_LOCAL else Reach.PRIVATE
    return max((own, *map(classify, carried)), key=_WORST.index)


def _carried(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses that an IPv6 address stands for: mapped, 6to4, Teredo, NAT64, compatible."""
    if address.ipv4_mapped:
        return (address.ipv4_mapped,)
    if address.sixtofour:
        return (address.sixtofour,)
    if address.teredo:
        return address.teredo
    low = int(address) & 0xFFFFFFFF
    if any(address in network for network in _NAT64) or (address in _COMPATIBLE and low > 1):
        return (IPv4Address(low),)
    return ()


def literal(host: str) -> Address | None:
    """The address that a host is, in any spelling a socket takes (decimal, octal, hex, short); `None` for a name."""
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host.rstrip(".")))
    except (OSError, ValueError):
        return None


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, from the system's resolver. Raises `OSError`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


class OutOfReach(Blocked):
    """The host has no address that may be connected to. `reach` is the one that it has."""

    def __init__(self, host: str, reach: Reach) -> None:
        if reach is Reach.FORBIDDEN:
            super().__init__(f"{host} has an address that no proxy may connect to (link-local, metadata, multicast)")
        else:
            super().__init__(f"{host} has a {reach} address, which may not be connected to here")
        self.reach = reach


class Guard:
    """Judges hosts and addresses, and remembers how far the hosts of remotes reach."""

    def __init__(self, *, resolve: Resolve = resolve, classify: Callable[[Address], Reach] = classify) -> None:
        self._resolve = resolve
        self._classify = classify
        self._known: LRUCache[str, Reach] = LRUCache(4096)

    def check(self, host: str, allowed: Reach) -> None:
        """Refuse a host that is itself an address of another reach. Raises `OutOfReach`.

        The resolver never sees literal addresses; and behind an outbound proxy there is no resolver at all.
        """
        reach = self._reach_of_literal(host)
        if reach is not None and reach is not allowed:
            raise OutOfReach(host, reach)

    def _reach_of_literal(self, host: str) -> Reach | None:
        address = literal(host)
        if address is not None:
            return self._classify(address)
        return Reach.PRIVATE if host.rstrip(".").lower().endswith(".localhost") else None

    async def addresses(self, host: str, port: int, allowed: frozenset[Reach]) -> list[Address]:
        """The permitted addresses of a name. Raises `OutOfReach`, and `OSError` when it has none at all."""
        found = [ip_address(text) for text in await self._resolve(host, port)]
        if not found:
            raise OSError("the name has no address")
        permitted = [address for address in found if self._classify(address) in allowed]
        if not permitted:
            raise OutOfReach(host, min((self._classify(address) for address in found), key=_WORST.index))
        return permitted

    def remember(self, host: str, reach: Reach) -> None:
        """Note how a host was reached. Once public stays public: a rebound name does not become trusted."""
        if self._known.get(host) is not Reach.PUBLIC:
            self._known[host] = reach

    def likely(self, host: str) -> Reach:
        return self._known.get(host, Reach.PUBLIC)

    async def is_private(self, host: str, port: int, *, proxied: bool) -> bool:
        """Is this host of a remote on the premises, so that it may lead to other private hosts?"""
        known = self._known.get(host) or self._reach_of_literal(host)
        if known is not None or proxied:
            return known is Reach.PRIVATE
        try:
            found = await self.addresses(host, port, EITHER)
        except (OSError, Blocked):
            return False
        return all(self._classify(address) is Reach.PRIVATE for address in found)

    def resolver(self, allowed: frozenset[Reach]) -> AbstractResolver:
        """A resolver that gives only addresses of these reaches."""
        return _GuardedResolver(self, allowed)

    def socket_factory(self, allowed: frozenset[Reach]) -> Callable[[AddrInfo], socket.socket]:
        """Makes the sockets of a connector; refuses (`OSError`) an address that the resolver should not have given."""

        def make(found: AddrInfo) -> socket.socket:
            family, kind, protocol, _, sockaddr = found
            if self._classify(ip_address(str(sockaddr[0]))) not in allowed:
                raise PermissionError("the guard refuses the address")
            return socket.socket(family, kind, protocol)

        return make


class _GuardedResolver(AbstractResolver):
    def __init__(self, guard: Guard, allowed: frozenset[Reach]) -> None:
        self._guard = guard
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET if address.version == 4 else socket.AF_INET6,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in await self._guard.addresses(host, port, self._allowed)
        ]

    async def close(self) -> None:
        """Nothing is held."""
