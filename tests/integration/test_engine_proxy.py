"""What a proxy does with the passing of time and with an upstream in trouble."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from aiohttp import web

from pakhus.database import assets
from pakhus.database.repositories import put_routing_rule
from pakhus.domain.repository import RepositoryType, RoutingRule
from pakhus.remote.guard import Address, Guard, Reach, classify
from pakhus.services.clock import Clock
from tests.contract.serving import Serving, serving
from tests.integration.upstream import Gated, Upstream, upstream

pytestmark = pytest.mark.asyncio(loop_scope="module")

PUBLIC = "127.0.1.1"
MINUTES = 60.0


@dataclass
class Time:
    """Time that passes when the test says so, and a little by itself: leases must run out."""

    ahead: float = 0.0
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.ahead)

    def seconds(self) -> float:
        return asyncio.get_running_loop().time() + self.ahead


@dataclass
class Bench:
    """A server in a time of its own, with one proxy of one upstream for each test."""

    near: Serving
    far: Upstream
    time: Time
    name: str

    async def proxy(self, format: str = "raw", **body: Any) -> None:
        body.setdefault("httpClient", {"autoBlock": False})
        body["proxy"] = {"remoteUrl": self.far.url, **body.get("proxy", {})}
        await self.near.create(format, "proxy", self.name, **body)

    async def change(self, **body: Any) -> None:
        services = self.near.application.services
        kept = services.catalog.get(self.name)
        await services.repositories.update(
            kept.format, RepositoryType.PROXY, self.name, {**kept.settings, "name": self.name, **body}
        )

    async def get(self, path: str = "file.bin", **options: Any) -> httpx2.Response:
        return await self.near.get(self.name, path, **options)

    @property
    def asked(self) -> int:
        return len(self.far.seen)


def reach_in_tests(address: Address) -> Reach:
    """One loopback address plays the internet."""
    return Reach.PUBLIC if address == ip_address(PUBLIC) else classify(address)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def timed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Serving, Time]]:
    time = Time()
    guard = Guard(classify=reach_in_tests)
    data = tmp_path_factory.mktemp("engine") / "data"
    async with serving(data, clock=Clock(time.now, time.seconds), guard=guard) as running:
        yield running, time


@pytest_asyncio.fixture(loop_scope="module")
async def bench(timed: tuple[Serving, Time], far: Upstream, name: str) -> Bench:
    far.files["file.bin"] = b"first"
    near, time = timed
    return Bench(near, far, time, name)


# -- ages ----------------------------------------------------------------------------------------------------------


async def test_a_kept_copy_is_served_until_its_age_then_checked(bench: Bench) -> None:
    await bench.proxy(proxy={"contentMaxAge": 10})
    assert (await bench.get()).content == b"first"
    bench.time.ahead += 9 * MINUTES
    assert (await bench.get()).content == b"first"
    assert bench.asked == 1
    bench.time.ahead += 2 * MINUTES
    assert (await bench.get()).content == b"first"
    assert bench.asked == 2
    assert bench.far.requests[-1].headers["If-None-Match"]
    assert (await bench.get()).content == b"first"
    assert bench.asked == 2


async def test_a_copy_that_upstream_replaced_is_replaced(bench: Bench) -> None:
    await bench.proxy(proxy={"contentMaxAge": 10})
    await bench.get()
    bench.far.files["file.bin"] = b"second"
    bench.time.ahead += 11 * MINUTES
    assert (await bench.get()).content == b"second"


@pytest.mark.parametrize(("age", "asked"), ((-1, 1), (0, 3)))
async def test_an_age_of_minus_one_is_never_and_of_zero_always(bench: Bench, age: int, asked: int) -> None:
    await bench.proxy(proxy={"contentMaxAge": age})
    for _ in range(3):
        bench.time.ahead += 100 * 24 * 60 * MINUTES
        assert (await bench.get()).content == b"first"
    assert bench.asked == asked


async def test_documents_and_files_have_ages_of_their_own(bench: Bench) -> None:
    bench.far.files["org/a/maven-metadata.xml"] = METADATA
    bench.far.files["org/a/1.0/a-1.0.pom"] = b"<project/>"
    await bench.proxy("maven2", proxy={"contentMaxAge": -1, "metadataMaxAge": 10})
    for path in ("org/a/maven-metadata.xml", "org/a/1.0/a-1.0.pom"):
        assert (await bench.get(path)).status_code == 200
    bench.time.ahead += 11 * MINUTES
    bench.far.seen.clear()
    for path in ("org/a/maven-metadata.xml", "org/a/1.0/a-1.0.pom"):
        assert (await bench.get(path)).status_code == 200
    assert bench.far.seen == ["GET /org/a/maven-metadata.xml"]


async def test_invalidating_the_cache_checks_everything_once(bench: Bench) -> None:
    await bench.proxy(proxy={"contentMaxAge": -1})
    await bench.get()
    await bench.get("absent")
    bench.far.files["absent"] = b"here now"
    assert (await bench.get("absent")).status_code == 404
    await bench.near.application.services.repositories.invalidate(bench.name)
    for _ in range(2):
        assert (await bench.get()).content == b"first"
        assert (await bench.get("absent")).content == b"here now"
    assert bench.asked == 4


async def test_invalidating_a_group_reaches_the_proxies_inside(bench: Bench) -> None:
    await bench.proxy(proxy={"contentMaxAge": -1})
    await bench.near.create("raw", "group", f"{bench.name}-inner", group={"memberNames": [bench.name]})
    await bench.near.create("raw", "group", f"{bench.name}-outer", group={"memberNames": [f"{bench.name}-inner"]})
    await bench.get()
    await bench.near.application.services.repositories.invalidate(f"{bench.name}-outer")
    await bench.near.get(f"{bench.name}-outer", "file.bin")
    assert bench.asked == 2


# -- what upstream does not have -----------------------------------------------------------------------------------


async def test_what_is_not_there_is_remembered_for_a_while(bench: Bench) -> None:
    await bench.proxy(negativeCache={"enabled": True, "timeToLive": 5})
    for _ in range(2):
        assert (await bench.get("absent")).status_code == 404
    assert bench.asked == 1
    bench.far.files["absent"] = b"here now"
    bench.time.ahead += 4 * MINUTES
    assert (await bench.get("absent")).status_code == 404
    bench.time.ahead += 2 * MINUTES
    assert (await bench.get("absent")).content == b"here now"


async def test_without_negative_cache_upstream_is_asked_each_time(bench: Bench) -> None:
    await bench.proxy(negativeCache={"enabled": False})
    for _ in range(2):
        assert (await bench.get("absent")).status_code == 404
    assert bench.asked == 2


async def test_what_was_asked_for_before_the_cache_was_switched_off_is_asked_again(bench: Bench) -> None:
    await bench.proxy(negativeCache={"enabled": True, "timeToLive": -1})
    await bench.get("absent")
    await bench.change(negativeCache={"enabled": False})
    await bench.get("absent")
    assert bench.asked == 2


# -- upstream in trouble -------------------------------------------------------------------------------------------


async def hanging(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    raise AssertionError("the proxy waited")


async def cut(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"x" * 500)
    assert request.transport is not None
    request.transport.abort()
    return response


@pytest.mark.parametrize("trouble", (401, 407, 429, 500, 502, 503, "hangs", "refuses"))
async def test_a_stale_copy_is_served_when_upstream_is_in_trouble(bench: Bench, trouble: int | str) -> None:
    await bench.proxy(proxy={"contentMaxAge": 10})
    await bench.get()
    bench.time.ahead += 11 * MINUTES
    if isinstance(trouble, int):
        bench.far.answers(trouble)
    elif trouble == "hangs":
        bench.far.handler = hanging
        await bench.change(httpClient={"autoBlock": False, "connection": {"timeout": 1}})
    else:
        await bench.change(proxy={"remoteUrl": "http://127.0.0.1:1/", "contentMaxAge": 10})
    answer = await bench.get()
    assert (answer.status_code, answer.content) == (200, b"first")
    assert "110" in answer.headers["warning"]


@pytest.mark.parametrize(
    ("trouble", "status"), ((401, 503), (429, 503), (500, 503), (503, 503), (403, 404), (410, 404))
)
async def test_without_a_copy_the_client_learns_what_is_wrong(bench: Bench, trouble: int, status: int) -> None:
    await bench.proxy()
    bench.far.answers(trouble)
    answer = await bench.get()
    assert answer.status_code == status
    assert answer.content


async def test_trouble_is_not_remembered_as_absence(bench: Bench) -> None:
    await bench.proxy()
    bench.far.answers(500)
    assert (await bench.get()).status_code == 503
    bench.far.handler = None
    assert (await bench.get()).content == b"first"


async def test_an_upstream_that_hangs_gives_a_502_within_the_time_out(bench: Bench) -> None:
    bench.far.handler = hanging
    await bench.proxy(httpClient={"autoBlock": False, "connection": {"timeout": 1}})
    assert (await bench.get()).status_code == 502


async def test_a_body_that_is_cut_never_looks_whole_and_is_not_kept(bench: Bench) -> None:
    bench.far.handler = cut
    await bench.proxy()
    with pytest.raises(httpx2.RemoteProtocolError):
        await bench.get()
    bench.far.handler = None
    assert (await bench.get()).content == b"first"


async def test_a_body_without_length_that_is_cut_never_looks_whole(bench: Bench) -> None:
    gated = bench.far.handler = Gated(b"x" * 1000, cut=True, chunked=True)
    await bench.proxy()
    asked = asyncio.create_task(bench.get())
    await gated.asked.wait()
    gated.gate.set()
    with pytest.raises(httpx2.RemoteProtocolError):
        await asked
    assert await bench.near.application.services.stores.get("default").drafts() == 0


async def test_a_stale_copy_outlives_a_new_one_that_is_cut(bench: Bench) -> None:
    await bench.proxy(proxy={"contentMaxAge": 10})
    await bench.get()
    bench.time.ahead += 11 * MINUTES
    bench.far.handler = cut
    with pytest.raises(httpx2.RemoteProtocolError):
        await bench.get()
    bench.far.answers(500)
    assert (await bench.get()).content == b"first"


async def test_an_upstream_that_lies_about_a_digest_is_not_believed(bench: Bench) -> None:
    """npm: the packument promises the tarball's digest."""
    packument = {
        "name": "a",
        "dist-tags": {"latest": "1.0.0"},
        "versions": {
            "1.0.0": {
                "name": "a",
                "version": "1.0.0",
                "dist": {"tarball": f"{bench.far.url}a/-/a-1.0.0.tgz", "shasum": "0" * 40},
            }
        },
    }

    async def lying(request: web.Request) -> web.StreamResponse:
        return web.json_response(packument) if request.path == "/a" else web.Response(body=b"something else" * 1000)

    bench.far.handler = lying
    await bench.proxy("npm")
    with pytest.raises(httpx2.RemoteProtocolError):
        await bench.get("a/-/a-1.0.0.tgz")
    assert await kept_paths(bench) == ["a"]


