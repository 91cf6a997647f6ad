"""Where a proxy may connect to."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from pakhus.domain.errors import Blocked, UpstreamDown
from pakhus.remote.guard import Guard, Reach, classify, literal
from pakhus.remote.upstreams import HttpUpstreams

from .conftest import (
    FORBIDDEN,
    PRIVATE,
    PRIVATE_2,
    PUBLIC,
    PUBLIC_2,
    Clock,
    Names,
    Serve,
    get,
    reach_in_tests,
    remote,
    text,
    to,
)

NEVER = [
    "169.254.169.254", "169.254.0.1", "100.100.100.200", "168.63.129.16", "0.0.0.0", "0.1.2.3", "224.0.0.1",
    "255.255.255.255", "::", "fe80::1", "fe80::1%eth0", "ff02::1", "fd00:ec2::254", "::ffff:169.254.169.254",
    "::169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1",
]  # fmt: skip
INSIDE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "192.0.2.1", "198.18.0.1", "::1", "fc00::1",
    "fd12:3456::1", "fec0::1", "::ffff:10.0.0.1", "::7f00:1", "64:ff9b::a00:1", "2002:a00:1::", "2001:db8::1",
]  # fmt: skip
OUTSIDE = ["1.1.1.1", "8.8.8.8", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize(
    ("text", "reach"),
    [(a, Reach.FORBIDDEN) for a in NEVER] + [(a, Reach.PRIVATE) for a in INSIDE] + [(a, Reach.PUBLIC) for a in OUTSIDE],
)
def test_every_address_has_a_reach(text: str, reach: Reach) -> None:
    assert classify(ip_address(text)) is reach


@given(st.integers(0, 2**32 - 1))
def test_an_address_carried_in_another_is_never_judged_milder(number: int) -> None:
    order = [Reach.PUBLIC, Reach.PRIVATE, Reach.FORBIDDEN]
    plain = order.index(classify(IPv4Address(number)))
    for prefix in (0xFFFF << 32, 0x64FF9B << 96, 0):
        if prefix or number > 1:
            assert order.index(classify(IPv6Address(prefix | number))) >= plain
    assert order.index(classify(IPv6Address(0x2002 << 112 | number << 80))) >= plain


@given(st.integers(0, 2**32 - 1))
def test_every_spelling_of_an_address_is_seen(number: int) -> None:
    address = IPv4Address(number)
    a, b, c, d = address.packed
    for host in (str(number), hex(number), f"{a:#x}.{b}.{c}.{d}", f"0{a:o}.{b}.{(c << 8) + d}", f"{address}."):
        assert literal(host) == address


@pytest.mark.parametrize("host", ["example.org", "1.2.3.4.5", "a.1", "", "0x", "localhost"])
def test_a_name_is_no_address(host: str) -> None:
    assert literal(host) is None


@pytest.mark.parametrize("host", ["[fe80::1%25eth0]", "169.254.169.254", "[fd00:ec2::254]", "0.0.0.0", "2852039166"])
async def test_not_even_an_administrator_can_name_a_metadata_service(host: str) -> None:
    upstreams = HttpUpstreams()
    with pytest.raises(Blocked):
        await get(upstreams, remote(f"http://{host}/"))
    await upstreams.close()


async def test_a_name_of_a_forbidden_address_is_refused(upstreams: HttpUpstreams, names: Names) -> None:
    names.set("up.test", FORBIDDEN)
    with pytest.raises(Blocked, match=r"up\.test"):
        await get(upstreams, remote("http://up.test/"))


async def test_the_remote_itself_may_be_private(upstreams: HttpUpstreams, serve: Serve, names: Names) -> None:
    server = await serve(text())
    names.set("up.test", PRIVATE)
    assert await get(upstreams, remote(server.url)) == (200, b"ok")
    assert await get(upstreams, remote(server.at("up.test"))) == (200, b"ok")


async def test_a_known_private_remote_is_resolved_once_a_connection(
    upstreams: HttpUpstreams, serve: Serve, names: Names
) -> None:
    server = await serve(text())
    names.set("up.test", PRIVATE)
    for _ in range(4):
        await get(upstreams, remote(server.at("up.test")))
    assert len(names.asked) == 2  # one for either reach, before it is known


@pytest.mark.parametrize("spelling", ["name", "address", "decimal"])
async def test_a_public_host_may_not_redirect_to_a_private_one(
    upstreams: HttpUpstreams, serve: Serve, names: Names, spelling: str
) -> None:
    inside = await serve(text("secret"))
    names.set("up.test", PUBLIC)
    names.set("in.test", PRIVATE)
    host = {"name": "in.test", "address": PRIVATE, "decimal": str(int(ip_address(PRIVATE)))}[spelling]
    outside = await serve(to(inside.at(host)), host=PUBLIC)
    with pytest.raises(Blocked):
        await get(upstreams, remote(outside.at("up.test")))
    assert inside.requests == []


@pytest.mark.parametrize("spelling", ["name", "address"])
async def test_a_public_remote_has_no_private_locations(
    upstreams: HttpUpstreams, serve: Serve, names: Names, spelling: str
) -> None:
    inside = await serve(text("secret"))
    names.set("up.test", PUBLIC)
    names.set("in.test", PRIVATE)
    host = "in.test" if spelling == "name" else PRIVATE
    with pytest.raises(Blocked):
        await get(upstreams, remote("http://up.test/"), inside.at(host) + "file")
    assert inside.requests == []


async def test_public_hosts_may_lead_to_each_other(upstreams: HttpUpstreams, serve: Serve, names: Names) -> None:
    names.set("up.test", PUBLIC)
    names.set("cdn.test", PUBLIC_2)
    second = await serve(text("far"), host=PUBLIC_2)
    first = await serve(to(second.at("cdn.test")), host=PUBLIC)
    at = remote(first.at("up.test"))
    assert await get(upstreams, at) == (200, b"far")
    assert await get(upstreams, at, second.at("cdn.test") + "x") == (200, b"far")


async def test_a_private_remote_may_lead_to_other_private_hosts(
    upstreams: HttpUpstreams, serve: Serve, names: Names
) -> None:
    names.set("up.test", PRIVATE)
    names.set("files.test", PRIVATE_2)
    second = await serve(text("near"), host=PRIVATE_2)
    first = await serve(to(second.at("files.test")))
    at = remote(first.at("up.test"))
    assert await get(upstreams, at, second.at("files.test") + "x") == (200, b"near")
    assert await get(upstreams, at) == (200, b"near")


async def test_a_private_remote_may_not_lead_to_a_forbidden_address(
    upstreams: HttpUpstreams, serve: Serve, names: Names
) -> None:
    names.set("metadata.test", FORBIDDEN)
    for host in ("metadata.test", "169.254.169.254", "[fe80::1]"):
        server = await serve(to(f"http://{host}/latest"))
        with pytest.raises(Blocked):
            await get(upstreams, remote(server.url))


async def test_a_way_through_a_public_host_does_not_lead_back_inside(upstreams: HttpUpstreams, serve: Serve) -> None:
    inside = await serve(text("secret"), host=PRIVATE_2)
    outside = await serve(to(inside.url), host=PUBLIC)
    start = await serve(to(outside.url))
    with pytest.raises(Blocked):
        await get(upstreams, remote(start.url))
    assert inside.requests == []


async def test_a_rebound_redirect_target_is_not_connected_to(
    upstreams: HttpUpstreams, serve: Serve, names: Names, clock: Clock
) -> None:
    names.set("up.test", PUBLIC)
    names.set("trap.test", PUBLIC_2, PRIVATE)
    harmless = await serve(text("harmless"), host=PUBLIC_2)
    inside = await serve(text("secret"), port=harmless.port)
    outside = await serve(to(inside.at("trap.test")), host=PUBLIC)
    at = remote(outside.at("up.test"))
    assert await get(upstreams, at) == (200, b"harmless")
    assert names.asked.count("trap.test") == 1  # what was judged is what was connected to
    later = HttpUpstreams(guard=Guard(resolve=names, classify=reach_in_tests), clock=clock)
    with pytest.raises(Blocked):
        await get(later, at)
    await later.close()
    assert inside.requests == []


async def test_a_remote_that_rebinds_itself_between_hops_gains_nothing(
    upstreams: HttpUpstreams, serve: Serve, names: Names
) -> None:
    inside = await serve(text("secret"))
    names.set("up.test", PUBLIC, PRIVATE)
    outside = await serve(to(inside.at("up.test") + "admin"), host=PUBLIC)
    with pytest.raises(Blocked):
        await get(upstreams, remote(outside.at("up.test")))
    assert inside.requests == []


async def test_a_remote_once_public_does_not_become_trusted_by_rebinding(
    upstreams: HttpUpstreams, serve: Serve, names: Names
) -> None:
    inside = await serve(text("secret"))
    outside = await serve(text(), host=PUBLIC)
    names.set("up.test", PUBLIC, PRIVATE)
    at = remote(outside.at("up.test"))
    assert await get(upstreams, at) == (200, b"ok")
    for location in (inside.url + "x", inside.at("up.test") + "x"):
        with pytest.raises(Blocked):
            await get(upstreams, at, location)
    assert inside.requests == []


async def test_only_the_permitted_addresses_of_a_name_are_used(names: Names) -> None:
    names.table["both.test"] = [[FORBIDDEN, PRIVATE, "8.8.8.8"]]
    guard = Guard(resolve=names)
    resolver = guard.resolver(frozenset({Reach.PUBLIC}))
    assert [found["host"] for found in await resolver.resolve("both.test", 80)] == ["8.8.8.8"]


async def test_the_socket_is_refused_even_when_the_resolver_was_deceived() -> None:
    import socket

    make = Guard().socket_factory(frozenset({Reach.PUBLIC}))
    with pytest.raises(PermissionError):
        make((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 80)))


async def test_a_private_connection_is_not_lent_to_a_public_upstream(
    upstreams: HttpUpstreams, serve: Serve, names: Names
) -> None:
    names.set("in.test", PRIVATE)
    names.set("up.test", PUBLIC)
    inside = await serve(text("secret"))
    outside = await serve(to(inside.at("in.test")), host=PUBLIC)
    await get(upstreams, remote(inside.at("in.test")))
    with pytest.raises(Blocked):
        await get(upstreams, remote(outside.at("up.test")))
    assert len(inside.requests) == 1


@pytest.mark.parametrize("location", ["ftp://up.test/x", "file:///etc/passwd", "http://", "http://[::1", "gopher:x"])
async def test_a_redirect_to_something_else_than_http_is_down(
    upstreams: HttpUpstreams, serve: Serve, location: str
) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": location})

    server = await serve(handler)
    with pytest.raises(UpstreamDown):
        await get(upstreams, remote(server.url))
