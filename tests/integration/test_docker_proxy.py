"""Proxies and groups of registries: how an upstream is asked, and what happens when it answers badly or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from aiohttp import web

from pakhus.services.clock import Clock
from tests.contract.serving import Serving, serving
from tests.integration.registry import Registry, code
from tests.integration.upstream import Gated, Upstream, upstream
from tests.samples.docker import INDEX, MANIFEST, descriptor, digest, manifest

LAYER = b"layer " * 20_000
BODY = manifest(b"{}", [LAYER])


class Hub:
    """A registry as an upstream: manifests by tag, blobs by digest, lists in pages."""

    def __init__(self) -> None:
        self.manifests = {"1": BODY}
        self.blobs = {digest(each): each for each in (b"{}", LAYER)}
        self.tags = ["1", "2", "3"]
        self.status = 0
        self.more: dict[str, web.Response] = {}

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if self.status:
            return web.Response(status=self.status)
        path = request.path
        if path in self.more:
            return self.more[path]
        if path.endswith("/tags/list"):
            return self.page(request)
        kind, _, reference = path.rpartition("/")
        if kind.endswith("/manifests"):
            body = self.manifests.get(reference)
            by_digest = {digest(each): each for each in self.manifests.values()}
            body = body if body is not None else by_digest.get(reference)
            if body is not None:
                headers = {"Content-Type": MANIFEST, "Docker-Content-Digest": digest(body)}
                return web.Response(body=body, headers=headers)
        if kind.endswith("/blobs") and reference in self.blobs:
            return web.Response(body=self.blobs[reference])
        raise web.HTTPNotFound

    def page(self, request: web.Request) -> web.Response:
        at = int(request.query.get("at", 0))
        headers = {"Link": f'<{request.path}?at={at + 1}>; rel="next"'} if at + 1 < len(self.tags) else {}
        return web.json_response({"name": "x", "tags": self.tags[at : at + 1]}, headers=headers)


class Time:
    """The server's clocks, which the test turns."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)
        self.seconds = 0.0

    def passes(self, **span: float) -> None:
        self.now += timedelta(**span)
        self.seconds += timedelta(**span).total_seconds()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def far() -> AsyncIterator[Upstream]:
    async with upstream() as found:
        found.handler = Hub()
        yield found


@pytest.fixture
async def server(tmp_path: Path, time: Time, far: Upstream) -> AsyncIterator[Serving]:
    async with serving(tmp_path / "data", clock=Clock(lambda: time.now, lambda: time.seconds)) as found:
        await found.create("docker", "proxy", "proxy", **proxying(far))
        yield found


def proxying(far: Upstream, **options: Any) -> dict[str, Any]:
    return {
        "proxy": {"remoteUrl": far.url, "contentMaxAge": 60, "metadataMaxAge": 60},
        "docker": {"forceBasicAuth": True},
        "dockerProxy": {"indexType": "REGISTRY", **options},
    }


async def test_a_tag_is_checked_by_head(server: Serving, far: Upstream, time: Time) -> None:
    registry = Registry.of(server, "proxy")
    assert (await registry.get("app/manifests/1")).content == BODY
    time.passes(hours=2)
    far.seen.clear()

    assert (await registry.get("app/manifests/1")).content == BODY
    assert far.seen == ["HEAD /v2/app/manifests/1"]

    time.passes(hours=2)
    moved = manifest(b"{}", [LAYER, LAYER])
    assert isinstance(far.handler, Hub)
    far.handler.manifests["1"] = moved
    assert (await registry.get("app/manifests/1")).content == moved


async def test_a_digest_is_asked_for_once(server: Serving, far: Upstream, time: Time) -> None:
    registry = Registry.of(server, "proxy")
    for path in (f"app/manifests/{digest(BODY)}", f"app/blobs/{digest(LAYER)}"):
        assert (await registry.get(path)).status_code == 200
        time.passes(days=400)
        far.seen.clear()
        assert (await registry.get(path)).status_code == 200
        assert far.seen == []


@pytest.mark.parametrize("status", [429, 500, 503, 401])
async def test_a_tag_stays_what_it_was_when_upstream_fails(
    server: Serving, far: Upstream, time: Time, status: int
) -> None:
    registry = Registry.of(server, "proxy")
    await registry.get("app/manifests/1")
    time.passes(hours=2)
    assert isinstance(far.handler, Hub)
    far.handler.status = status

    head = await registry.ask("HEAD", "app/manifests/1")
    assert head.status_code == 200
    assert (await registry.get(f"app/manifests/{head.headers['docker-content-digest']}")).content == BODY


async def test_head_of_a_tag_names_its_digest_the_first_time_too(server: Serving) -> None:
    head = await Registry.of(server, "proxy").ask("HEAD", "app/manifests/1")
    assert head.headers["docker-content-digest"] == digest(BODY)
    assert head.headers["content-type"] == MANIFEST


