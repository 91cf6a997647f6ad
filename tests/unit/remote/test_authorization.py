"""Credentials, challenges and tokens."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from pakhus.domain.errors import Blocked, UpstreamDown, UpstreamRefused
from pakhus.domain.repository import Authentication
from pakhus.remote.authorization import Challenge, challenges
from pakhus.remote.upstreams import HttpUpstreams

from .conftest import PRIVATE_2, PUBLIC, Clock, Handler, Names, Serve, get, remote, text, user

BASIC = "Basic " + base64.b64encode(b"ann:secret").decode()


def basic_only(request: web.Request) -> web.Response:
    if request.headers.get("Authorization") == BASIC:
        return web.Response(text="ok")
    return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})


async def asks_basic(request: web.Request) -> web.Response:
    return basic_only(request)


async def test_basic_answers_a_challenge_and_is_then_remembered(upstreams: HttpUpstreams, serve: Serve) -> None:
    server = await serve(asks_basic)
    at = remote(server.url, authentication=user())
    assert await get(upstreams, at) == (200, b"ok")
    assert await get(upstreams, at) == (200, b"ok")
    assert server.sent("Authorization") == [None, BASIC, BASIC]


async def test_preemptive_credentials_need_no_challenge(upstreams: HttpUpstreams, serve: Serve) -> None:
    server = await serve(asks_basic)
    assert (await get(upstreams, remote(server.url, authentication=user(preemptive=True))))[0] == 200
    assert len(server.requests) == 1


async def test_wrong_credentials_are_tried_once(upstreams: HttpUpstreams, serve: Serve) -> None:
    server = await serve(asks_basic)
    for preemptive, requests in ((True, 1), (False, 3)):
        at = remote(server.url, authentication=user(password="wrong", preemptive=preemptive))
        assert (await get(upstreams, at))[0] == 401
        assert len(server.requests) == requests


async def test_credentials_in_the_url_are_used(upstreams: HttpUpstreams, serve: Serve) -> None:
    server = await serve(asks_basic)
    async with upstreams.request(remote(server.url.replace("://", "://ann:secret@")), "f") as response:
        assert response.status == 200
        assert "secret" not in response.url


async def test_a_401_without_credentials_is_an_answer(upstreams: HttpUpstreams, serve: Serve) -> None:
    server = await serve(asks_basic)
    assert (await get(upstreams, remote(server.url)))[0] == 401
    assert len(server.requests) == 1


async def test_basic_is_not_sent_where_only_something_else_is_asked(upstreams: HttpUpstreams, serve: Serve) -> None:
    server = await serve(text(status=401, headers={"WWW-Authenticate": 'Digest realm="x", nonce="y"'}))
    assert (await get(upstreams, remote(server.url, authentication=user())))[0] == 401
    assert server.sent("Authorization") == [None]


async def test_a_bearer_realm_that_is_a_name_is_no_token_service(upstreams: HttpUpstreams, serve: Serve) -> None:
    server = await serve(text(status=401, headers={"WWW-Authenticate": 'Bearer realm="npm", Basic realm="x"'}))
    assert (await get(upstreams, remote(server.url, authentication=user())))[0] == 401
    assert server.sent("Authorization") == [None, BASIC]


def registry(realm: Callable[[], str], valid: Callable[[], str]) -> Handler:
    """Wants the bearer token that is valid just now; its scope is the path without the last two segments."""

    async def handler(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") == f"Bearer {valid()}":
            return web.Response(text="manifest")
        scope = "repository:" + "/".join(request.path.split("/")[2:-2]) + ":pull"
        challenge = f'Bearer realm="{realm()}",service="registry, main",scope="{scope}"'
        return web.Response(status=401, headers={"WWW-Authenticate": challenge})

    return handler


def tokens(name: str, given: Callable[[], str], *, lifetime: int | None = 300) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        answer = {name: given()} | ({"expires_in": lifetime} if lifetime else {})
        return web.Response(text=json.dumps(answer))

    return handler


@pytest.mark.parametrize("name", ["token", "access_token"])
async def test_a_token_is_fetched_and_kept_until_it_expires(
    upstreams: HttpUpstreams, serve: Serve, clock: Clock, name: str
) -> None:
    token = "one"
    auth = await serve(tokens(name, lambda: token))
    server = await serve(registry(lambda: auth.url + "token", lambda: token))
    at = remote(server.url)
    assert await get(upstreams, at, "v2/library/x/manifests/1") == (200, b"manifest")
    [asked] = auth.requests
    assert asked.query["service"] == "registry, main"
    assert asked.query["scope"] == "repository:library/x:pull"
    assert await get(upstreams, at, "v2/library/x/blobs/sha256:ab") == (200, b"manifest")
    assert (len(auth.requests), len(server.requests)) == (1, 3)  # the second request took the token along
    clock.now += 296
    token = "two"
    assert (await get(upstreams, at, "v2/library/x/blobs/sha256:cd"))[0] == 200
    assert len(auth.requests) == 2


async def test_each_scope_has_its_token(upstreams: HttpUpstreams, serve: Serve) -> None:
    auth = await serve(tokens("token", lambda: "t"))
    server = await serve(registry(lambda: auth.url, lambda: "t"))
    for image in ("a", "b", "a"):
        assert (await get(upstreams, remote(server.url), f"v2/{image}/manifests/1"))[0] == 200
    assert [request.query["scope"] for request in auth.requests] == ["repository:a:pull", "repository:b:pull"]


async def test_a_token_that_was_revoked_is_fetched_anew(upstreams: HttpUpstreams, serve: Serve) -> None:
    token = "one"
    auth = await serve(tokens("token", lambda: token))
    server = await serve(registry(lambda: auth.url, lambda: token))
    assert (await get(upstreams, remote(server.url), "v2/a/manifests/1"))[0] == 200
    token = "two"
    assert (await get(upstreams, remote(server.url), "v2/a/manifests/1"))[0] == 200
    assert len(auth.requests) == 2


async def test_a_token_that_does_not_help_is_tried_once(upstreams: HttpUpstreams, serve: Serve) -> None:
    auth = await serve(tokens("token", lambda: "bad"))
    server = await serve(registry(lambda: auth.url, lambda: "good"))
    assert (await get(upstreams, remote(server.url), "v2/a/manifests/1"))[0] == 401
    assert (len(auth.requests), len(server.requests)) == (1, 2)


async def test_users_do_not_share_tokens(upstreams: HttpUpstreams, serve: Serve) -> None:
    async def give(request: web.Request) -> web.Response:
        return web.json_response({"token": "for-ann" if request.headers.get("Authorization") == BASIC else "for-all"})

    auth = await serve(give)
    server = await serve(registry(lambda: auth.url, lambda: "for-ann"))
    assert (await get(upstreams, remote(server.url, authentication=user()), "v2/a/manifests/1"))[0] == 200
    assert (await get(upstreams, remote(server.url), "v2/a/manifests/1"))[0] == 401


async def test_the_realm_on_the_same_host_gets_the_credentials(upstreams: HttpUpstreams, serve: Serve) -> None:
    auth = await serve(tokens("token", lambda: "t"))
    server = await serve(registry(lambda: auth.url, lambda: "t"))
    assert (await get(upstreams, remote(server.url, authentication=user()), "v2/a/manifests/1"))[0] == 200
    assert auth.sent("Authorization") == [BASIC]


async def test_a_realm_on_another_host_gets_none_over_http(upstreams: HttpUpstreams, serve: Serve) -> None:
    auth = await serve(tokens("token", lambda: "t"), host=PRIVATE_2)
    server = await serve(registry(lambda: auth.url, lambda: "t"))
    assert (await get(upstreams, remote(server.url, authentication=user()), "v2/a/manifests/1"))[0] == 200
    assert auth.sent("Authorization") == [None]


async def test_a_challenge_of_another_origin_gets_no_token(upstreams: HttpUpstreams, serve: Serve) -> None:
    auth = await serve(tokens("token", lambda: "t"))
    server = await serve(registry(lambda: auth.url, lambda: "t"), host=PRIVATE_2)
    at = remote("http://127.0.0.1:1/", authentication=user())
    assert (await get(upstreams, at, server.url + "v2/a/manifests/1"))[0] == 401
    assert auth.requests == []


async def test_a_public_registry_cannot_name_a_private_realm(
    upstreams: HttpUpstreams, serve: Serve, names: Names
) -> None:
    names.set("up.test", PUBLIC)
    auth = await serve(tokens("token", lambda: "t"))
    server = await serve(registry(lambda: auth.url, lambda: "t"), host=PUBLIC)
    with pytest.raises(Blocked):
        await get(upstreams, remote(server.at("up.test")), "v2/a/manifests/1")
    assert auth.requests == []


async def test_a_token_service_that_refuses_leaves_the_401(upstreams: HttpUpstreams, serve: Serve) -> None:
    auth = await serve(text("no", status=403))
    server = await serve(registry(lambda: auth.url, lambda: "t"))
    assert (await get(upstreams, remote(server.url), "v2/a/manifests/1"))[0] == 401


@pytest.mark.parametrize("status", [429, 500])
async def test_a_token_service_in_trouble_is_an_upstream_in_trouble(
    upstreams: HttpUpstreams, serve: Serve, status: int
) -> None:
    auth = await serve(text("no", status=status))
    server = await serve(registry(lambda: auth.url, lambda: "t"))
    with pytest.raises(UpstreamRefused):
        await get(upstreams, remote(server.url), "v2/a/manifests/1")


@pytest.mark.parametrize(
    "answer", ["", "[]", "{}", '{"token": 1}', '{"token": "a\\nb"}', '{"token":"t","expires_in":[1]}']
)
async def test_a_token_that_cannot_be_read_is_down(upstreams: HttpUpstreams, serve: Serve, answer: str) -> None:
    auth = await serve(text(answer))
    server = await serve(registry(lambda: auth.url, lambda: "t"))
    with pytest.raises(UpstreamDown):
        await get(upstreams, remote(server.url), "v2/a/manifests/1")


async def test_a_token_answer_without_end_is_down(upstreams: HttpUpstreams, serve: Serve) -> None:
    auth = await serve(text("x" * 2_000_000))
    server = await serve(registry(lambda: auth.url, lambda: "t"))
    with pytest.raises(UpstreamDown, match="too large"):
        await get(upstreams, remote(server.url), "v2/a/manifests/1")


async def test_a_fixed_bearer_token_answers_no_challenge(upstreams: HttpUpstreams, serve: Serve) -> None:
    auth = await serve(tokens("token", lambda: "t"))
    server = await serve(registry(lambda: auth.url, lambda: "t"))
    at = remote(server.url, authentication=Authentication(type="bearerToken", bearer_token="mine"))
    assert (await get(upstreams, at, "v2/a/manifests/1"))[0] == 401
    assert server.sent("Authorization") == ["Bearer mine"]
    assert auth.requests == []


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ('Basic realm="a, b"', [("basic", {"realm": "a, b"})]),
        (
            'Bearer realm="https://x/t",service=s , scope="a:b c:d", Basic realm=y',
            [("bearer", {"realm": "https://x/t", "service": "s", "scope": "a:b c:d"}), ("basic", {"realm": "y"})],
        ),
        (r'Basic realm="say \"hi\""', [("basic", {"realm": 'say "hi"'})]),
        ("Negotiate, NTLM", [("negotiate", {}), ("ntlm", {})]),
        ("", []),
        (', ,"', []),
    ],
)
def test_challenges_are_read(header: str, found: list[tuple[str, dict[str, str]]]) -> None:
    assert challenges([header]) == tuple(Challenge(scheme, tuple(params.items())) for scheme, params in found)


@given(st.text(max_size=200))
def test_any_header_can_be_read(header: str) -> None:
    challenges([header])


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.text('ab\\" ,=', max_size=9), max_size=4))
def test_a_quoted_challenge_is_read_back(params: dict[str, str]) -> None:
    def quoted(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    header = "Bearer " + ", ".join(f"{name}={quoted(value)}" for name, value in params.items())
    assert challenges([header]) == (Challenge("bearer", tuple(params.items())),)
