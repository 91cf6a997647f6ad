"""What only a store of files has: a layout, a disk that fills, processes that die."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import resource
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

import pakhus
from pakhus.domain.errors import StorageFull
from pakhus.storage import handle as handle_module
from pakhus.storage.file import RUN, FileStore
from pakhus.storage.handle import Handle
from pakhus.storage.store import BlobMissing

MIB = 1024 * 1024

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(pakhus.__file__).parent.parent)}

WRITER = """
import asyncio, hashlib, os, random, sys
from pathlib import Path
from pakhus.storage.file import FileStore

async def write(store, number):
    body = random.Random(number).randbytes(random.Random(number).choice([100, 70_000, 400_000, 2_000_000]))
    draft = await store.begin()
    for start in range(0, len(body), 30_000):
        await draft.write(body[start:start + 30_000])
        await asyncio.sleep(0)
    digests = await draft.finish()
    key = await draft.commit()
    await store.describe(key, {"sha256": digests.sha256})
    draft.settle()
    os.write(1, f"{key} {digests.sha256}\\n".encode())

async def main():
    store = FileStore("killed", Path(sys.argv[1]))
    os.write(1, b"ready\\n")
    number = int(sys.argv[2])
    while True:
        await asyncio.gather(*[write(store, number + each) for each in range(6)])
        number += 6

asyncio.run(main())
"""

HOLDER = """
import asyncio, sys
from pathlib import Path
from pakhus.storage.file import FileStore

async def main():
    store = FileStore("held", Path(sys.argv[1]))
    draft = await store.begin()
    await draft.write(bytes(100_000))
    print("ready", flush=True)
    sys.stdin.read()