async def test_all_pages_of_an_upstream_are_listed(server: Serving, far: Upstream) -> None:
    assert isinstance(far.handler, Hub)
    far.handler.tags = [f"v{number:03}" for number in range(30)]
    registry = Registry.of(server, "proxy")
    assert await registry.tags("app") == far.handler.tags
    far.seen.clear()
    assert await registry.tags("app") == far.handler.tags
    assert far.seen == []


async def test_images_of_docker_hub_are_in_the_library(server: Serving, far: Upstream) -> None:
    await server.create("docker", "proxy", "hub", **proxying(far, indexType="HUB"))
    registry = Registry.of(server, "hub")
    await registry.get("nginx/manifests/1")
    await registry.get("team/app/manifests/1")
    assert far.seen == ["GET /v2/library/nginx/manifests/1", "GET /v2/team/app/manifests/1"]


async def test_many_pulls_of_one_cold_layer_are_one_read(server: Serving, far: Upstream) -> None:
    gated = Gated(LAYER)
    far.handler = gated
    registry = Registry.of(server, "proxy")
    path = f"app/blobs/{digest(LAYER)}"
    pulls = [asyncio.ensure_future(registry.get(path)) for _ in range(200)]
    await gated.asked.wait()
    gated.gate.set()

    answers = await asyncio.gather(*pulls)

    assert all(answer.content == LAYER for answer in answers)
    assert far.seen == [f"GET /v2/{path}"]


async def test_a_layer_that_is_not_what_its_digest_says_is_not_kept(server: Serving, far: Upstream) -> None:
    assert isinstance(far.handler, Hub)
    path = f"app/blobs/{digest(LAYER)}"
    far.handler.blobs[digest(LAYER)] = b"something else"
    registry = Registry.of(server, "proxy")
    with pytest.raises(httpx2.RemoteProtocolError):
        await registry.get(path)
    far.handler.blobs[digest(LAYER)] = LAYER
    assert (await registry.get(path)).content == LAYER


async def test_referrers_fall_back_to_the_tag(server: Serving, far: Upstream) -> None:
    assert isinstance(far.handler, Hub)
    listed = json.dumps({"schemaVersion": 2, "manifests": [descriptor(MANIFEST, b"a signature")]})
    tag = f"/v2/app/manifests/{digest(BODY).replace(':', '-')}"
    far.handler.more[tag] = web.Response(body=listed.encode(), content_type=INDEX)
    found = await Registry.of(server, "proxy").get(f"app/referrers/{digest(BODY)}")
    assert [each["digest"] for each in found.json()["manifests"]] == [digest(b"a signature")]


async def test_referrers_of_a_group_are_all_or_none(server: Serving, far: Upstream) -> None:
    await server.create("docker", "hosted", "hosted")
    await server.create("docker", "group", "group", group={"memberNames": ["hosted", "proxy"]})
    assert isinstance(far.handler, Hub)
    far.handler.status = 500
    group = Registry.of(server, "group")
    assert (await group.get(f"app/referrers/{digest(BODY)}")).status_code == 503
    far.handler.status = 0
    far.handler.more[f"/v2/app/referrers/{digest(BODY)}"] = web.json_response({"manifests": []}, content_type=INDEX)
    assert (await group.get(f"app/referrers/{digest(BODY)}")).json()["manifests"] == []


async def test_foreign_layers_are_fetched_where_that_is_allowed(server: Serving, far: Upstream) -> None:
    assert isinstance(far.handler, Hub)
    layer = b"a foreign layer"
    url = f"{far.url}elsewhere/layer"
    kind = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    foreign = json.loads(manifest(b"{}", []))
    foreign["layers"] = [{**descriptor(kind, layer), "urls": [url]}]
    far.handler.manifests["win"] = json.dumps(foreign).encode()
    far.handler.more["/elsewhere/layer"] = web.Response(body=layer)
    allowed = proxying(far, cacheForeignLayers=True, foreignLayerUrlWhitelist=[".*/elsewhere/.*"])
    refused = proxying(far, cacheForeignLayers=True, foreignLayerUrlWhitelist=["https://other/.*"])
    for name, settings, status in (("yes", allowed, 200), ("no", refused, 404), ("never", proxying(far), 404)):
        await server.create("docker", "proxy", name, **settings)
        registry = Registry.of(server, name)
        await registry.get("app/manifests/win")
        assert (await registry.get(f"app/blobs/{digest(layer)}")).status_code == status


async def test_a_manifest_larger_than_any_is_not_taken_from_upstream(server: Serving, far: Upstream) -> None:
    assert isinstance(far.handler, Hub)
    far.handler.manifests["big"] = b" " * (5 << 20)
    answer = await Registry.of(server, "proxy").get("app/manifests/big")
    assert (answer.status_code, code(answer)) == (503, "UNKNOWN")


async def test_a_layer_by_sha512_is_verified_too(server: Serving, far: Upstream) -> None:
    assert isinstance(far.handler, Hub)
    name = "sha512:" + hashlib.sha512(LAYER).hexdigest()
    far.handler.blobs[name] = LAYER
    assert (await Registry.of(server, "proxy").get(f"app/blobs/{name}")).content == LAYER
