"""The format contract: every format × hosted, proxy, group, group of groups; two real servers, no mocks."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator

import httpx2
import pytest
from tests.contract.conftest import ABSENT, DONE, SHAPES, Shapes

from pakhus.database import assets

pytestmark = pytest.mark.asyncio(loop_scope="session")

LARGE = 100 << 20


def first_file(shapes: Shapes) -> tuple[str, bytes]:
    return next(iter(shapes.sample.first.files.items()))


@pytest.mark.parametrize("shape", SHAPES)
async def test_what_was_published_is_read_byte_for_byte(shapes: Shapes, shape: str) -> None:
    await shapes.publish(shapes.sample.first, shape)
    for path, body in shapes.sample.first.files.items():
        response = await shapes.get(shape, path)
        assert response.status_code == 200, response.text
        assert response.content == body


@pytest.mark.parametrize("shape", SHAPES)
async def test_head_says_what_get_says(shapes: Shapes, shape: str) -> None:
    await shapes.publish(shapes.sample.first, shape)
    path, body = first_file(shapes)
    await shapes.get(shape, path)
    get = await shapes.get(shape, path)
    head = await shapes.near.http.head(shapes.url(shape, path))
    assert head.status_code == 200
    assert head.content == b""
    for name in ("content-type", "content-length", "etag", "last-modified"):
        assert head.headers.get(name) == get.headers.get(name), name
    assert head.headers["content-length"] == str(len(body))


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_range_is_a_slice(shapes: Shapes, shape: str) -> None:
    await shapes.publish(shapes.sample.first, shape)
    path, body = first_file(shapes)
    for _ in range(2):
        response = await shapes.get(shape, path, headers={"Range": "bytes=2-9"})
        assert response.status_code == 206
        assert response.content == body[2:10]
        assert response.headers["content-range"] == f"bytes 2-9/{len(body)}"
    tail = await shapes.get(shape, path, headers={"Range": "bytes=-3"})
    assert tail.content == body[-3:]
    beyond = await shapes.get(shape, path, headers={"Range": f"bytes={len(body)}-"})
    assert beyond.status_code == 416
    assert beyond.headers["content-range"] == f"bytes */{len(body)}"


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_known_etag_is_not_sent_again(shapes: Shapes, shape: str) -> None:
    await shapes.publish(shapes.sample.first, shape)
    paths = [first_file(shapes)[0], *(page.path for page in shapes.sample.pages)]
    for path in paths:
        await shapes.get(shape, path)
        seen = await shapes.get(shape, path)
        again = await shapes.get(shape, path, headers={"If-None-Match": seen.headers["etag"]})
        assert again.status_code == 304, path
        assert again.content == b""
        other = await shapes.get(shape, path, headers={"If-None-Match": '"something else"'})
        assert other.status_code == 200


@pytest.mark.parametrize("shape", SHAPES)
async def test_documents_name_exactly_what_was_published(shapes: Shapes, shape: str) -> None:
    for release in (shapes.sample.first, shapes.sample.second, shapes.sample.other):
        await shapes.publish(release, shape)
    for page in shapes.sample.pages:
        assert await shapes.named(shape, page) == page.before, page.path


@pytest.mark.parametrize("shape", ("group", "nested"))
async def test_a_group_names_what_any_member_has(shapes: Shapes, shape: str) -> None:
    await shapes.publish(shapes.sample.first, "hosted")
    await shapes.publish(shapes.sample.second, "upstream")
    await shapes.publish(shapes.sample.other, "upstream")
    for page in shapes.sample.pages:
        assert await shapes.named(shape, page) == page.before, page.path
    for release in (shapes.sample.first, shapes.sample.second, shapes.sample.other):
        for path, body in release.files.items():
            assert (await shapes.get(shape, path)).content == body


@pytest.mark.parametrize("shape", SHAPES)
async def test_every_link_leads_to_the_addressed_repository_and_answers(shapes: Shapes, shape: str) -> None:
    await shapes.publish(shapes.sample.first, shape)
    await shapes.publish(shapes.sample.second, shape)
    for page in shapes.sample.pages:
        response = await shapes.get(shape, page.path, headers=dict(page.headers))
        for link in page.links(response.content):
            assert link.startswith(shapes.url(shape)), f"{page.path} links to {link}"
            followed = await shapes.near.http.get(link.partition("#")[0])
            assert followed.status_code == 200, link


@pytest.mark.parametrize("shape", ("proxy", "group", "nested"))
async def test_a_second_read_makes_no_request(shapes: Shapes, shape: str) -> None:
    await shapes.publish(shapes.sample.first, "proxy")
    paths = [*shapes.sample.first.files, *(page.path for page in shapes.sample.pages)]
    for path in paths:
        assert (await shapes.get(shape, path)).status_code == 200, path
    before = len(shapes.far.seen)
    for path in paths:
        assert (await shapes.get(shape, path)).status_code == 200
    assert shapes.far.seen[before:] == []


@pytest.mark.parametrize("shape", ("proxy", "group", "nested"))
async def test_a_kept_copy_is_served_when_the_upstream_is_down(shapes: Shapes, shape: str) -> None:
    await shapes.publish(shapes.sample.first, "proxy")
    paths = [*shapes.sample.first.files, *(page.path for page in shapes.sample.pages)]
    kept = {path: (await shapes.get(shape, path)).content for path in paths}
    await shapes.lose_upstream()
    for path in paths:
        response = await shapes.get(shape, path)
        assert response.status_code == 200, f"{path}: {response.text}"
        assert response.content == kept[path]


@pytest.mark.parametrize("shape", SHAPES)
async def test_what_is_removed_is_gone_from_files_and_documents(shapes: Shapes, shape: str) -> None:
    source = "proxy" if shape == "proxy" else "hosted"
    for release in (shapes.sample.first, shapes.sample.second, shapes.sample.other):
        await shapes.publish(release, source)
    for page in shapes.sample.pages:
        await shapes.get(shape, page.path)
    await shapes.remove(shapes.sample.first, source)
    await shapes.forget()
    for page in shapes.sample.pages:
        assert await shapes.named(shape, page) == page.after, page.path
    if shape != "proxy":
        for path in shapes.sample.first.files:
            assert (await shapes.get(shape, path)).status_code in ABSENT, path


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_stranger_is_challenged_and_learns_nothing(shapes: Shapes, shape: str) -> None:
    await shapes.publish(shapes.sample.first, shape)
    path, body = first_file(shapes)
    async with httpx2.AsyncClient(trust_env=False) as stranger:
        for asked in (path, shapes.sample.absent, *(page.path for page in shapes.sample.pages)):
            for method in ("GET", "HEAD"):
                response = await stranger.request(method, shapes.url(shape, asked))
                assert response.status_code == 401, asked
                assert "www-authenticate" in response.headers
                assert body not in response.content


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_stranger_writes_nothing(shapes: Shapes, shape: str) -> None:
    async with httpx2.AsyncClient(trust_env=False) as stranger:
        for request in shapes.sample.first.publish:
            response = await stranger.request(
                request.method, shapes.url(shape, request.path), content=request.body, headers=dict(request.headers)
            )
            assert response.status_code in (401, 405), request.path
    for path in shapes.sample.first.files:
        assert (await shapes.get("hosted", path)).status_code in ABSENT


@pytest.mark.parametrize("shape", SHAPES)
async def test_what_is_not_there_is_not_found(shapes: Shapes, shape: str) -> None:
    response = await shapes.get(shape, shapes.sample.absent)
    assert response.status_code in ABSENT
    assert response.content


@pytest.mark.parametrize("shape", ("proxy", "group"))
async def test_writing_where_nothing_can_be_written_is_refused_with_a_reason(shapes: Shapes, shape: str) -> None:
    request = shapes.sample.first.publish[0]
    response = await shapes.ask(shape, request)
    assert response.status_code == 405
    assert response.headers["allow"]
    assert shape in response.text


async def test_a_write_to_a_group_goes_to_its_writable_member(shapes: Shapes) -> None:
    hosted, proxy = shapes.name("hosted"), shapes.name("proxy")
    await shapes.create("group", "writable", group={"memberNames": [proxy, hosted], "writableMember": hosted})
    for request in shapes.sample.first.publish:
        assert (await shapes.ask("writable", request)).status_code in DONE
    for path, body in shapes.sample.first.files.items():
        assert (await shapes.get("hosted", path)).content == body


async def test_malformed_uploads_are_refused_and_store_nothing(shapes: Shapes) -> None:
    for request in shapes.sample.malformed:
        response = await shapes.ask("hosted", request)
        assert 400 <= response.status_code < 500, f"{request.method} {request.path}: {response.status_code}"
        assert response.content
    services = shapes.near.application.services
    repository = services.catalog.get(shapes.name("hosted"))
    assert await services.database.read(assets.page, repository.id, repository.name, after=0, limit=10) == []
    assert await services.stores.get("default").drafts() == 0


async def test_once_means_once(shapes: Shapes) -> None:
    settings = dict(shapes.sample.settings.get("hosted", {}))
    settings["storage"] = {**settings.get("storage", {}), "writePolicy": "ALLOW_ONCE"}
    await shapes.create("hosted", "once", **settings)
    for request in shapes.sample.first.publish:
        assert (await shapes.ask("once", request)).status_code in DONE
    again = shapes.sample.replacing or shapes.sample.first.publish
    answers = [await shapes.ask("once", request) for request in again]
    assert any(400 <= answer.status_code < 500 for answer in answers)
    for path, body in shapes.sample.first.files.items():
        assert (await shapes.get("once", path)).content == body


async def test_a_large_file_goes_up_and_down_in_little_memory(shapes: Shapes) -> None:
    if shapes.sample.big is None:  # a format whose client cannot be made to send one
        return
    release = shapes.sample.big(LARGE)
    (path, body), *_ = release.files.items()
    tracemalloc.start()
    try:
        for request in release.publish:
            url = shapes.url("hosted", request.path)
            sent = await shapes.near.http.request(
                request.method, url, content=_slices(request.body), headers={**request.headers, **_length(request.body)}
            )
            assert sent.status_code in DONE, sent.text
        received = 0
        async with shapes.near.http.stream("GET", shapes.url("hosted", path)) as answer:
            async for chunk in answer.aiter_raw(1 << 16):
                received += len(chunk)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert received == len(body)
    assert peak < 32 << 20


async def _slices(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 1 << 16):
        yield body[start : start + (1 << 16)]


def _length(body: bytes) -> dict[str, str]:
    return {"Content-Length": str(len(body))}
