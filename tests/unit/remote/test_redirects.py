"""Redirects, and what is sent along them."""

from __future__ import annotations

import pytest
from aiohttp import web

from pakhus.domain.errors import UpstreamRefused
from pakhus.domain.repository import Authentication
from pakhus.remote.upstreams import HttpUpstreams

from .conftest import PRIVATE_2, Serve, get, remote, text, to, user


def counting(last: int) -> object:
    async def handler(request: web.Request) -> web.Response:
        number = int(request.path.strip("/"))
        if number < last:
            return web.Response(status=302, headers={"Location": f"/{number + 1}"})
        return web.Response(text="end")

    return handler


async def test_ten_redirects_are_followed_and_no_more(upstreams: HttpUpstreams, serve: Serve) -> None:
    server = await serve(counting(11))
    assert await get(upstreams, remote(server.url), "1") == (200, b"end")
    with pytest.raises(UpstreamRefused, match="more than 10"):
        await get(upstreams, remote(server.url), "0")


async def test_a_circle_is_noticed_at_once(upstreams: HttpUpstreams, serve: Serve) -> None:
    server = await serve(to("/file"))
    with pytest.raises(UpstreamRefused, match="circle"):
        await get(upstreams, remote(server.url, retries=3))
    assert len(server.requests) == 1


async def test_a_circle_that_ends_is_followed_where_allowed(upstreams: HttpUpstreams, serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        if "seen" in request.cookies:
            return web.Response(text="ok")
        return web.Response(status=302, headers={"Location": "/file", "Set-Cookie": "seen=1; Path=/"})

    server = await serve(handler, host="127.0.0.1")
    at = remote(server.url.replace("127.0.0.1", "up.test"), circular_redirects=True, cookies=True)
    assert await get(upstreams, at) == (200, b"ok")
    with pytest.raises(UpstreamRefused):
        await get(upstreams, remote(at.url, circular_redirects=True))


@pytest.fixture(autouse=True)
def _names(names: object) -> None:
    names.set("up.test", "127.0.0.1")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        *((301, "POST", "GET"), (302, "POST", "GET"), (303, "POST", "GET"), (307, "POST", "POST")),
        *((308, "POST", "POST"), (301, "HEAD", "HEAD"), (303, "HEAD", "HEAD"), (308, "GET", "GET")),
    ],
)
async def test_the_method_after_a_redirect(
    upstreams: HttpUpstreams, serve: Serve, status: int, method: str, then: str
) -> None:
    async def handler(request: web.Request) -> web.Response:
        if request.path == "/file":
            return web.Response(status=status, headers={"Location": "there"})
        return web.Response(body=await request.read())

    server = await serve(handler)
    got = await get(upstreams, remote(server.url), method=method, body=b"x" if method == "POST" else None)
    assert server.requests[-1].method == then
    assert got[1] == (b"x" if then == "POST" else b"")


async def test_the_url_is_the_last_one(upstreams: HttpUpstreams, serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        if request.path == "/a/file":
            return web.Response(status=302, headers={"Location": "../b/c%2Fd?q=%20#part"})
        return web.Response(text=request.raw_path)

    server = await serve(handler)
    async with upstreams.request(remote(server.url), "a/file") as response:
        assert response.url == server.url + "b/c%2Fd?q=%20"
    assert server.requests[-1].raw_path == "/b/c%2Fd?q=%20"


async def test_not_modified_and_redirects_without_location_are_answers(upstreams: HttpUpstreams, serve: Serve) -> None:
    for status in (300, 302, 304):
        server = await serve(text("", status=status))
        assert (await get(upstreams, remote(server.url)))[0] == status


@pytest.mark.parametrize("preemptive", [True, False])
async def test_credentials_are_not_forwarded_to_another_origin(
    upstreams: HttpUpstreams, serve: Serve, preemptive: bool
) -> None:
    other = await serve(text("", status=401, headers={"WWW-Authenticate": 'Basic realm="x"'}), host=PRIVATE_2)
    same_host = await serve(text("", status=401, headers={"WWW-Authenticate": 'Basic realm="x"'}))
    for second in (other, same_host):  # another port is another origin
        first = await serve(to(second.url))
        at = remote(first.url, authentication=user(preemptive=preemptive))
        assert (await get(upstreams, at))[0] == 401
        assert (await get(upstreams, at, second.url + "direct"))[0] == 401
        assert second.sent("Authorization") == [None, None]


async def test_bearer_tokens_are_not_forwarded_to_another_origin(upstreams: HttpUpstreams, serve: Serve) -> None:
    second = await serve(text(), host=PRIVATE_2)
    first = await serve(to(second.url))
    at = remote(first.url, authentication=Authentication(type="bearerToken", bearer_token="t0ken"))
    await get(upstreams, at)
    assert first.sent("Authorization") == ["Bearer t0ken"]
    assert second.sent("Authorization") == [None]


async def test_the_callers_own_authorization_stays_with_its_origin(upstreams: HttpUpstreams, serve: Serve) -> None:
    second = await serve(text(), host=PRIVATE_2)
    first = await serve(to(second.url))
    headers = {"Authorization": "Custom x", "Cookie": "a=b", "X-Plain": "y"}
    await get(upstreams, remote(first.url, authentication=user(preemptive=True)), headers=headers)
    assert first.sent("Authorization") == ["Custom x"]
    assert (second.sent("Authorization"), second.sent("Cookie"), second.sent("X-Plain")) == ([None], [None], ["y"])


async def test_user_information_in_a_redirect_is_not_sent(upstreams: HttpUpstreams, serve: Serve) -> None:
    second = await serve(text(), host=PRIVATE_2)
    first = await serve(to(second.url.replace("://", "://eve:pw@")))
    await get(upstreams, remote(first.url))
    assert second.sent("Authorization") == [None]


async def test_cookies_are_kept_only_where_wanted_and_not_shared_between_users(
    upstreams: HttpUpstreams, serve: Serve
) -> None:
    server = await serve(text(headers={"Set-Cookie": "session=1; Path=/"}))
    url = server.at("up.test")
    for at in (remote(url), remote(url, cookies=True), remote(url, cookies=True, authentication=user())):
        await get(upstreams, at)
        await get(upstreams, at)
    assert server.sent("Cookie") == [None, None, None, "session=1", None, "session=1"]
