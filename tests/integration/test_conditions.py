"""Conditional and partial requests (RFC 9110, sections 13 and 14), on kept content and on what is still arriving."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.contract.serving import Serving
from tests.integration.upstream import Gated, Upstream
from tests.integration.wire import connected

pytestmark = pytest.mark.asyncio(loop_scope="module")

BODY = bytes(range(256)) * 8
EARLIER = "Sat, 01 Jan 2000 00:00:00 GMT"
LATER = "Fri, 01 Jan 2100 00:00:00 GMT"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kept(near: Serving) -> AsyncIterator[Serving]:
    """`file.bin` in the hosted repository `kept`."""
    await near.create("raw", "hosted", "kept")
    await near.http.put(near.at("kept", "file.bin"), content=BODY)
    yield near


async def etag(kept: Serving) -> str:
    return (await kept.get("kept", "file.bin")).headers["etag"]


@pytest.mark.parametrize("method", ("GET", "HEAD"))
async def test_a_known_etag_is_not_sent_again(kept: Serving, method: str) -> None:
    for known in (await etag(kept), "*", f'"other", W/{await etag(kept)}'):
        answer = await kept.http.request(method, kept.at("kept", "file.bin"), headers={"If-None-Match": known})
        assert answer.status_code == 304
        assert answer.headers["etag"] == await etag(kept)
        assert answer.content == b""


async def test_another_etag_gets_the_content_whatever_the_date_says(kept: Serving) -> None:
    headers = {"If-None-Match": '"other"', "If-Modified-Since": LATER}
    assert (await kept.get("kept", "file.bin", headers=headers)).content == BODY


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("If-Match", "*", 200),
        ("If-Match", '"other"', 412),
        ("If-Unmodified-Since", LATER, 200),
        ("If-Unmodified-Since", EARLIER, 412),
        ("If-Modified-Since", LATER, 304),
        ("If-Modified-Since", EARLIER, 200),
    ],
)
async def test_preconditions_decide(kept: Serving, header: str, value: str, status: int) -> None:
    assert (await kept.get("kept", "file.bin", headers={header: value})).status_code == status


async def test_if_match_wants_the_strong_etag(kept: Serving) -> None:
    strong = await etag(kept)
    assert (await kept.get("kept", "file.bin", headers={"If-Match": strong})).status_code == 200
    assert (await kept.get("kept", "file.bin", headers={"If-Match": f"W/{strong}"})).status_code == 412


async def test_a_weak_etag_of_upstream_matches_no_if_match(near: Serving, far: Upstream, name: str) -> None:
    far.answers(200, ETag='W/"weak"')
    await near.create("raw", "proxy", name, proxy={"remoteUrl": far.url})
    await near.get(name, "x")
    assert (await near.get(name, "x", headers={"If-Match": 'W/"weak"'})).status_code == 412
    assert (await near.get(name, "x", headers={"If-None-Match": 'W/"weak"'})).status_code == 304


@pytest.mark.parametrize("header", ("If-Modified-Since", "If-Unmodified-Since", "If-Range"))
@pytest.mark.parametrize(
    "date", ("", "yesterday", "Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "Mon, 01 Jan 2001 00:00:00 +99999999")
)
async def test_a_date_that_is_none_is_no_condition(kept: Serving, header: str, date: str) -> None:
    answer = await kept.get("kept", "file.bin", headers={header: date})
    assert (answer.status_code, answer.content) == (200, BODY)


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-199", 100, 200),
        ("bytes=2000-", 2000, 2048),
        ("bytes=-5", 2043, 2048),
        ("bytes=-9999", 0, 2048),
        ("bytes=2040-9999", 2040, 2048),
        ("Bytes= 0-3", 0, 4),
    ],
)
async def test_a_range_is_a_slice(kept: Serving, wanted: str, start: int, stop: int) -> None:
    answer = await kept.get("kept", "file.bin", headers={"Range": wanted})
    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(BODY)}"
    assert answer.content == BODY[start:stop]


@pytest.mark.parametrize("wanted", ("bytes=2048-", "bytes=2048-3000", "bytes=-0"))
async def test_a_range_beyond_the_end_is_refused_with_the_size(kept: Serving, wanted: str) -> None:
    answer = await kept.get("kept", "file.bin", headers={"Range": wanted})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(BODY)}"


@pytest.mark.parametrize(
    "wanted",
    (
        "bytes=0-1,4-5",
        "bytes=5-1",
        "bytes=a-b",
        "bytes=-",
        "bytes=",
        "items=0-5",
        "bytes=0-x",
        "bytes=+1-2",
        b"bytes=\xb2-",
    ),
)
async def test_what_is_no_single_range_gets_everything(kept: Serving, wanted: str | bytes) -> None:
    header = wanted.encode() if isinstance(wanted, str) else wanted
    answer = await kept.get("kept", "file.bin", headers=[(b"Range", header)])
    assert (answer.status_code, answer.content) == (200, BODY)


async def test_a_range_of_absurd_length_is_no_incident(kept: Serving) -> None:
    for wanted in ("bytes=" + "9" * 20000 + "-", "bytes=-" + "9" * 20000, "bytes=0-" + "9" * 20000):
        answer = await kept.get("kept", "file.bin", headers={"Range": wanted})
        assert answer.status_code in (200, 206, 416)


async def test_head_has_no_ranges(kept: Serving) -> None:
    """RFC 9110, section 14.2: GET is the only method for which they are defined."""
    answer = await kept.http.head(kept.at("kept", "file.bin"), headers={"Range": "bytes=0-3"})
    assert (answer.status_code, answer.headers["content-length"]) == (200, str(len(BODY)))


async def test_if_range_holds_only_for_the_same_content(kept: Serving) -> None:
    now = await etag(kept)
    modified = (await kept.get("kept", "file.bin")).headers["last-modified"]
    for condition, status in ((now, 206), (f"W/{now}", 200), ('"other"', 200), (modified, 206), (EARLIER, 200)):
        headers = {"Range": "bytes=0-3", "If-Range": condition}
        assert (await kept.get("kept", "file.bin", headers=headers)).status_code == status, condition


async def test_a_precondition_that_fails_comes_before_the_range(kept: Serving) -> None:
    headers = {"Range": "bytes=9999-", "If-Match": '"other"'}
    assert (await kept.get("kept", "file.bin", headers=headers)).status_code == 412


async def test_a_range_of_what_is_arriving_comes_as_soon_as_it_is_there(
    near: Serving, far: Upstream, name: str
) -> None:
    gated = far.handler = Gated(BODY)
    await near.create("raw", "proxy", name, proxy={"remoteUrl": far.url})
    whole = asyncio.create_task(near.get(name, "x"))
    await gated.asked.wait()
    early = await near.get(name, "x", headers={"Range": "bytes=10-19"})
    assert (early.status_code, early.content) == (206, BODY[10:20])
    beyond = await near.get(name, "x", headers={"Range": "bytes=5000-"})
    assert beyond.status_code == 416
    late = asyncio.create_task(near.get(name, "x", headers={"Range": "bytes=-10"}))
    gated.gate.set()
    assert (await late).content == BODY[-10:]
    assert (await whole).content == BODY
    assert len(far.seen) == 1


async def test_while_the_size_is_unknown_a_range_gets_everything(near: Serving, far: Upstream, name: str) -> None:
    gated = far.handler = Gated(BODY, chunked=True)
    await near.create("raw", "proxy", name, proxy={"remoteUrl": far.url})
    first = asyncio.create_task(near.get(name, "x"))
    await gated.asked.wait()
    async with connected(near.url) as wire:
        asked = asyncio.create_task(wire.ask(f"GET /repository/{name}/x HTTP/1.1", "Range: bytes=0-3"))
        gated.gate.set()
        answer = await asked
    assert (answer.status, answer.body) == (200, BODY)
    assert (await first).content == BODY
    assert (await near.get(name, "x", headers={"Range": "bytes=0-3"})).status_code == 206
