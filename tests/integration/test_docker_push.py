"""Pushing to a docker repository: uploads in pieces, mounts, manifests and their refusals, deletes."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.contract.serving import Serving, serving
from tests.integration.registry import Registry, code
from tests.integration.wire import LOGIN, connected
from tests.samples.docker import ARTIFACT, INDEX, MANIFEST, descriptor, digest, manifest

LAYER = b"0123456789" * 1000


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Serving]:
    async with serving(tmp_path / "data") as found:
        await found.create("docker", "hosted", "hosted", docker={"forceBasicAuth": False})
        yield found


@pytest.fixture
def registry(server: Serving) -> Registry:
    return Registry.of(server, "hosted")


async def begin(registry: Registry, image: str = "app") -> str:
    answer = await registry.ask("POST", f"{image}/blobs/uploads/")
    assert answer.status_code == 202
    assert answer.headers["range"] == "0-0"
    return answer.headers["location"]


async def test_chunks_are_put_together(registry: Registry) -> None:
    location = await begin(registry)
    for start in (0, 4000, 8000):
        chunk = LAYER[start : start + 4000]
        headers = {"content-range": f"{start}-{start + len(chunk) - 1}"}
        answer = await registry.http.patch(location, content=chunk, headers=headers)
        assert answer.status_code == 202
        assert answer.headers["range"] == f"0-{start + len(chunk) - 1}"
        location = answer.headers["location"]

    answer = await registry.http.put(f"{location}?digest={digest(LAYER)}")

    assert answer.status_code == 201
    assert answer.headers["docker-content-digest"] == digest(LAYER)
    assert (await registry.http.get(answer.headers["location"])).content == LAYER
    assert (await registry.http.get(location)).status_code == 404


async def test_the_last_chunk_may_come_with_the_digest(registry: Registry) -> None:
    location = await begin(registry)
    await registry.http.patch(location, content=LAYER[:7000])

    answer = await registry.http.put(f"{location}?digest={digest(LAYER)}", content=LAYER[7000:])

    assert answer.status_code == 201
    assert (await registry.get(f"app/blobs/{digest(LAYER)}")).content == LAYER


async def test_a_chunk_out_of_order_is_refused_and_loses_nothing(registry: Registry) -> None:
    location = await begin(registry)
    await registry.http.patch(location, content=LAYER[:100])

    for start in (0, 50, 101):
        headers = {"content-range": f"{start}-{start + 9}"}
        answer = await registry.http.patch(location, content=LAYER[start : start + 10], headers=headers)
        assert answer.status_code == 416
        assert code(answer) == "BLOB_UPLOAD_INVALID"
        assert answer.headers["range"] == "0-99"

    status = await registry.http.get(location)
    assert (status.status_code, status.headers["range"]) == (204, "0-99")
    assert (await registry.http.put(f"{location}?digest={digest(LAYER)}", content=LAYER[100:])).status_code == 201


async def test_an_upload_goes_on_after_a_restart(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as server:
        await server.create("docker", "hosted", "hosted")
        location = await begin(Registry.of(server, "hosted"))
        await server.http.patch(location, content=LAYER[:6000])
    async with serving(tmp_path / "data") as server:
        there = server.url + urlsplit(location).path
        status = await server.http.get(there)
        assert (status.status_code, status.headers["range"]) == (204, "0-5999")
        answer = await server.http.patch(there, content=LAYER[6000:], headers={"content-range": "6000-9999"})
        answer = await server.http.put(f"{there}?digest={digest(LAYER)}")
        assert answer.status_code == 201
        assert (await Registry.of(server, "hosted").get(f"app/blobs/{digest(LAYER)}")).content == LAYER


async def test_what_came_before_the_connection_was_cut_counts(server: Serving, registry: Registry) -> None:
    location = urlsplit(await begin(registry))
    async with connected(server.url) as connection:
        head = f"PATCH {location.path} HTTP/1.1\r\nHost: x\r\n{LOGIN}\r\nContent-Length: {len(LAYER)}\r\n\r\n"
        await connection.send(head, LAYER[:5000])
    received = 0
    async with asyncio.timeout(10):
        while received != 5000:
            status = await registry.http.get(location.geturl())
            received = int(status.headers["range"].partition("-")[2]) + 1

    rest = await registry.http.put(f"{location.geturl()}?digest={digest(LAYER)}", content=LAYER[5000:])
    assert rest.status_code == 201


async def test_a_wrong_digest_stores_nothing(registry: Registry) -> None:
    location = await begin(registry)
    answer = await registry.http.put(f"{location}?digest={digest(b'else')}", content=LAYER)

    assert (answer.status_code, code(answer)) == (400, "DIGEST_INVALID")
    assert (await registry.get(f"app/blobs/{digest(b'else')}")).status_code == 404
    assert (await registry.http.get(location)).status_code == 404


async def test_a_cancelled_upload_is_gone(registry: Registry) -> None:
    location = await begin(registry)
    await registry.http.patch(location, content=LAYER)

    assert (await registry.http.delete(location)).status_code == 204

    answer = await registry.http.get(location)
    assert (answer.status_code, code(answer)) == (404, "BLOB_UPLOAD_UNKNOWN")


async def test_an_upload_belongs_to_its_image(registry: Registry) -> None:
    location = await begin(registry)
    elsewhere = location.replace("/app/", "/other/")
    assert (await registry.http.patch(elsewhere, content=b"x")).status_code == 404


async def test_an_empty_blob_is_a_blob(registry: Registry) -> None:
    location = await begin(registry)
    assert (await registry.http.put(f"{location}?digest={digest(b'')}")).status_code == 201
    assert (await registry.get(f"app/blobs/{digest(b'')}")).content == b""


async def test_sha512_is_as_good(registry: Registry) -> None:
    name = "sha512:" + hashlib.sha512(LAYER).hexdigest()
    answer = await registry.ask("POST", f"app/blobs/uploads/?digest={name}", content=LAYER)
    assert answer.status_code == 201
    read = await registry.get(f"app/blobs/{name}")
    assert (read.content, read.headers["docker-content-digest"]) == (LAYER, name)
    await registry.blob("app", b"{}")
    body = manifest(b"{}", [])
    by_digest = "sha512:" + hashlib.sha512(body).hexdigest()
    assert (await registry.manifest("app", by_digest, body)).status_code == 201
    assert (await registry.get(f"app/manifests/{by_digest}")).headers["docker-content-digest"] == by_digest


async def test_a_blob_is_mounted_from_another_image(registry: Registry) -> None:
    name = await registry.blob("source", LAYER)

    answer = await registry.ask("POST", f"target/blobs/uploads/?mount={name}&from=source")

    assert answer.status_code == 201
    assert (await registry.get(f"target/blobs/{name}")).content == LAYER
    unknown = await registry.ask("POST", f"target/blobs/uploads/?mount={digest(b'no')}&from=source")
    assert unknown.status_code == 202


async def test_a_manifest_needs_its_blobs(registry: Registry) -> None:
    answer = await registry.manifest("app", "1", manifest(b"{}", [LAYER]))
    assert (answer.status_code, code(answer)) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert await registry.tags("app") == []


async def test_an_index_needs_its_manifests(registry: Registry) -> None:
    body = await registry.push("app", "amd64")
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(MANIFEST, body)]}).encode()
    missing = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(MANIFEST, b"x")]}).encode()

    assert (await registry.manifest("app", "all", index, INDEX)).status_code == 201
    assert code(await registry.manifest("app", "none", missing, INDEX)) == "MANIFEST_BLOB_UNKNOWN"
    read = await registry.get("app/manifests/all")
    assert (read.content, read.headers["content-type"]) == (index, INDEX)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", MANIFEST),
        (b"[]", MANIFEST),
        (b'{"schemaVersion": 1}', MANIFEST),
        (b'{"schemaVersion": 2}', MANIFEST),
        (b'{"schemaVersion": 2, "config": 3, "layers": []}', MANIFEST),
        (b'{"schemaVersion": 2, "config": {"digest": "sha256:1", "size": 1}}', MANIFEST),
        (manifest(b"{}", []), INDEX),
        (b'{"schemaVersion": 2, "manifests": [], "layers": []}', INDEX),
        (b'{"schemaVersion": 2, "manifests": ' + b"[" * 5000 + b"]" * 5000 + b"}", INDEX),
    ],
)
async def test_what_is_no_manifest_is_refused(registry: Registry, body: bytes, kind: str) -> None:
    await registry.blob("app", b"{}")
    answer = await registry.manifest("app", "1", body, kind)
    assert answer.status_code == 400
    assert code(answer) in ("MANIFEST_INVALID", "DIGEST_INVALID")
    assert await registry.tags("app") == []


async def test_a_manifest_of_more_than_four_mebibytes_is_refused(registry: Registry) -> None:
    body = manifest(b"{}", [], annotations={"a": "x" * (4 << 20)})
    answer = await registry.manifest("app", "1", body)
    assert (answer.status_code, code(answer)) == (413, "SIZE_INVALID")


@pytest.mark.parametrize("name", ["Upper", "a//b", "-a", "a/", "a" * 256, "a%2F..%2Fb", "ä"])
async def test_names_follow_the_specification(registry: Registry, name: str) -> None:
    answer = await registry.ask("POST", f"{name}/blobs/uploads/")
    assert answer.status_code in (400, 404, 405)


async def test_deleting_a_tag_leaves_its_siblings(registry: Registry) -> None:
    body = await registry.push("app", "1")
    assert (await registry.manifest("app", "2", body)).status_code == 201

    assert (await registry.ask("DELETE", "app/manifests/1")).status_code == 202

    assert await registry.tags("app") == ["2"]
    assert (await registry.get(f"app/manifests/{digest(body)}")).content == body
    again = await registry.ask("DELETE", "app/manifests/1")
    assert (again.status_code, code(again)) == (404, "MANIFEST_UNKNOWN")


async def test_deleting_a_digest_takes_its_tags_with_it(registry: Registry) -> None:
    body = await registry.push("app", "1")
    await registry.manifest("app", "2", body)
    await registry.push("app", "other", b"another layer")

    assert (await registry.ask("DELETE", f"app/manifests/{digest(body)}")).status_code == 202

    assert await registry.tags("app") == ["other"]
    assert (await registry.get("app/manifests/1")).status_code == 404


async def test_a_layer_that_a_manifest_needs_is_not_deleted(registry: Registry) -> None:
    body = await registry.push("app", "1", LAYER)
    used = await registry.ask("DELETE", f"app/blobs/{digest(LAYER)}")
    assert (used.status_code, code(used)) == (409, "DENIED")

    await registry.ask("DELETE", f"app/manifests/{digest(body)}")

    assert (await registry.ask("DELETE", f"app/blobs/{digest(LAYER)}")).status_code == 202
    gone = await registry.get(f"app/blobs/{digest(LAYER)}")
    assert (gone.status_code, code(gone)) == (404, "BLOB_UNKNOWN")


async def test_tags_come_in_pages(registry: Registry) -> None:
    body = await registry.push("app", "b")
    for tag in ("a", "d", "c", "e"):
        await registry.manifest("app", tag, body)

    seen: list[list[str]] = []
    url = registry.url("app/tags/list?n=2")
    while url:
        answer = await registry.http.get(url)
        seen.append(answer.json()["tags"])
        url = answer.links["next"]["url"] if "next" in answer.links else ""

    assert seen == [["a", "b"], ["c", "d"], ["e"]]
    assert (await registry.get("app/tags/list?n=0")).json()["tags"] == []
    assert (await registry.get("app/tags/list?n=x")).status_code == 400
    assert (await registry.get("app/tags/list?last=c")).json() == {"name": "app", "tags": ["d", "e"]}
    unknown = await registry.get("nothing/tags/list")
    assert (unknown.status_code, code(unknown)) == (404, "NAME_UNKNOWN")


async def test_referrers_are_found_filtered_and_paged(registry: Registry) -> None:
    subject = await registry.push("app", "1")
    about = {"subject": descriptor(MANIFEST, subject)}
    for number in range(3):
        kind = ARTIFACT if number else "application/vnd.other"
        body = manifest(b"{}", [], artifactType=kind, annotations={"number": str(number)}, **about)
        answer = await registry.manifest("app", digest(body), body)
        assert answer.headers["oci-subject"] == digest(subject)

    every = await registry.get(f"app/referrers/{digest(subject)}")
    assert every.headers["content-type"] == INDEX
    assert {each["artifactType"] for each in every.json()["manifests"]} == {ARTIFACT, "application/vnd.other"}
    assert {each["annotations"]["number"] for each in every.json()["manifests"]} == {"0", "1", "2"}
    some = await registry.get(f"app/referrers/{digest(subject)}?artifactType={ARTIFACT}")
    assert len(some.json()["manifests"]) == 2
    assert some.headers["oci-filters-applied"] == "artifactType"
    first = await registry.get(f"app/referrers/{digest(subject)}?n=2")
    rest = await registry.http.get(first.links["next"]["url"])
    assert len(first.json()["manifests"] + rest.json()["manifests"]) == 3
    nobody = await registry.get(f"never/referrers/{digest(b'x')}")
    assert (nobody.status_code, nobody.json()["manifests"]) == (200, [])
    assert (await registry.get("app/referrers/sha256:nonsense")).status_code in (400, 404)


async def test_latest_moves_where_the_policy_says_so(server: Serving) -> None:
    once = {"storage": {"writePolicy": "ALLOW_ONCE", "latestPolicy": True}}
    await server.create("docker", "hosted", "once", **once)
    registry = Registry.of(server, "once")
    for tag in ("latest", "1.0"):
        await registry.push("app", tag)

    moved = manifest(b"{}", [b"a layer", b"a layer"])
    assert (await registry.manifest("app", "latest", moved)).status_code == 201
    refused = await registry.manifest("app", "1.0", moved)
    assert (refused.status_code, code(refused)) == (400, "DENIED")
    assert (await registry.get("app/manifests/latest")).content == moved


async def test_the_same_push_twice_is_no_change(server: Serving) -> None:
    await server.create("docker", "hosted", "once", storage={"writePolicy": "ALLOW_ONCE"})
    registry = Registry.of(server, "once")
    first = await registry.push("app", "1.0")
    assert await registry.push("app", "1.0") == first


async def test_a_push_through_a_group_goes_to_its_writable_member(server: Serving) -> None:
    await server.create("docker", "hosted", "other")
    members = {"memberNames": ["other", "hosted"], "writableMember": "hosted"}
    await server.create("docker", "group", "group", group=members)
    through = Registry.of(server, "group")
    other = Registry.of(server, "other")
    shared = await other.push("base", "1", LAYER)

    head = await through.ask("HEAD", f"base/blobs/{digest(LAYER)}")
    assert head.status_code == 200
    built = manifest(b"{}", [LAYER], annotations={"built": "here"})
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(MANIFEST, shared)]}).encode()

    assert (await through.manifest("base", "2", built)).status_code == 201
    assert (await through.manifest("base", "all", index, INDEX)).status_code == 201
    hosted = Registry.of(server, "hosted")
    assert sorted(await hosted.tags("base")) == ["2", "all"]
    assert (await hosted.get(f"base/blobs/{digest(LAYER)}")).content == LAYER
    assert sorted(await through.tags("base")) == ["1", "2", "all"]


async def test_an_upload_cannot_be_finished_twice(registry: Registry) -> None:
    location = await begin(registry)
    await registry.http.patch(location, content=LAYER)
    url = f"{location}?digest={digest(LAYER)}"

    answers = await asyncio.gather(*(registry.http.put(url) for _ in range(4)))

    assert sorted(answer.status_code for answer in answers)[0] == 201
    assert {answer.status_code for answer in answers} <= {201, 404, 409}
    assert (await registry.get(f"app/blobs/{digest(LAYER)}")).content == LAYER
