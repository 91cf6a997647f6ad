"""Status, probes, blob stores, routing rules and the API's own description."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.integration.rest.conftest import BASE, STORAGE, Rest

RULE: dict[str, Any] = {"name": "no-tmp", "description": "", "mode": "BLOCK", "matchers": ["^/tmp/.*"]}


async def test_status_is_public_and_empty(anonymous: httpx2.AsyncClient) -> None:
    for path in ("status", "status/writable"):
        answer = await anonymous.get(path)
        assert (answer.status_code, answer.content) == (200, b"")
    assert (await anonymous.head("status")).status_code == 200


async def test_checks_say_how_each_part_is(admin: httpx2.AsyncClient, anonymous: httpx2.AsyncClient) -> None:
    found = (await admin.get("status/check")).json()

    assert {"Available CPUs", "Blob Stores Ready", "Blob Stores Quota", "Default Admin Credentials"} <= set(found)
    ready = found["Blob Stores Ready"]
    assert list(ready) == ["healthy", "message", "error", "details", "time", "duration", "timestamp"]
    assert ready["healthy"] is True and ready["timestamp"].endswith("+00:00")
    assert (await anonymous.get("status/check")).status_code == 401


async def test_probes_are_public(rest: Rest, anonymous: httpx2.AsyncClient) -> None:
    assert (await anonymous.get(f"{BASE}/healthz")).status_code == 200
    ready = await anonymous.get(f"{BASE}/readyz")
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "reasons": []})


async def test_server_is_not_ready_when_its_blob_store_is_gone(
    rest: Rest, admin: httpx2.AsyncClient, anonymous: httpx2.AsyncClient, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    services = rest.application.services
    assert (
        await admin.post("blobstores/file", json={"name": "lost", "path": str(tmp_path / "lost")})
    ).status_code == 204
    assert (await anonymous.get(f"{BASE}/readyz")).status_code == 200
    (tmp_path / "lost" / "content").rmdir()
    (tmp_path / "lost" / "drafts").rmdir()
    (tmp_path / "lost").rmdir()
    assert await services.health.reasons()

    ready = await anonymous.get(f"{BASE}/readyz")

    assert ready.status_code == 503
    assert "lost" in ready.json()["reasons"][0]
    assert (await anonymous.get("status/writable")).status_code == 503
    assert (await anonymous.get("status")).status_code == 200


async def test_native_status_tells_strangers_the_version_only(
    admin: httpx2.AsyncClient, anonymous: httpx2.AsyncClient
) -> None:
    stranger = (await anonymous.get(f"{BASE}/api/v1/status")).json()
    known = (await admin.get(f"{BASE}/api/v1/status")).json()

    assert stranger["version"] and stranger["node"] is None
    assert known["node"] and "raw" in known["formats"]


async def test_blob_stores_are_listed_with_what_they_hold(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")
    await rest.put("files", "a.bin", b"12345")

    (found,) = (await admin.get("blobstores")).json()

    assert found.pop("availableSpaceInBytes") > 0
    assert found == {
        "softQuota": None,
        "name": "default",
        "type": "File",
        "unavailable": False,
        "blobCount": 1,
        "totalSizeInBytes": 5,
    }


async def test_file_blob_store_lives_its_life(rest: Rest, admin: httpx2.AsyncClient) -> None:
    quota = {"type": "spaceUsedQuota", "limit": 3}
    made = await admin.post("blobstores/file", json={"name": "second", "path": "two", "softQuota": quota})
    assert (made.status_code, made.content) == (204, b"")
    assert (await admin.get("blobstores/file/second")).json() == {"softQuota": quota, "path": "two"}
    await rest.hosted("files", storage={**STORAGE, "blobStoreName": "second", "writePolicy": "ALLOW"})
    status = await admin.get("blobstores/second/quota-status")
    assert status.json()["isViolation"] is False

    await rest.put("files", "a.bin", b"12345")

    assert (await admin.get("blobstores/second/quota-status")).json()["isViolation"] is True
    assert (await admin.get("blobstores/default/quota-status")).json() == {
        "isViolation": False,
        "message": "Blob store default has no quota",
        "blobStoreName": "default",
    }
    used = await admin.delete("blobstores/second")
    assert (used.status_code, used.json()) == (400, "BlobStore second is in use and cannot be deleted")
    moved = await admin.put("blobstores/file/second", json={"path": "three"})
    assert (moved.status_code, moved.json()[0]["id"]) == (400, "path")
    assert (await admin.put("blobstores/file/second", json={"path": "two"})).status_code == 204
    assert (await admin.get("blobstores/file/second")).json() == {"softQuota": None, "path": "two"}
    await admin.delete("repositories/files")
    assert (await admin.delete("blobstores/second")).status_code == 204
    assert (await admin.delete("blobstores/second")).status_code == 404
    assert (await admin.get("blobstores/second/quota-status")).status_code == 404


@pytest.mark.parametrize(
    ("body", "member"),
    [
        ({"name": "DEFAULT", "path": "x"}, "name"),
        ({"name": "x y", "path": "x"}, "name"),
        ({"name": "x"}, "path"),
        ({"name": "x", "path": "default/below"}, "path"),
        ({"name": "x", "path": "x", "softQuota": {"type": "other", "limit": 1}}, "softQuota.type"),
    ],
)
async def test_bad_blob_store_is_refused(admin: httpx2.AsyncClient, body: dict[str, Any], member: str) -> None:
    answer = await admin.post("blobstores/file", json=body)

    assert (answer.status_code, answer.json()[0]["id"]) == (400, member)


async def test_routing_rule_lives_its_life(rest: Rest, admin: httpx2.AsyncClient) -> None:
    made = await admin.post("routing-rules", json=RULE)
    assert (made.status_code, made.content) == (204, b"")
    assert (await admin.get("routing-rules")).json() == [RULE]
    await rest.proxy("mirror")
    proxy = (await admin.get("repositories/raw/proxy/mirror")).json()
    await admin.put("repositories/raw/proxy/mirror", json={**proxy, "routingRule": "no-tmp"})

    used = await admin.delete("routing-rules/no-tmp")
    renamed = await admin.put("routing-rules/no-tmp", json={**RULE, "name": "no-temporary", "mode": "allow"})

    assert (used.status_code, used.json()) == (400, "Routing rule is still in use by 1 repositories.")
    assert renamed.status_code == 204
    assert (await admin.get("repositories/raw/proxy/mirror")).json()["routingRuleName"] == "no-temporary"
    assert (await admin.get("routing-rules/no-temporary")).json()["mode"] == "ALLOW"
    missing = await admin.get("routing-rules/no-tmp")
    assert (missing.status_code, missing.json()) == (404, "Did not find a routing rule with the name 'no-tmp'")
    await admin.delete("repositories/mirror")
    assert (await admin.delete("routing-rules/no-temporary")).status_code == 204


@pytest.mark.parametrize(
    ("change", "member"),
    [
        ({"name": "none"}, "name"),
        ({"name": "NO-TMP"}, "name"),
        ({"matchers": []}, "matchers"),
        ({"matchers": ["("]}, "matchers[0]"),
        ({"mode": "MAYBE"}, "mode"),
    ],
)
async def test_bad_routing_rule_is_refused(admin: httpx2.AsyncClient, change: dict[str, Any], member: str) -> None:
    await admin.post("routing-rules", json=RULE)

    answer = await admin.post("routing-rules", json={**RULE, "name": "other", **change})

    assert (answer.status_code, answer.json()[0]["id"]) == (400, member)


async def test_api_describes_itself(anonymous: httpx2.AsyncClient) -> None:
    whole = (await anonymous.get(f"{BASE}/api/v1/openapi.json")).json()
    nexus = (await anonymous.get(f"{BASE}/service/rest/swagger.json")).json()

    create = whole["paths"]["/service/rest/v1/repositories/raw/hosted"]["post"]
    body = create["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert {"name", "online", "storage", "raw"} <= set(body)
    assert create["security"]
    assert "/v1/repositories" in nexus["paths"] and "/api/v1/tokens" not in nexus["paths"]


async def test_unknown_url_is_not_found(admin: httpx2.AsyncClient) -> None:
    assert (await admin.get("nothing/here")).status_code == 404
    assert (await admin.patch("status")).status_code == 405


async def test_text_that_no_database_takes_is_refused(admin: httpx2.AsyncClient) -> None:
    rule = await admin.post("routing-rules", json={**RULE, "description": "\0"})

    assert rule.status_code == 400 and rule.json()["id"] == "*"
    assert (await admin.get("search?name=a%00b")).status_code == 400
    assert (await admin.get("security/roles/a%00b")).status_code == 400


async def test_search_that_asks_too_much_is_refused(admin: httpx2.AsyncClient) -> None:
    assert (await admin.get("search", params={"q": "a " * 400})).status_code == 400
    assert (await admin.get("search", params={"name": "*a" * 20})).status_code == 400


async def test_flaws_come_in_the_media_type_that_the_client_knows(admin: httpx2.AsyncClient) -> None:
    special = "application/vnd.siesta-validation-errors-v1+json"

    answer = await admin.post("routing-rules", json={}, headers={"accept": special})

    assert answer.headers["content-type"].startswith(special)
    assert {each["id"] for each in answer.json()} == {"name", "mode", "matchers"}
