"""What is swept, what is spared, and what the sidecars say."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from pakhus.database import assets
from pakhus.domain.content import Asset
from pakhus.engine import fetching
from tests.contract.serving import Serving, serving
from tests.integration.upstream import Gated, upstream
from tests.integration.wire import LOGIN, connected

pytestmark = pytest.mark.asyncio(loop_scope="module")

NONE, DAY = timedelta(0), timedelta(days=1)


@pytest_asyncio.fixture(loop_scope="module")
async def alone(tmp_path: Path) -> AsyncIterator[Serving]:
    """A server with the hosted repository `raw`, for one test: the sweep knows no repositories."""
    async with serving(tmp_path / "data") as running:
        await running.create("raw", "hosted", "raw")
        yield running


async def put(server: Serving, path: str, body: bytes) -> Asset:
    assert (await server.http.put(server.at("raw", path), content=body)).status_code == 201
    services = server.application.services
    repository = services.catalog.get("raw")
    asset = await services.database.read(assets.by_path, repository.id, "raw", path)
    assert asset is not None
    return asset


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


def blobs(server: Serving) -> set[str]:
    """The keys of the blobs on the disk."""
    folder = server.application.settings.blob_path
    return {path.name for path in folder.rglob("content/*/*/*") if path.suffix != ".json"}


async def test_the_sweep_takes_what_nothing_uses_and_spares_the_rest(alone: Serving) -> None:
    sweep, store = alone.application.services.sweep, alone.application.services.stores.get("default")
    used = await put(alone, "used", b"used")
    replaced, removed = await put(alone, "x", b"first"), await put(alone, "y", b"removed")
    second = await put(alone, "x", b"second")
    await alone.http.delete(alone.at("raw", "y"))
    draft = await store.begin()
    await draft.write(b"a stray")
    await draft.finish()
    stray = await draft.commit()
    keys = {asset.blob.key for asset in (used, replaced, removed, second)} | {stray}
    assert blobs(alone) == keys
    assert (await sweep.run(grace=DAY)).blobs == 0
    assert blobs(alone) == keys
    swept = await sweep.run(grace=NONE)
    assert (swept.blobs, swept.strays, swept.bytes) == (2, 1, len(b"firstremoved"))
    assert blobs(alone) == {used.blob.key, second.blob.key}
    assert (await alone.get("raw", "used")).content == b"used"
    assert (await sweep.run(grace=NONE)).blobs == 0


async def test_the_sweep_spares_an_upload_under_way(alone: Serving) -> None:
    services = alone.application.services
    body = secrets.token_bytes(1 << 20)
    async with connected(alone.url) as wire:
        head = f"PUT /repository/raw/x HTTP/1.1\r\nHost: pakhus\r\n{LOGIN}\r\nContent-Length: {len(body)}\r\n\r\n"
        await wire.send(head, body[: len(body) // 2])
        drafts = alone.application.settings.blob_path / "default" / "drafts"
        await until(lambda: drafts.exists() and any(drafts.iterdir()))
        assert (await services.sweep.run(grace=NONE)).drafts == 0
        await wire.send(body[len(body) // 2 :])
        assert (await wire.answer()).status == 201
    assert (await alone.get("raw", "x")).content == body


async def test_bytes_that_were_swept_while_they_were_sent_again_are_kept(alone: Serving) -> None:
    """The same bytes come back at the moment at which the sweep takes them: no row may point to nothing."""
    sweep = alone.application.services.sweep
    for number in range(10):
        await put(alone, "x", b"again and again")
        await alone.http.delete(alone.at("raw", "x"))
        await asyncio.gather(sweep.run(grace=NONE), put(alone, f"y{number}", b"again and again"))
        assert (await alone.get("raw", f"y{number}")).content == b"again and again"
        await alone.http.delete(alone.at("raw", f"y{number}"))


async def test_a_blob_has_a_sidecar_that_says_what_it_is(alone: Serving) -> None:
    store = alone.application.services.stores.get("default")
    asset = await put(alone, "a/b", b"described")
    sidecars = alone.application.settings.blob_path
    await until(lambda: any(sidecars.rglob("content/*/*/*.json")))
    found = await store.description(asset.blob.key)
    assert found is not None
    assert found["sha256"] == asset.blob.digests.sha256
    assert "a/b" in str(found["assets"])


async def test_a_blob_that_was_lost_does_not_stop_the_sidecars_of_the_others(alone: Serving) -> None:
    store = alone.application.services.stores.get("default")
    lost = await put(alone, "lost", b"lost")
    await store.delete(lost.blob.key)
    kept = await put(alone, "kept", b"kept")
    path = alone.application.settings.blob_path
    await until(lambda: any(path.rglob(f"content/*/*/{kept.blob.key}.json")))


async def test_a_fill_that_takes_longer_than_its_lease_is_not_begun_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "LEASE_SECONDS", 0.6)
    body = secrets.token_bytes(1 << 20)
    async with upstream() as far, serving(tmp_path / "data") as one, serving(tmp_path / "data") as other:
        gated = far.handler = Gated(body)
        await one.create("raw", "proxy", "proxy", proxy={"remoteUrl": far.url})
        first = asyncio.create_task(one.get("proxy", "file"))
        await gated.asked.wait()
        second = asyncio.create_task(other.get("proxy", "file"))
        await asyncio.sleep(2.0)  # three leases
        gated.gate.set()
        assert (await first).content == (await second).content == body
        assert far.seen == ["GET /file"]
