"""Blob stores in S3 buckets: made, read back, changed; repositories on them work as on any other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from moto.server import ThreadedMotoServer
from sqlalchemy import text

from tests.integration.rest.conftest import BASE, Rest

PLACEHOLDER = "#~NXRM~PLACEHOLDER~PASSWORD~#"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """An S3 server with a bucket named `pakhus`."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    httpx2.put(f"{url}/pakhus", trust_env=False).raise_for_status()
    yield url
    server.stop()


def body(endpoint: str, **bucket: Any) -> dict[str, Any]:
    return {
        "name": "cloud",
        "softQuota": {"type": "spaceUsedQuota", "limit": 1000},
        "bucketConfiguration": {
            "bucket": {"region": "us-east-1", "name": "pakhus", "prefix": "here", **bucket},
            "bucketSecurity": {"accessKeyId": "key", "secretAccessKey": "very-secret"},
            "advancedBucketConnection": {"endpoint": endpoint, "forcePathStyle": True, "maxConnectionPoolSize": 5},
        },
    }


async def test_store_lives_its_life(rest: Rest, admin: httpx2.AsyncClient, endpoint: str) -> None:
    sent = body(endpoint)

    made = await admin.post("blobstores/s3", json=sent)
    read = (await admin.get("blobstores/s3/cloud")).json()

    assert (made.status_code, made.content) == (201, b""), made.text
    hidden = {"accessKeyId": "key", "secretAccessKey": PLACEHOLDER}
    configuration = {**sent["bucketConfiguration"], "bucketSecurity": hidden}
    assert read == {**sent, "type": "s3", "bucketConfiguration": configuration}
    listed = (await admin.get("blobstores")).json()[-1]
    assert (listed["name"], listed["type"], listed["unavailable"]) == ("cloud", "S3", False)
    assert (await admin.put("blobstores/s3/cloud", json=read)).status_code == 204
    kept = rest.application.services.catalog.stores["cloud"].settings["bucketConfiguration"]["bucketSecurity"]
    assert kept["secretAccessKey"] == "very-secret"
    with rest.application.services.database.engine.connect() as connection:
        rows = str(connection.execute(text("SELECT settings FROM blob_store")).all())
    assert "very-secret" not in rows
    assert (await admin.delete("blobstores/cloud")).status_code == 204
    assert (await admin.get("blobstores/s3/cloud")).status_code == 404


async def test_other_names_of_members_are_understood(admin: httpx2.AsyncClient, endpoint: str) -> None:
    sent = body(endpoint)
    configuration = sent["bucketConfiguration"]
    configuration["security"] = configuration.pop("bucketSecurity")
    configuration["advancedConnection"] = configuration.pop("advancedBucketConnection")

    assert (await admin.post("blobstores/s3", json=sent)).status_code == 201
    assert "advancedBucketConnection" in (await admin.get("blobstores/s3/cloud")).json()["bucketConfiguration"]


async def test_bucket_that_cannot_be_used_is_refused(admin: httpx2.AsyncClient, endpoint: str) -> None:
    missing = await admin.post("blobstores/s3", json=body(endpoint, name="nowhere"))
    role = body(endpoint)
    role["bucketConfiguration"]["bucketSecurity"]["role"] = "arn:aws:iam::1:role/x"
    assumed = await admin.post("blobstores/s3", json=role)
    signed = body(endpoint)
    signed["bucketConfiguration"]["preSignedUrlEnabled"] = True
    assert (await admin.post("blobstores/s3", json=signed)).status_code == 400
    twice = body(endpoint)
    twice["name"] = "DEFAULT"
    taken = await admin.post("blobstores/s3", json=twice)

    assert [each.status_code for each in (missing, assumed, taken)] == [400, 400, 400]
    assert "cloud" not in str((await admin.get("blobstores")).json())


async def test_repository_on_a_bucket_works_as_any_other(rest: Rest, admin: httpx2.AsyncClient, endpoint: str) -> None:
    assert (await admin.post("blobstores/s3", json=body(endpoint, prefix="files"))).status_code == 201
    storage = {"blobStoreName": "cloud", "strictContentTypeValidation": False, "writePolicy": "ALLOW"}
    made = await admin.post("repositories/raw/hosted", json={"name": "files", "online": True, "storage": storage})
    assert made.status_code == 201
    large = bytes(range(256)) * 4096
    await rest.put("files", "large.bin", large)
    await rest.put("files", "small.txt", b"small")
    url = f"{BASE}/repository/files"

    whole = await admin.get(f"{url}/large.bin")
    part = await admin.get(f"{url}/large.bin", headers={"range": "bytes=1000-1999"})
    head = await admin.head(f"{url}/small.txt")

    assert whole.content == large
    assert (part.status_code, part.content) == (206, large[1000:2000])
    assert head.headers["content-length"] == "5"
    listed = (await admin.get("blobstores")).json()[-1]
    assert (listed["blobCount"], listed["totalSizeInBytes"]) == (2, len(large) + 5)
    assert (await admin.get("blobstores/cloud/quota-status")).json()["isViolation"] is True
    moved = body(endpoint, prefix="elsewhere")
    assert (await admin.put("blobstores/s3/cloud", json=moved)).status_code == 400
    assert (await admin.delete("blobstores/cloud")).status_code == 400
    assert (await admin.delete(f"{url}/small.txt")).status_code == 204
    task = {"type": "blobstore.compact", "name": "c", "properties": {"blobstoreName": "cloud"}}
    id = (await admin.post("tasks", json=task)).json()["id"]
    await admin.post(f"tasks/{id}/run")
    await rest.application.services.tasks.settled()
    assert (await admin.get("blobstores")).json()[-1]["blobCount"] == 1
