"""What a NuGet proxy makes of its upstream: feeds in pages, and how long answers are kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import pytest
import pytest_asyncio
from aiohttp import web

from pakhus.services.clock import Clock
from tests.contract.serving import Serving, serving
from tests.integration.upstream import Upstream

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENTRY = """<entry><title>Lib</title><content type="application/zip" src="{url}package/Lib/{version}"/>
<m:properties><d:Id>Lib</d:Id><d:Version>{version}</d:Version></m:properties></entry>"""
SPACES = (
    'xmlns="http://www.w3.org/2005/Atom" xmlns:d="http://schemas.microsoft.com/ado/2007/08/dataservices" '
    'xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"'
)


@dataclass
class Time:
    """Time that passes when the test says so."""

    ahead: float = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.ahead)

    def seconds(self) -> float:
        return asyncio.get_running_loop().time() + self.ahead


@dataclass
class Gallery:
    """An upstream with a feed in pages of one entry."""

    far: Upstream
    versions: list[str] = field(default_factory=list)
    endless: bool = False

    def __post_init__(self) -> None:
        self.far.handler = self.answer

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path.startswith("/Packages("):
            return web.Response(status=404)
        at = int(request.query.get("$skip", "0"))
        after = self.versions[at + 1 :] or self.endless
        following = f"{self.far.url}FindPackagesById()?id='lib'&$skip={at + 1}"
        more = f'<link rel="next" href={quoteattr(following)}/>' if after else ""
        entry = ENTRY.format(url=self.far.url, version=self.versions[min(at, len(self.versions) - 1)])
        body = f'<?xml version="1.0" encoding="utf-8"?><feed {SPACES}>{entry}{more}</feed>'
        return web.Response(text=body, headers={"ETag": f'"page-{at}"'})


@pytest.fixture
def time() -> Time:
    return Time()


@pytest_asyncio.fixture(loop_scope="module")
async def server(tmp_path: Path, time: Time) -> AsyncIterator[Serving]:
    async with serving(tmp_path / "data", clock=Clock(time.now, time.seconds)) as found:
        yield found


async def proxied(server: Serving, far: Upstream, **options: Any) -> None:
    await server.create("nuget", "proxy", "near", proxy={"remoteUrl": far.url}, nugetProxy=options)


async def versions(server: Serving) -> Sequence[str]:
    answer = await server.get("near", "v3/content/lib/index.json")
    assert answer.status_code == 200, answer.text
    found: Sequence[str] = answer.json()["versions"]
    return found


async def test_a_feed_is_followed_to_its_last_page(server: Serving, far: Upstream) -> None:
    Gallery(far, ["1.0.0", "1.1.0", "2.0.0"])
    await proxied(server, far, nugetVersion="V2")

    assert await versions(server) == ["1.0.0", "1.1.0", "2.0.0"]
    registration = (await server.get("near", "v3/registrations/lib/index.json")).json()
    assert registration["items"][0]["count"] == 3
    asked = len(far.seen)
    assert await versions(server) == ["1.0.0", "1.1.0", "2.0.0"]
    assert len(far.seen) == asked


async def test_a_version_on_a_later_page_is_seen_when_the_copy_is_too_old(
    server: Serving, far: Upstream, time: Time
) -> None:
    gallery = Gallery(far, ["1.0.0", "1.1.0"])
    await proxied(server, far, nugetVersion="V2")
    assert await versions(server) == ["1.0.0", "1.1.0"]

    gallery.versions.append("1.2.0")
    time.ahead += timedelta(days=2).total_seconds()

    assert await versions(server) == ["1.0.0", "1.1.0", "1.2.0"]


async def test_a_feed_without_end_is_left_off(server: Serving, far: Upstream) -> None:
    Gallery(far, ["1.0.0"], endless=True)
    await proxied(server, far, nugetVersion="V2")

    assert await versions(server) == ["1.0.0"]
    assert len(far.seen) == 100


async def test_a_later_page_that_cannot_be_had_fails_the_whole(server: Serving, far: Upstream) -> None:
    gallery = Gallery(far, ["1.0.0", "1.1.0"])
    await proxied(server, far, nugetVersion="V2")

    async def broken(request: web.Request) -> web.StreamResponse:
        return web.Response(status=503) if "$skip" in request.query else await gallery.answer(request)

    far.handler = broken

    assert (await server.get("near", "v3/content/lib/index.json")).status_code >= 500


async def test_what_a_feed_does_not_list_is_not_there(server: Serving, far: Upstream) -> None:
    Gallery(far, ["1.0.0"])
    await proxied(server, far, nugetVersion="V2")

    assert (await server.get("near", "v3/registrations/lib/9.0.0.json")).status_code == 404


async def found(server: Serving) -> list[str]:
    answer = await server.get("near", "v3/query?q=")
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["data"]]


def searchable(far: Upstream, *ids: str) -> None:
    index = {"version": "3.0.0", "resources": [{"@id": f"{far.url}query", "@type": "SearchQueryService"}]}
    hits = [{"id": id, "version": "1.0.0", "versions": [{"version": "1.0.0"}]} for id in ids]

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/index.json":
            return web.json_response(index)
        return web.json_response({"totalHits": len(hits), "data": hits})

    far.handler = answer


@pytest.mark.parametrize(
    ("age", "passed", "seen"), [(60, 50, "One"), (60, 70, "Two"), (-1, 10**7, "One"), (0, 1, "Two")]
)
async def test_results_of_a_search_are_kept_as_long_as_the_setting_says(
    server: Serving, far: Upstream, time: Time, age: int, passed: int, seen: str
) -> None:
    searchable(far, "One")
    await proxied(server, far, queryCacheItemMaxAge=age)
    assert await found(server) == ["One"]

    searchable(far, "Two")
    time.ahead += passed

    assert await found(server) == [seen]