async def kept_paths(bench: Bench) -> list[str]:
    services = bench.near.application.services
    repository = services.catalog.get(bench.name)
    found = await services.database.read(assets.page, repository.id, repository.name, after=0, limit=10)
    return [asset.path for asset in found]


METADATA = b"""<?xml version="1.0"?><metadata><groupId>org</groupId><artifactId>a</artifactId><versioning>
<versions><version>1.0</version></versions></versioning></metadata>"""
CAPTIVE = b"<html><body>Please log in to the hotel's network.</body></html>"


async def test_a_document_that_cannot_be_read_does_not_replace_a_good_one(bench: Bench) -> None:
    path = "org/a/maven-metadata.xml"
    bench.far.files[path] = METADATA
    await bench.proxy("maven2", proxy={"metadataMaxAge": 10})
    good = (await bench.get(path)).content
    bench.time.ahead += 11 * MINUTES
    bench.far.files[path] = CAPTIVE
    answer = await bench.get(path)
    assert (answer.status_code, answer.content) == (200, good)
    bench.far.files[path] = METADATA.replace(b"1.0<", b"2.0<")
    assert b"2.0" in (await bench.get(path)).content


async def test_a_document_that_cannot_be_read_is_not_kept(bench: Bench) -> None:
    path = "org/a/maven-metadata.xml"
    bench.far.files[path] = CAPTIVE
    await bench.proxy("maven2")
    assert (await bench.get(path)).status_code == 503
    assert await kept_paths(bench) == []
    bench.far.files[path] = METADATA
    assert (await bench.get(path)).status_code == 200


