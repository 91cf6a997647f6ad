"""Groups of blob stores share new blobs out; quotas are told, and enforced where the configuration says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest

from pakhus.app import create
from pakhus.settings import load
from tests.integration.rest.conftest import ADMIN, BASE, Rest

USED = "spaceUsedQuota"


async def stores(admin: httpx2.AsyncClient, *names: str) -> None:
    for name in names:
        assert (await admin.post("blobstores/file", json={"name": name, "path": name})).status_code == 204


async def group(admin: httpx2.AsyncClient, policy: str, *members: str, **more: Any) -> None:
    body = {"name": "both", "members": list(members), "fillPolicy": policy, **more}
    answer = await admin.post("blobstores/group", json=body)
    assert (answer.status_code, answer.content) == (204, b""), answer.text


async def hosted(admin: httpx2.AsyncClient, store: str) -> None:
    storage = {"blobStoreName": store, "strictContentTypeValidation": False, "writePolicy": "ALLOW"}
    body = {"name": "files", "online": True, "storage": storage}
    assert (await admin.post("repositories/raw/hosted", json=body)).status_code == 201


async def homes(admin: httpx2.AsyncClient) -> list[str]:
    items = (await admin.get("assets?repository=files")).json()["items"]
    return [each["blobStoreName"] for each in items]


async def test_group_lives_its_life(admin: httpx2.AsyncClient) -> None:
    await stores(admin, "one", "two")
    quota = {"type": USED, "limit": 1000}
    await group(admin, "roundRobin", "two", "one", softQuota=quota)

    shown = {"softQuota": quota, "members": ["two", "one"], "fillPolicy": "roundRobin"}
    assert (await admin.get("blobstores/group/both")).json() == shown
    listed = (await admin.get("blobstores")).json()[-1]
    assert (listed["name"], listed["type"], listed["unavailable"]) == ("both", "Group", False)
    assert (await admin.delete("blobstores/one")).json() == "BlobStore one is in use and cannot be deleted"
    changed = {"softQuota": None, "members": ["one"], "fillPolicy": "writeToFirst"}
    assert (await admin.put("blobstores/group/both", json=changed)).status_code == 204
    assert (await admin.get("blobstores/group/both")).json() == changed
    assert (await admin.get("blobstores/file/both")).status_code == 400
    assert (await admin.get("blobstores/group/one")).status_code == 400
    assert (await admin.get("blobstores/group/none")).status_code == 404
    assert (await admin.delete("blobstores/both")).status_code == 204


async def test_bad_group_is_refused(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await stores(admin, "one", "two")
    await group(admin, "writeToFirst", "one")
    await rest.hosted("files")

    async def refused(**change: Any) -> str:
        body = {"name": "more", "members": ["two"], "fillPolicy": "writeToFirst", **change}
        answer = await admin.post("blobstores/group", json=body)
        assert answer.status_code == 400
        return str(answer.json()[0]["id"])

    assert await refused(name="ONE") == "name"
    assert await refused(members=[]) == "members"
    assert await refused(members=["none"]) == "members"
    assert await refused(members=["one"]) == "members", "in another group"
    assert await refused(members=["both"]) == "members", "a group itself"
    assert await refused(members=["default"]) == "members", "used by a repository"
    assert await refused(fillPolicy="random") == "fillPolicy"


@pytest.mark.parametrize(("policy", "expected"), [("roundRobin", {"one", "two"}), ("writeToFirst", {"one"})])
async def test_new_blobs_are_shared_out(rest: Rest, admin: httpx2.AsyncClient, policy: str, expected: set[str]) -> None:
    await stores(admin, "one", "two")
    await group(admin, policy, "one", "two")
    await hosted(admin, "both")

    for number in range(4):
        await rest.put("files", f"{number}.txt", f"file {number}".encode())

    assert set(await homes(admin)) == expected
    for number in range(4):
        assert (await admin.get(f"{BASE}/repository/files/{number}.txt")).content == f"file {number}".encode()
    assert (await admin.get("blobstores")).json()[-1]["blobCount"] == 4


async def test_store_becomes_a_group_and_keeps_its_blobs(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await stores(admin, "one", "two")
    await hosted(admin, "one")
    await rest.put("files", "a.txt", b"before")

    answer = await admin.post("blobstores/group/convert/one/one-original")

    assert answer.status_code == 200
    assert answer.json() == {
        "softQuota": None, "members": ["one-original"], "fillPolicy": "writeToFirst", "name": "one",
    }  # fmt: skip
    assert (await admin.get(f"{BASE}/repository/files/a.txt")).content == b"before"
    await rest.put("files", "b.txt", b"after")
    assert await homes(admin) == ["one-original", "one-original"]
    more = {"members": ["two", "one-original"], "fillPolicy": "writeToFirst"}
    assert (await admin.put("blobstores/group/one", json=more)).status_code == 204
    await rest.put("files", "c.txt", b"later")
    assert (await homes(admin))[-1] == "two"


async def test_quota_is_told_by_status_and_checks(rest: Rest, admin: httpx2.AsyncClient) -> None:
    body = {"name": "small", "path": "small", "softQuota": {"type": USED, "limit": 10}}
    assert (await admin.post("blobstores/file", json=body)).status_code == 204
    await hosted(admin, "small")

    before = (await admin.get("blobstores/small/quota-status")).json()
    await rest.put("files", "a.txt", b"more than ten bytes")
    after = (await admin.get("blobstores/small/quota-status")).json()

    assert (before["isViolation"], after["isViolation"]) == (False, True)
    assert (await admin.get("status/check")).json()["Blob Stores Quota"]["healthy"] is False
    await rest.put("files", "b.txt", b"only told")


async def test_store_beyond_its_quota_refuses_where_it_is_to(tmp_path: Path) -> None:
    settings = load(
        data=tmp_path / "data",
        environ={
            "PAKHUS_BOOTSTRAP_ADMIN_PASSWORD": ADMIN[1],
            "PAKHUS_BOOTSTRAP_DEFAULT_REPOSITORIES": "false",
            "PAKHUS_STORAGE_QUOTA": "refuse",
            "PAKHUS_HTTP_NEXUS_VERSION": "3.91.0-07",
        },
    ).settings
    application = create(settings)
    transport = httpx2.ASGITransport(app=application.asgi)
    async with (
        application.running(),
        httpx2.AsyncClient(
            transport=transport, base_url=f"{BASE}/service/rest/v1/", auth=ADMIN, trust_env=False
        ) as admin,
    ):
        quota = {"type": USED, "limit": 10}
        await admin.post("blobstores/file", json={"name": "one", "path": "one", "softQuota": quota})
        await admin.post("blobstores/file", json={"name": "two", "path": "two", "softQuota": quota})
        await group(admin, "writeToFirst", "one", "two")
        await hosted(admin, "both")
        url = f"{BASE}/repository/files/"
        statuses = []
        for name in ("a", "b", "c"):
            statuses.append((await admin.put(url + name, content=f"{name}: more than ten bytes".encode())).status_code)
            await application.measure()

        assert statuses == [201, 201, 403]
        assert await homes(admin) == ["one", "two"]
        assert (await admin.get(url + "a")).headers["server"] == "Nexus/3.91.0-07 (COMMUNITY)"


@pytest.mark.parametrize("kind", ["azure", "google"])
async def test_stores_of_other_clouds_are_not_there(admin: httpx2.AsyncClient, kind: str) -> None:
    answer = await admin.post(f"blobstores/{kind}", json={"name": "cloud"})

    assert answer.status_code == 400
    assert "not supported" in answer.json()
