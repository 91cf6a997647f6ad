"""What every blob store keeps its word on."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

from pakhus.domain.content import ALGORITHMS, Digests
from pakhus.domain.errors import TooLarge, Unavailable, UpstreamDown
from pakhus.storage.file import FileStore
from pakhus.storage.s3 import S3Settings, S3Store
from pakhus.storage.store import BlobMissing, BlobStore, Draft

SIZES = [0, 1, 2, 1000, 64 * 1024, 64 * 1024 + 1, 256 * 1024 - 1, 256 * 1024, 3_000_001]
"""Around every size at which an implementation may change its ways: buffers, pieces, threads."""

UNKNOWN = "0123456789abcdef0123456789abcdef"


def file_store(folder: Path) -> BlobStore:
    return FileStore("contract", folder / "store")


@pytest.fixture(scope="session")
def bucket() -> Iterator[str]:
    """The URL of an S3 server with a bucket named `pakhus`."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    httpx2.put(f"{url}/pakhus", trust_env=False).raise_for_status()
    yield url
    server.stop()


def s3_store(folder: Path, url: str = "") -> BlobStore:
    prefix = f"stores/{folder.name}-{secrets.token_hex(4)}"
    settings = S3Settings(
        "pakhus", prefix=prefix, access_key="key", secret_key="secret", endpoint=url, path_style=True, signed_urls=True
    )
    return S3Store("contract", settings, folder / "spool")