async def test_a_member_whose_document_cannot_be_read_is_left_out_of_the_group(bench: Bench) -> None:
    path = "org/a/maven-metadata.xml"
    bench.far.files[path] = CAPTIVE
    await bench.proxy("maven2")
    hosted, group = f"{bench.name}-hosted", f"{bench.name}-group"
    await bench.near.create("maven2", "hosted", hosted, maven={"versionPolicy": "MIXED"})
    await bench.near.http.put(bench.near.at(hosted, "org/a/3.0/a-3.0.pom"), content=POM)
    await bench.near.create("maven2", "group", group, group={"memberNames": [bench.name, hosted]})
    answer = await bench.near.get(group, path)
    assert answer.status_code == 200
    assert b"3.0" in answer.content


POM = b"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>org</groupId><artifactId>a</artifactId><version>3.0</version></project>"""


@pytest.mark.parametrize(
    "header", ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "Mon, 01 Jan 0001 00:00:00 +1200", "never")
)
async def test_a_last_modified_that_is_no_date_does_no_harm(bench: Bench, header: str) -> None:
    bench.far.answers(200, Last_Modified=header)
    await bench.proxy()
    for _ in range(2):
        assert (await bench.get()).status_code == 200


# -- blocking ------------------------------------------------------------------------------------------------------


