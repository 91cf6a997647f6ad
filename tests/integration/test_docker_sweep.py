"""Disk space of docker repositories: what goes, when, and what a push that is under way may rely on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from pakhus.services.clock import Clock
from pakhus.storage.store import BlobStore
from tests.contract.serving import Serving, serving
from tests.integration.registry import Registry
from tests.peers import postgresql
from tests.samples.docker import ARTIFACT, INDEX, MANIFEST, descriptor, digest, manifest

LAYER = b"a layer that nobody needs"
NUMBERS = count()


class Time:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)
        self.seconds = 0.0

    def passes(self, **span: float) -> None:
        delta = timedelta(**span)
        self.now += delta
        self.seconds += delta.total_seconds()

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.now, lambda: self.seconds)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture(scope="module")
def databases() -> Iterator[str]:
    with postgresql.running() as dsn:
        yield dsn


@pytest.fixture(params=["sqlite", "postgresql"])
def environ(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    if request.param == "sqlite":
        yield {}
        return
    with postgresql.database(request.getfixturevalue("databases"), f"sweep_{next(NUMBERS)}") as dsn:
        yield {"PAKHUS_DATABASE_DSN": dsn}


@pytest.fixture
async def server(environ: dict[str, str], tmp_path: Path, time: Time) -> AsyncIterator[Serving]:
    async with serving(tmp_path / "data", environ, clock=time.clock) as found:
        await found.create("docker", "hosted", "hosted", docker={"untaggedDays": 7})
        yield found


async def sweep(server: Serving) -> None:
    await server.application.services.sweep.run(grace=timedelta(hours=24))


async def blobs_in(store: BlobStore) -> int:
    listed = store.keys()
    return len([key async for key in listed])


async def status(registry: Registry, path: str) -> int:
    """By GET, which promises nothing to a push."""
    return (await registry.get(path)).status_code


async def test_a_blob_waits_a_day_for_its_manifest(server: Serving, time: Time) -> None:
    registry = Registry.of(server, "hosted")
    name = await registry.blob("app", LAYER)
    time.passes(hours=23)
    await sweep(server)
    assert await status(registry, f"app/blobs/{name}") == 200
    time.passes(hours=2)
    await sweep(server)
    assert await status(registry, f"app/blobs/{name}") == 404


async def test_a_blob_that_a_client_was_told_of_stays_for_a_day_more(server: Serving, time: Time) -> None:
    registry = Registry.of(server, "hosted")
    name = await registry.blob("app", LAYER)
    time.passes(hours=30)
    assert (await registry.ask("HEAD", f"app/blobs/{name}")).status_code == 200
    await sweep(server)
    await registry.push("app", "1", LAYER)
    time.passes(days=3)
    await sweep(server)
    assert await status(registry, f"app/blobs/{name}") == 200


async def test_a_tag_keeps_all_that_it_needs(server: Serving, time: Time) -> None:
    registry = Registry.of(server, "hosted")
    child = await registry.push("app", "child", LAYER)
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(MANIFEST, child)]}).encode()
    await registry.manifest("app", "all", index, INDEX)
    about = {"subject": descriptor(INDEX, index), "artifactType": ARTIFACT}
    signature = manifest(b"{}", [], **about)
    await registry.manifest("app", digest(signature), signature)
    await registry.ask("DELETE", "app/manifests/child")
    time.passes(days=30)
    await sweep(server)
    for path in (f"manifests/{digest(child)}", f"manifests/{digest(signature)}", f"blobs/{digest(LAYER)}"):
        assert await status(registry, f"app/{path}") == 200, path

    await registry.ask("DELETE", "app/manifests/all")
    await sweep(server)
    for path in (
        f"manifests/{digest(index)}",
        f"manifests/{digest(child)}",
        f"manifests/{digest(signature)}",
        f"blobs/{digest(LAYER)}",
    ):
        assert await status(registry, f"app/{path}") == 404, path


async def test_untagged_manifests_stay_where_nobody_said_otherwise(server: Serving, time: Time) -> None:
    await server.create("docker", "hosted", "keeping")
    registry = Registry.of(server, "keeping")
    body = await registry.push("app", "1", LAYER)
    await registry.ask("DELETE", "app/manifests/1")
    time.passes(days=400)
    await sweep(server)
    assert await status(registry, f"app/manifests/{digest(body)}") == 200
    assert await status(registry, f"app/blobs/{digest(LAYER)}") == 200


async def test_an_abandoned_upload_goes(server: Serving, time: Time) -> None:
    registry = Registry.of(server, "hosted")
    location = (await registry.ask("POST", "app/blobs/uploads/")).headers["location"]
    await registry.http.patch(location, content=LAYER)
    store = server.application.services.stores.get("default")
    assert await blobs_in(store) == 1
    time.passes(hours=23)
    await sweep(server)
    assert (await registry.http.get(location)).status_code == 204
    time.passes(hours=2)
    await sweep(server)
    assert (await registry.http.get(location)).status_code == 404
    assert await blobs_in(store) == 0


async def test_pushes_that_run_while_the_sweep_runs_lose_nothing(server: Serving, time: Time) -> None:
    registry = Registry.of(server, "hosted")
    layers = [f"layer {number}".encode() for number in range(20)]
    for layer in layers:
        await registry.blob("app", layer)
    await registry.blob("app", b"{}")
    time.passes(hours=30)

    async def push(number: int) -> None:
        """As clients do: ask, upload what is missing, then the manifest."""
        for body in (b"{}", layers[number]):
            if (await registry.ask("HEAD", f"app/blobs/{digest(body)}")).status_code == 404:
                await registry.blob("app", body)
        answer = await registry.manifest("app", f"t{number}", manifest(b"{}", [layers[number]]))
        assert answer.status_code == 201, answer.text

    async def keep_sweeping() -> None:
        while True:
            await sweep(server)

    sweeping = asyncio.ensure_future(keep_sweeping())
    await asyncio.gather(*(push(number) for number in range(20)))
    sweeping.cancel()
    await asyncio.gather(sweeping, return_exceptions=True)
    await sweep(server)
    for layer in layers:
        assert (await registry.get(f"app/blobs/{digest(layer)}")).content == layer