@pytest.fixture(params=["file", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if request.param == "s3":
        return s3_store(tmp_path, request.getfixturevalue("bucket"))
    return file_store(tmp_path)


async def write(draft: Draft, body: bytes, *, chunk: int = 50_000) -> None:
    for start in range(0, len(body), chunk):
        await draft.write(body[start : start + chunk])


async def keep(store: BlobStore, body: bytes) -> str:
    draft = await store.begin()
    await write(draft, body)
    await draft.finish()
    key = await draft.commit()
    draft.settle()
    return key


async def collect(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


async def content(store: BlobStore, key: str, start: int = 0, stop: int | None = None) -> bytes:
    reader = await store.open(key)
    try:
        return await collect(reader.chunks(start, stop))
    finally:
        reader.close()


async def keys(store: BlobStore) -> set[str]:
    return {key async for key, _ in store.keys()}  # noqa: SIM118


def digests(body: bytes) -> Digests:
    return Digests(**{name: hashlib.new(name, body).hexdigest() for name in ALGORITHMS})


@pytest.mark.parametrize("size", SIZES)
async def test_what_was_written_is_read_back_with_its_digests(store: BlobStore, size: int) -> None:
    body = os.urandom(size)
    draft = await store.begin()
    await write(draft, body)
    assert draft.size == size
    assert await draft.finish() == draft.digests == digests(body)
    key = await draft.commit()
    assert await content(store, key) == body
    assert await store.stat(key) == size
    assert await store.drafts() == 0


async def test_bodies_written_at_the_same_time_do_not_mix(store: BlobStore) -> None:
    bodies = [os.urandom(30_000 * number) for number in range(30)]
    found = await asyncio.gather(*[keep(store, body) for body in bodies])
    assert len(set(found)) == len(bodies)
    assert [await content(store, key) for key in found] == bodies
    assert await keys(store) == set(found)


async def test_nothing_is_visible_before_commit(store: BlobStore) -> None:
    draft = await store.begin()
    await write(draft, os.urandom(300_000))
    await draft.finish()
    assert await keys(store) == set()
    key = await draft.commit()
    assert await keys(store) == {key}


async def test_equal_bodies_get_different_keys(store: BlobStore) -> None:
    assert await keep(store, b"same") != await keep(store, b"same")


async def test_commit_and_finish_twice_are_once(store: BlobStore) -> None:
    draft = await store.begin()
    await draft.write(b"body")
    assert await draft.finish() == await draft.finish()
    assert await draft.commit() == await draft.commit()
    assert len(await keys(store)) == 1


async def test_no_step_can_be_left_out(store: BlobStore) -> None:
    draft = await store.begin()
    await draft.write(b"body")
    with pytest.raises(RuntimeError):
        _ = draft.digests
    with pytest.raises(RuntimeError):
        await draft.commit()
    with pytest.raises(RuntimeError):
        draft.settle()
    await draft.finish()
    with pytest.raises(RuntimeError):
        await draft.write(b"more")


@pytest.mark.parametrize(
    ("start", "stop"), [(0, None), (0, 0), (0, 1), (5, 5), (299_999, None), (10, 290_000), (7, 10**9), (300_000, None)]
)
async def test_ranges_of_blobs_and_of_drafts(store: BlobStore, start: int, stop: int | None) -> None:
    body = os.urandom(300_000)
    draft = await store.begin()
    follower = asyncio.create_task(collect(draft.follow(start, stop)))
    await write(draft, body)
    await draft.finish()
    key = await draft.commit()
    draft.settle()
    assert await follower == await content(store, key, start, stop) == body[start:stop]
    assert await collect(draft.follow(start, stop)) == body[start:stop]


async def test_reader_tells_the_size_and_reads_small_bodies_at_once(store: BlobStore) -> None:
    reader = await store.open(await keep(store, b"a small body"))
    assert reader.size == 12
    assert reader.read(12) == b"a small body"
    with pytest.raises(TooLarge):
        reader.read(11)
    if reader.path is not None:
        assert Path(reader.path).read_bytes() == b"a small body"
    reader.close()
    reader.close()
    with pytest.raises(ValueError):
        reader.read(12)


async def test_open_gives_what_is_written_so_far_and_can_seek(store: BlobStore) -> None:
    for size in (10, 500_000):
        body = os.urandom(size)
        draft = await store.begin()
        await write(draft, body, chunk=60_001)
        with draft.open() as file:
            assert await asyncio.to_thread(file.read) == body
            file.seek(-4, os.SEEK_END)
            assert file.read() == body[-4:]
        await draft.finish()
        with draft.open() as file:
            assert file.read() == body
        await draft.cancel()


async def test_open_between_writes_does_not_disturb_the_body(store: BlobStore) -> None:
    body = os.urandom(400_000)
    draft = await store.begin()
    for start in range(0, len(body), 30_000):
        await draft.write(body[start : start + 30_000])
        with draft.open() as file:
            assert file.read() == body[: start + 30_000]
    assert await draft.finish() == digests(body)
    assert await content(store, await draft.commit()) == body


@pytest.mark.parametrize("size", SIZES)
async def test_many_followers_get_every_byte_wherever_they_come_in(store: BlobStore, size: int) -> None:
    body = os.urandom(size)
    draft = await store.begin()
    followers = [asyncio.create_task(collect(draft.follow())) for _ in range(5)]
    await write(draft, body[: size // 2])
    followers += [asyncio.create_task(collect(draft.follow())) for _ in range(5)]
    await write(draft, body[size // 2 :])
    await draft.finish()
    followers += [asyncio.create_task(collect(draft.follow())) for _ in range(5)]
    await draft.commit()
    draft.settle()
    followers += [asyncio.create_task(collect(draft.follow())) for _ in range(5)]
    assert all(found == body for found in await asyncio.gather(*followers))


@pytest.mark.parametrize("size", [1, 2, 1000, 300_000])
async def test_last_byte_is_held_back_until_settle(store: BlobStore, size: int) -> None:
    body = os.urandom(size)
    draft = await store.begin()
    follower = draft.follow()
    await write(draft, body)
    await draft.finish()
    await draft.commit()
    found = b""
    while len(found) < size - 1:
        found += await anext(follower)
    assert found == body[:-1]
    last = asyncio.ensure_future(anext(follower))
    await asyncio.sleep(0)
    assert not last.done()
    draft.settle()
    assert await last == body[-1:]
    with pytest.raises(StopAsyncIteration):
        await anext(follower)


async def test_followers_see_small_chunks_without_waiting_for_more(store: BlobStore) -> None:
    draft = await store.begin()
    follower = draft.follow()
    await draft.write(b"ab")
    assert await anext(follower) == b"a"
    await draft.write(b"cd")
    assert await anext(follower) == b"bc"
    await draft.cancel()


async def test_slow_follower_does_not_hold_up_the_others(store: BlobStore) -> None:
    body = os.urandom(1_000_000)
    draft = await store.begin()
    slow = draft.follow()
    fast = asyncio.create_task(collect(draft.follow()))
    await draft.write(body[:10])
    found = await anext(slow)
    await write(draft, body[10:])
    await draft.finish()
    await draft.commit()
    draft.settle()
    assert await fast == body
    assert found + await collect(slow) == body


async def test_follower_that_leaves_disturbs_nobody(store: BlobStore) -> None:
    body = os.urandom(500_000)
    draft = await store.begin()
    stays = asyncio.create_task(collect(draft.follow()))
    waits = asyncio.create_task(collect(draft.follow()))
    await write(draft, body[:250_000])
    async for _ in draft.follow():
        break
    waits.cancel()
    await write(draft, body[250_000:])
    assert await draft.finish() == digests(body)
    key = await draft.commit()
    draft.settle()
    assert await stays == await content(store, key) == body
    assert waits.cancelled()


@pytest.mark.parametrize("size", [0, 10, 300_000])
async def test_cancel_gives_followers_the_error_and_leaves_nothing(store: BlobStore, size: int) -> None:
    draft = await store.begin()
    await write(draft, os.urandom(size))
    followers = [asyncio.create_task(collect(draft.follow())) for _ in range(3)]
    await asyncio.sleep(0)
    await draft.cancel(UpstreamDown("cut"))
    await draft.cancel(UpstreamDown("again"))
    for follower in followers:
        with pytest.raises(UpstreamDown, match="cut"):
            await follower
    with pytest.raises(UpstreamDown, match="cut"):
        await draft.write(b"more")
    with pytest.raises(UpstreamDown, match="cut"):
        await draft.finish()
    with pytest.raises(UpstreamDown, match="cut"):
        await collect(draft.follow())
    assert await store.drafts() == 0
    assert await keys(store) == set()


async def test_cancel_without_a_reason_still_ends_followers(store: BlobStore) -> None:
    draft = await store.begin()
    follower = asyncio.create_task(collect(draft.follow()))
    await draft.write(b"body")
    await draft.cancel()
    with pytest.raises(Unavailable):
        await follower


async def test_cancel_while_the_digests_are_awaited(store: BlobStore) -> None:
    draft = await store.begin()
    await write(draft, os.urandom(20_000_000), chunk=1_000_000)
    finishing = asyncio.create_task(draft.finish())
    await asyncio.sleep(0)
    await draft.cancel(UpstreamDown("cut"))
    with pytest.raises(UpstreamDown, match="cut"):
        await finishing
    assert await store.drafts() == 0


async def test_cancel_after_commit_keeps_the_blob_but_not_the_followers(store: BlobStore) -> None:
    body = os.urandom(100_000)
    draft = await store.begin()
    follower = asyncio.create_task(collect(draft.follow()))
    await write(draft, body)
    await draft.finish()
    key = await draft.commit()
    await draft.cancel(UpstreamDown("no row"))
    with pytest.raises(UpstreamDown, match="no row"):
        await follower
    assert await content(store, key) == body


async def test_cancel_after_commit_and_settle_changes_nothing(store: BlobStore) -> None:
    body = os.urandom(300_000)
    draft = await store.begin()
    follower = draft.follow()
    await write(draft, body)
    await draft.finish()
    key = await draft.commit()
    draft.settle()
    await draft.cancel()
    assert await collect(follower) == await collect(draft.follow()) == await content(store, key) == body
    assert await draft.commit() == key


async def test_commit_that_nobody_waits_for_leaves_nothing_after_cancel(store: BlobStore) -> None:
    for size in (10, 300_000):
        draft = await store.begin()
        await write(draft, os.urandom(size))
        await draft.finish()
        committing = asyncio.create_task(draft.commit())
        await asyncio.sleep(0)
        committing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await committing
        await draft.cancel()
    assert await keys(store) == set()
    assert await store.drafts() == 0


@pytest.mark.parametrize("size", [0, 10, 100_000, 1_000_000])
async def test_followers_of_a_duplicate_still_get_every_byte(store: BlobStore, size: int) -> None:
    body = os.urandom(size)
    draft = await store.begin()
    early = draft.follow()  # comes before there is any byte, reads after all is over
    await write(draft, body)
    halfway = draft.follow()
    found = await anext(halfway) if size > 1 else b""
    await draft.finish()
    draft.settle()
    await draft.cancel()
    assert await store.drafts() == 0
    assert found + await collect(halfway) == body
    assert await collect(early) == body
    assert await keys(store) == set()


async def test_unknown_blobs(store: BlobStore) -> None:
    for key in (UNKNOWN, "", "x", "../../etc/passwd", UNKNOWN + "/..", UNKNOWN + ".json", UNKNOWN.upper(), "a\0"):
        with pytest.raises(BlobMissing):
            await store.open(key)
        with pytest.raises(BlobMissing):
            await store.describe(key, {})
        assert await store.stat(key) is None
        assert await store.description(key) is None
        await store.delete(key)


async def test_delete_removes_blob_and_sidecar_and_only_those(store: BlobStore) -> None:
    key, other = await keep(store, b"one"), await keep(store, b"two")
    await store.describe(key, {"path": "one"})
    await store.describe(other, {"path": "two"})
    await store.delete(key)
    await store.delete(key)
    assert await store.stat(key) is None
    assert await store.description(key) is None
    assert await keys(store) == {other}
    assert await store.description(other) == {"path": "two"}


async def test_open_reader_outlives_its_blob(store: BlobStore) -> None:
    body = os.urandom(600_000)
    key = await keep(store, body)
    reader = await store.open(key)
    chunks = reader.chunks()
    first = await anext(chunks)
    await store.delete(key)
    assert first + await collect(chunks) == body
    reader.close()


async def test_sidecar_is_kept_replaced_and_not_a_blob(store: BlobStore) -> None:
    key = await keep(store, b"body")
    assert await store.description(key) is None
    await store.describe(key, {"path": "a/ø", "digests": {"md5": "x"}, "size": 4})
    await store.describe(key, {"path": "b"})
    assert await store.description(key) == {"path": "b"}
    assert await keys(store) == {key}
    assert await store.drafts() == 0


async def test_key_carries_the_time_of_its_commit(store: BlobStore) -> None:
    for size in (10, 300_000):
        draft = await store.begin()
        await write(draft, os.urandom(size))
        await draft.finish()
        before = int(time.time() - 0.1)  # S3 tells whole seconds
        key = await draft.commit()
        assert before <= dict([found async for found in store.keys()])[key] <= time.time() + 1  # noqa: SIM118


async def test_sweep_leaves_drafts_that_are_being_written(store: BlobStore) -> None:
    body = os.urandom(200_000)
    draft = await store.begin()
    await write(draft, body)
    assert await store.drafts() == 1
    assert await store.sweep_drafts(0) == 0
    assert await draft.finish() == digests(body)
    assert await content(store, await draft.commit()) == body


async def test_sweep_takes_drafts_that_were_dropped_once_they_are_old(store: BlobStore) -> None:
    draft = await store.begin()
    await write(draft, os.urandom(200_000))
    await draft.finish()
    del draft
    assert await store.sweep_drafts(3600) == 0
    assert await store.drafts() == 1
    assert await store.sweep_drafts(0) == 1
    assert await store.drafts() == 0


async def test_free_room_is_told(store: BlobStore) -> None:
    assert await store.free() > 0


@settings(max_examples=40, deadline=None)
@given(
    chunks=st.lists(st.integers(0, 150_000), max_size=8),
    starts=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 500_000)), max_size=4),
)
async def test_any_chunks_and_any_followers_agree(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[int], starts: list[tuple[int, int]]
) -> None:
    store = file_store(tmp_path_factory.mktemp("any"))
    body = os.urandom(sum(chunks))
    draft = await store.begin()
    followers: list[tuple[int, asyncio.Task[bytes]]] = []
    position = 0
    for number, size in enumerate([*chunks, 0]):
        followers += [
            (start, asyncio.create_task(collect(draft.follow(start)))) for at, start in starts if at == number
        ]
        await draft.write(body[position : position + size])
        position += size
    assert await draft.finish() == digests(body)
    key = await draft.commit()
    draft.settle()
    assert await content(store, key) == body
    for start, follower in followers:
        assert await follower == body[start:]