async def test_an_upstream_that_fails_again_and_again_is_left_alone(bench: Bench) -> None:
    await bench.proxy(httpClient={"autoBlock": True})
    bench.far.answers(500)
    for _ in range(5):
        assert (await bench.get()).status_code in (404, 503)
    assert bench.asked == 3
    bench.far.handler = None
    bench.time.ahead += 11
    assert (await bench.get()).content == b"first"


async def test_without_auto_block_it_is_asked_each_time(bench: Bench) -> None:
    await bench.proxy(httpClient={"autoBlock": False})
    bench.far.answers(500)
    for _ in range(5):
        assert (await bench.get()).status_code == 503
    assert bench.asked == 5


async def test_a_blocked_upstream_is_not_asked_and_the_stale_copy_served(bench: Bench) -> None:
    await bench.proxy(proxy={"contentMaxAge": 10})
    await bench.get()
    bench.time.ahead += 11 * MINUTES
    await bench.change(httpClient={"blocked": True})
    assert (await bench.get()).content == b"first"
    answer = await bench.get("other")
    assert answer.status_code == 404
    assert "blocked" in answer.text
    assert bench.asked == 1


# -- where upstream leads ------------------------------------------------------------------------------------------


async def test_a_public_upstream_leads_to_no_private_address(bench: Bench, near_secret: Upstream) -> None:
    async with upstream(PUBLIC) as public:

        async def redirecting(request: web.Request) -> web.StreamResponse:
            raise web.HTTPFound(f"{near_secret.url}secret")

        public.handler = redirecting
        await bench.proxy(proxy={"remoteUrl": public.url})
        answer = await bench.get("secret")
    assert answer.status_code == 403
    assert b"hidden" not in answer.content
    assert near_secret.seen == []


async def test_a_public_document_leads_to_no_private_address(bench: Bench, near_secret: Upstream) -> None:
    async with upstream(PUBLIC) as public:
        version = {"name": "a", "version": "1.0.0", "dist": {"tarball": f"{near_secret.url}secret"}}
        packument = {"name": "a", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}

        async def serve(request: web.Request) -> web.StreamResponse:
            return web.json_response(packument)

        public.handler = serve
        await bench.proxy("npm", proxy={"remoteUrl": public.url})
        answer = await bench.get("a/-/a-1.0.0.tgz")
    assert 400 <= answer.status_code < 500
    assert b"hidden" not in answer.content
    assert near_secret.seen == []


@pytest_asyncio.fixture(loop_scope="module")
async def near_secret() -> AsyncIterator[Upstream]:
    """What only the server's own network can reach."""
    async with upstream() as inside:
        inside.files["secret"] = b"hidden"
        yield inside