asyncio.run(main())
"""


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore("files", tmp_path / "store")


async def keep(store: FileStore, body: bytes) -> str:
    draft = await store.begin()
    await draft.write(body)
    await draft.finish()
    key = await draft.commit()
    draft.settle()
    return key


async def collect(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


async def keys(store: FileStore) -> set[str]:
    return {key async for key, _ in store.keys()}  # noqa: SIM118


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_blob_and_sidecar_lie_where_the_key_says(store: FileStore, tmp_path: Path) -> None:
    key = await keep(store, b"body")
    await store.describe(key, {"path": "a"})
    assert re.fullmatch("[0-9a-f]{32}", key)
    path = tmp_path / "store" / "content" / key[:2] / key[2:4] / key
    assert path.read_bytes() == b"body"
    assert path.with_name(f"{key}.json").read_text() == '{"path": "a"}'
    reader = await store.open(key)
    assert reader.path == str(path)
    reader.close()
    assert await store.url(key) is None


async def test_store_is_found_again_by_another_process(store: FileStore, tmp_path: Path) -> None:
    key = await keep(store, b"body")
    again = FileStore("files", tmp_path / "store")
    assert await keys(again) == {key}
    assert await again.stat(key) == 4


async def test_blobs_in_a_row_share_a_folder_but_not_for_ever(store: FileStore) -> None:
    found = [await keep(store, b"") for _ in range(RUN + 1)]
    assert len({key[:4] for key in found[:RUN]}) == 1
    assert len({key[4:] for key in found}) == RUN + 1


async def test_small_body_makes_no_file_before_commit(store: FileStore) -> None:
    draft = await store.begin()
    await draft.write(bytes(1000))
    await draft.finish()
    assert await store.drafts() == 0
    draft.settle()
    await draft.cancel()
    assert await keys(store) == set()


async def test_no_descriptor_stays_open(store: FileStore) -> None:
    await keep(store, bytes(MIB))
    before = descriptors()
    for leave in ("commit", "cancel", "duplicate", "drop"):
        draft = await store.begin()
        early = draft.follow()
        await draft.write(os.urandom(MIB))
        read, unread = draft.follow(), draft.follow()
        await anext(read)
        await draft.finish()
        if leave == "commit":
            await draft.commit()
        if leave in ("commit", "duplicate"):
            draft.settle()
        if leave in ("cancel", "duplicate"):
            await draft.cancel()
        del draft, early, read, unread
    reader = await store.open(await keep(store, bytes(MIB)))
    await anext(reader.chunks())
    reader.close()
    assert descriptors() == before


async def test_descriptor_of_a_cancelled_read_is_not_closed_under_the_thread(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handle_module, "_NOWAIT", 0)
    reader = await store.open(await keep(store, bytes(4 * MIB)))
    for _ in range(50):
        reading = asyncio.create_task(collect(reader.chunks()))
        await asyncio.sleep(0)
        reading.cancel()
    reader.close()
    with pytest.raises(ValueError):
        await collect(reader.chunks())


@pytest.mark.parametrize(("error", "attempts"), [(BlockingIOError, 4), (OSError, 1)])
async def test_reads_that_the_page_cache_cannot_answer_go_to_a_thread(
    store: FileStore, monkeypatch: pytest.MonkeyPatch, error: type[OSError], attempts: int
) -> None:
    body = os.urandom(MIB)
    reader = await store.open(await keep(store, body))
    asked: list[int] = []

    def refuse(fd: int, buffers: object, position: int, flags: int = 0) -> int:
        asked.append(position)
        raise error

    monkeypatch.setattr(os, "preadv", refuse)
    assert await collect(reader.chunks(1)) == body[1:]
    assert len(asked) == attempts
    reader.close()


async def test_blob_that_was_cut_short_on_the_disk_is_not_passed_off_as_whole(store: FileStore) -> None:
    key = await keep(store, bytes(100))
    reader = await store.open(key)
    assert reader.path is not None
    os.truncate(reader.path, 50)
    with pytest.raises(BlobMissing):
        await collect(reader.chunks())
    with pytest.raises(BlobMissing):
        reader.read(100)
    reader.close()


async def test_late_follower_of_a_committed_draft_reads_the_blob(store: FileStore) -> None:
    body = os.urandom(MIB)
    draft = await store.begin()
    await draft.write(body)
    await draft.finish()
    key = await draft.commit()
    draft.settle()
    assert await collect(draft.follow(7)) == body[7:]
    await store.delete(key)
    with pytest.raises(BlobMissing):
        draft.follow()


def test_handle_closes_with_its_last_user(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    found = Handle(fd)
    found.share()
    found.release()
    os.fstat(fd)
    found.release()
    with pytest.raises(OSError):
        os.fstat(fd)
    with pytest.raises(ValueError):
        found.share()


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file of this process may grow over 150,000 bytes: the disk is full at the third write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, handler)


async def fill(store: FileStore) -> None:
    """Write until the store is full, and see that nothing stays of it."""
    draft = await store.begin()
    follower = asyncio.create_task(collect(draft.follow()))
    with pytest.raises(StorageFull) as failure:
        for _ in range(100):
            await draft.write(os.urandom(60_000))
    assert failure.value.status == 507
    with pytest.raises(StorageFull):
        await follower
    with pytest.raises(StorageFull):
        await draft.finish()
    assert await store.drafts() == 0
    assert await keys(store) == set()


async def test_full_disk_refuses_the_body_and_leaves_no_draft(store: FileStore, small_files: None) -> None:
    await fill(store)
    assert await store.stat(await keep(store, bytes(1000))) == 1000


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
async def test_full_file_system_refuses_bodies_commits_and_sidecars(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("this root may not mount")
    try:
        store = FileStore("small", folder)
        await fill(store)
        key = await keep(store, bytes(1000))
        (folder / "ballast").write_bytes(bytes(await store.free()))
        draft = await store.begin()
        await draft.write(bytes(1000))
        await draft.finish()
        with pytest.raises(StorageFull):
            await draft.commit()
        with pytest.raises(StorageFull):
            await store.describe(key, {"path": "a"})
        assert await store.drafts() == 0
        assert await store.free() == 0
        assert await keys(store) == {key}
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("lines", [0, 1, 7, 20])
async def test_killed_process_leaves_no_half_blob_and_no_draft_for_long(tmp_path: Path, lines: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, tmp_path, str(lines)], stdout=subprocess.PIPE, env=ENVIRONMENT
    ) as writer:
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(lines + 1)]
        await asyncio.sleep(0.005 * lines)  # not an event: any moment will do
        writer.kill()
        said += writer.stdout.readlines()
    acknowledged = dict(line.decode().split() for line in said[1:] if line.endswith(b"\n"))
    assert len(acknowledged) >= lines

    store = FileStore("killed", tmp_path)
    found = await keys(store)
    for key in found:
        reader = await store.open(key)
        sha256 = hashlib.sha256(await collect(reader.chunks())).hexdigest()
        reader.close()
        sidecar = await store.description(key)
        assert sidecar is None or sidecar == {"sha256": sha256}
        assert acknowledged.pop(key, sha256) == sha256
    assert not acknowledged
    left = await store.drafts()
    assert await store.sweep_drafts(3600) == 0
    assert await store.sweep_drafts(0) == left
    assert await store.drafts() == 0
    assert await keys(store) == found


async def test_sweep_spares_the_draft_of_another_living_process(tmp_path: Path) -> None:
    store = FileStore("held", tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"ready\n"
        for path in (tmp_path / "drafts").iterdir():
            os.utime(path, (0, 0))
        assert await store.sweep_drafts(3600) == 0
        assert await store.drafts() == 1
        holder.kill()
    assert await store.sweep_drafts(3600) == 1


async def test_large_body_with_many_followers_stays_out_of_memory(store: FileStore) -> None:
    size, chunk = 200 * MIB, os.urandom(MIB)
    draft = await store.begin()

    async def count() -> int:
        total = 0
        async for piece in draft.follow():
            total += len(piece)
        return total

    tracemalloc.start()
    try:
        followers = [asyncio.create_task(count()) for _ in range(20)]
        for _ in range(size // MIB):
            await draft.write(chunk)
        await draft.finish()
        key = await draft.commit()
        draft.settle()
        assert await asyncio.gather(*followers) == [size] * 20
        reader = await store.open(key)
        assert sum([len(piece) async for piece in reader.chunks()]) == size
        reader.close()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 32 * MIB
