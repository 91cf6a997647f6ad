"""A request and its answer: what is sent, how it is streamed, what is said when it fails."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from aiohttp import web

from pakhus.domain.errors import UpstreamBlocked, UpstreamDown
from pakhus.remote.client import Upstreams
from pakhus.remote.upstreams import HttpUpstreams

from .conftest import Clock, Names, Serve, ServeRaw, body, get, remote, says, text


async def test_get_gives_status_headers_and_body(upstreams: HttpUpstreams, serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=b"bytes", headers={"ETag": '"1"', "X-Two": "a"})

    server = await serve(handler)
    protocol: Upstreams = upstreams
    async with protocol.request(remote(server.url), "a/b") as response:
        assert (response.status, response.size, response.headers["etag"]) == (200, 5, '"1"')
        assert response.url == server.url + "a/b"
        assert [chunk async for chunk in response.chunks()] == [b"bytes"]


async def test_every_request_names_pakhus_and_asks_for_identity(upstreams: HttpUpstreams, serve: Serve) -> None:
    server = await serve(text())
    at = remote(server.url, user_agent_suffix="by Ann")
    await get(upstreams, at, headers={"Accept-Encoding": "gzip", "User-Agent": "x", "Accept": "text/html"})
    [request] = server.requests
    assert request.headers["User-Agent"].startswith("Pakhus/")
    assert request.headers["User-Agent"].endswith(" by Ann")
    assert request.headers.getall("Accept-Encoding") == ["identity"]
    assert request.headers.getall("Accept") == ["text/html"]


async def test_connections_are_kept_between_requests_and_redirects(upstreams: HttpUpstreams, serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        if request.path == "/moved":
            raise web.HTTPFound("/file")
        return web.Response(text="ok")

    server = await serve(handler)
    for _ in range(3):
        assert (await get(upstreams, remote(server.url), "moved"))[0] == 200
    assert len({request.transport for request in server.requests if request.transport}) <= 1
    assert len({id(request.protocol) for request in server.requests}) == 1


async def test_head_has_the_size_and_no_body(upstreams: HttpUpstreams, serve: Serve) -> None:
    server = await serve(text("12345"))
    async with upstreams.request(remote(server.url), "f", method="HEAD") as response:
        assert response.size == 5
        assert await body(response) == b""


async def test_post_sends_its_body(upstreams: HttpUpstreams, serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=await request.read() + request.content_type.encode())

    server = await serve(handler)
    headers = {"Content-Type": "application/json"}
    got = await get(upstreams, remote(server.url), "f", method="POST", body=b"{}", headers=headers)
    assert got == (200, b"{}application/json")


@pytest.mark.parametrize("status", [304, 404, 418, 500])
async def test_statuses_are_the_callers_business(upstreams: HttpUpstreams, serve: Serve, status: int) -> None:
    server = await serve(text("x", status=status))
    assert (await get(upstreams, remote(server.url)))[0] == status


CUT = {
    "content-length": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
    "mid-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nshort",
}


@pytest.mark.parametrize("how", CUT)
async def test_a_cut_body_is_down_after_what_came(upstreams: HttpUpstreams, serve_raw: ServeRaw, how: str) -> None:
    server = await serve_raw(says(CUT[how]))
    got = b""
    with pytest.raises(UpstreamDown, match=r"127\.0\.0\.1: the body is cut"):
        async with upstreams.request(remote(server.url), "f") as response:
            async for chunk in response.chunks():
                got += chunk
    assert b"short".startswith(got)


MALFORMED = {
    "not HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "nothing": b"",
    "large header": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "bad status": b"HTTP/1.1 abc OK\r\n\r\n",
}


@pytest.mark.parametrize("what", MALFORMED)
async def test_a_malformed_answer_is_down(upstreams: HttpUpstreams, serve_raw: ServeRaw, what: str) -> None:
    server = await serve_raw(says(MALFORMED[what]))
    with pytest.raises(UpstreamDown, match=r"127\.0\.0\.1: "):
        await get(upstreams, remote(server.url))


async def test_messages_hold_no_credentials(upstreams: HttpUpstreams, serve_raw: ServeRaw) -> None:
    server = await serve_raw(says(b""))
    url = f"http://ann:secret@127.0.0.1:{server.port}/token/"
    with pytest.raises(UpstreamDown) as caught:
        await get(upstreams, remote(url), "f?sig=hidden")
    assert not any(word in str(caught.value) for word in ("secret", "ann", "hidden"))


async def test_an_unknown_name_is_down(upstreams: HttpUpstreams) -> None:
    with pytest.raises(UpstreamDown, match=r"nowhere\.test: its name cannot be resolved"):
        await get(upstreams, remote("http://nowhere.test/"))


async def test_a_closed_port_is_down(upstreams: HttpUpstreams, serve_raw: ServeRaw) -> None:
    server = await serve_raw(says(b""))
    with pytest.raises(UpstreamDown, match="refused"):
        await get(upstreams, remote("http://127.0.0.1:1/"))
    assert server.connections == 0


async def test_a_server_that_never_answers_times_out(upstreams: HttpUpstreams, serve_raw: ServeRaw) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    server = await serve_raw(talk)
    with pytest.raises(UpstreamDown, match="no answer within the time-out"):
        await get(upstreams, remote(server.url, timeout=0.1))


async def test_a_body_that_stalls_times_out(upstreams: HttpUpstreams, serve_raw: ServeRaw) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")(reader, writer)
        await asyncio.Event().wait()

    server = await serve_raw(talk)
    with pytest.raises(UpstreamDown, match="no answer within the time-out"):
        await get(upstreams, remote(server.url, timeout=0.1))


async def test_a_slow_but_steady_body_outlives_the_time_out(upstreams: HttpUpstreams, serve: Serve) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(6):
            await response.write(b"x")
            await asyncio.sleep(0.1)
        return response

    server = await serve(handler)
    assert (await get(upstreams, remote(server.url, timeout=0.3)))[1] == b"xxxxxx"


async def test_a_slow_reader_holds_the_upstream_back_and_does_not_time_out(
    upstreams: HttpUpstreams, serve_raw: ServeRaw
) -> None:
    size, sent = 64 * 1024 * 1024, 0
    full = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await says(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)(reader, writer)
        while sent < size:
            writer.write(bytes(65536))
            sent += 65536
            if writer.transport.get_write_buffer_size() > 100_000:
                full.set()
            await writer.drain()

    server = await serve_raw(talk)
    got = largest = 0
    async with upstreams.request(remote(server.url, timeout=0.2), "f") as response:
        await asyncio.wait_for(full.wait(), 10)
        await asyncio.sleep(0.4)  # the reader is slower than the time-out: that is not the upstream's fault
        assert sent < size / 2
        async for chunk in response.chunks():
            got, largest = got + len(chunk), max(largest, len(chunk))
    assert got == size
    assert largest <= 2 * 1024 * 1024


async def test_leaving_early_closes_the_connection(upstreams: HttpUpstreams, serve_raw: ServeRaw) -> None:
    closed = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")(reader, writer)
        await reader.read()
        closed.set()

    server = await serve_raw(talk)
    async with upstreams.request(remote(server.url), "f") as response:
        assert response.size == 100
    await asyncio.wait_for(closed.wait(), 5)


async def test_a_failure_is_retried_with_growing_pauses(
    upstreams: HttpUpstreams, serve_raw: ServeRaw, clock: Clock
) -> None:
    server = await serve_raw(says(MALFORMED["bad status"]))
    with pytest.raises(UpstreamDown):
        await get(upstreams, remote(server.url, retries=3))
    assert server.connections == 4
    assert clock.slept == [0.25, 0.5, 1.0]


async def test_post_and_bodies_are_not_retried(upstreams: HttpUpstreams, serve_raw: ServeRaw) -> None:
    for method, answer in (("POST", b""), ("GET", CUT["content-length"])):
        server = await serve_raw(says(answer))
        with pytest.raises(UpstreamDown):
            await get(upstreams, remote(server.url, retries=3), method=method)
        assert server.connections == 1


@pytest.mark.parametrize(("wait", "retries", "requests"), [("1", 2, 3), ("1", 0, 1), ("3", 2, 1), ("soon", 2, 1)])
async def test_429_is_retried_only_when_upstream_wants_it_soon(
    upstreams: HttpUpstreams, serve: Serve, clock: Clock, wait: str, retries: int, requests: int
) -> None:
    server = await serve(text("x", status=429, headers={"Retry-After": wait}))
    assert (await get(upstreams, remote(server.url, retries=retries)))[0] == 429
    assert len(server.requests) == requests
    assert clock.slept == [1.0] * (requests - 1)


async def test_a_remote_blocked_by_hand_is_not_asked(upstreams: HttpUpstreams, names: Names) -> None:
    at = replace(remote("http://up.test/"), blocked=True)
    with pytest.raises(UpstreamBlocked):
        await get(upstreams, at)
    assert names.asked == []
    assert upstreams.status(at) == "Remote Manually Blocked"


async def test_auto_block_refuses_after_three_failures_and_ends_with_an_answer(
    upstreams: HttpUpstreams, serve: Serve, clock: Clock
) -> None:
    status = 503

    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=status)

    server = await serve(handler)
    at = remote(server.url)
    for _ in range(3):
        assert (await get(upstreams, at))[0] == 503
    assert upstreams.status(at) == "Remote Auto Blocked and Unavailable"
    with pytest.raises(UpstreamBlocked):
        await get(upstreams, at)
    assert len(server.requests) == 3
    clock.now += 10.1
    assert (await get(upstreams, at))[0] == 503
    clock.now += 10.1  # the second block lasts twenty seconds
    with pytest.raises(UpstreamBlocked):
        await get(upstreams, at)
    clock.now += 10
    status = 200
    assert (await get(upstreams, at))[0] == 200
    assert upstreams.status(at) == "Remote Available"


async def test_without_auto_block_every_request_is_made(upstreams: HttpUpstreams, serve_raw: ServeRaw) -> None:
    server = await serve_raw(says(MALFORMED["bad status"]))
    at = remote(server.url, auto_block=False)
    for _ in range(5):
        with pytest.raises(UpstreamDown):
            await get(upstreams, at)
    assert server.connections == 5
    assert upstreams.status(at) == "Remote Available"


async def test_bodies_that_are_cut_block_too(upstreams: HttpUpstreams, serve_raw: ServeRaw) -> None:
    server = await serve_raw(says(CUT["content-length"]))
    at = remote(server.url)
    for _ in range(3):
        with pytest.raises(UpstreamDown):
            await get(upstreams, at)
    with pytest.raises(UpstreamBlocked):
        await get(upstreams, at)