async def test_credentials_stay_with_the_host_they_are_for(bench: Bench) -> None:
    login = {"type": "username", "username": "proxy", "password": "secret", "preemptive": True}
    async with upstream("127.0.0.2") as elsewhere:
        elsewhere.files["file.bin"] = b"elsewhere"

        async def redirecting(request: web.Request) -> web.StreamResponse:
            raise web.HTTPFound(f"{elsewhere.url}file.bin")

        bench.far.handler = redirecting
        await bench.proxy(httpClient={"authentication": login})
        assert (await bench.get()).content == b"elsewhere"
        assert "Authorization" not in elsewhere.requests[0].headers
    assert "Authorization" in bench.far.requests[0].headers


async def test_the_clients_own_credentials_are_not_sent_upstream(bench: Bench) -> None:
    await bench.proxy()
    await bench.get(headers={"Cookie": "session=mine", "X-Api-Key": "mine"})
    sent = bench.far.requests[0].headers
    assert not {"Authorization", "Cookie", "X-Api-Key"} & set(sent)


# -- routing rules -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "through"), (("BLOCK", "public/x"), ("ALLOW", "private/x")))
async def test_a_routing_rule_decides_before_upstream_is_asked(bench: Bench, mode: str, through: str) -> None:
    await with_rule(bench, mode)
    answers = {path: (await bench.get(path)).status_code for path in ("public/x", "private/x")}
    assert answers == {path: 200 if path == through else 403 for path in answers}
    assert bench.far.seen == [f"GET /{through}"]


@pytest.mark.parametrize("depth", (1, 2))
async def test_a_routing_rule_holds_through_groups(bench: Bench, depth: int) -> None:
    await with_rule(bench, "BLOCK")
    inner = bench.name
    for level in range(depth):
        outer = f"{bench.name}-{level}"
        await bench.near.create("raw", "group", outer, group={"memberNames": [inner]})
        inner = outer
    assert (await bench.near.get(inner, "public/x")).status_code == 200
    assert (await bench.near.get(inner, "private/x")).status_code in (403, 404)
    assert bench.far.seen == ["GET /public/x"]


async def test_what_is_kept_is_blocked_as_well(bench: Bench) -> None:
    bench.far.files["private/x"] = b"kept"
    await bench.proxy()
    assert (await bench.get("private/x")).status_code == 200
    await rule(bench, "BLOCK")
    await bench.change(routingRule=bench.name)
    assert (await bench.get("private/x")).status_code == 403


async def rule(bench: Bench, mode: str) -> None:
    services = bench.near.application.services
    await services.database.write(put_routing_rule, RoutingRule(bench.name, mode, ("/private/.*",)))
    await services.catalog.refresh()


async def with_rule(bench: Bench, mode: str) -> None:
    bench.far.files |= {"public/x": b"public", "private/x": b"private"}
    await rule(bench, mode)
    await bench.proxy(routingRule=bench.name)


# -- single flight -------------------------------------------------------------------------------------------------


async def test_a_hundred_clients_of_a_cold_file_make_one_request(bench: Bench) -> None:
    gated = bench.far.handler = Gated(b"large" * 200_000)
    await bench.proxy()
    asked = [asyncio.create_task(bench.get()) for _ in range(100)]
    await gated.asked.wait()
    gated.gate.set()
    assert {(await each).content for each in asked} == {gated.body}
    assert bench.asked == 1


async def test_a_fill_goes_on_when_its_client_has_left(bench: Bench) -> None:
    gated = bench.far.handler = Gated(b"large" * 200_000)
    await bench.proxy()
    asked = asyncio.create_task(bench.get())
    await gated.asked.wait()
    asked.cancel()
    gated.gate.set()
    bench.far.handler = None
    assert (await bench.get()).content == gated.body
    assert bench.asked == 1


async def test_an_error_of_upstream_reaches_all_who_wait_and_nobody_after(bench: Bench) -> None:
    gate = asyncio.Event()

    async def failing(request: web.Request) -> web.StreamResponse:
        await gate.wait()
        return web.Response(status=500)

    bench.far.handler = failing
    await bench.proxy()
    asked = [asyncio.create_task(bench.get()) for _ in range(10)]
    async with asyncio.timeout(20):
        while not bench.asked:
            await asyncio.sleep(0.01)
    gate.set()
    statuses = {(await each).status_code for each in asked}
    assert statuses == {503}
    bench.far.handler = None
    assert (await bench.get()).content == b"first"
