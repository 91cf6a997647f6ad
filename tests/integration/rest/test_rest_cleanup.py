"""Cleanup policies: kept as they were sent, previewed, and carried out on what they mean and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx2
import pytest

from tests.integration.rest.conftest import BASE, BOTH, STORAGE, Rest

WEEKLY: dict[str, Any] = {
    "name": "weekly",
    "format": "raw",
    "notes": "old files",
    "criteriaLastBlobUpdated": 7,
    "criteriaLastDownloaded": None,
    "criteriaReleaseType": None,
    "criteriaAssetRegex": ".*[.]tmp",
    "retain": None,
    "sortBy": None,
}
PREVIEW = f"{BASE}/service/rest/internal/cleanup-policies/preview/components"


async def paths(admin: httpx2.AsyncClient, repository: str = "files") -> list[str]:
    found = (await admin.get("assets", params={"repository": repository})).json()["items"]
    return sorted(each["path"] for each in found)


async def policy(admin: httpx2.AsyncClient, name: str = "weekly", **criteria: Any) -> None:
    answer = await admin.post("cleanup-policies", json={"name": name, "format": "*", **criteria})
    assert answer.status_code == 201, answer.text


async def cleaned(rest: Rest, name: str, *files: str) -> None:
    await rest.hosted("files", cleanup={"policyNames": [name]})
    for path in files:
        await rest.put("files", path, path.encode())


async def ran(admin: httpx2.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await admin.post("cleanup/run", json={"repository": "files", **body})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_policy_lives_its_life(rest: Rest, admin: httpx2.AsyncClient) -> None:
    made = await admin.post("cleanup-policies", json=WEEKLY)
    await cleaned(rest, "weekly")

    assert (made.status_code, made.json()) == (201, {**WEEKLY, "inUseCount": 0})
    assert (await admin.get("cleanup-policies")).json() == [{**WEEKLY, "inUseCount": 1}]
    changed = await admin.put("cleanup-policies/weekly", json={**WEEKLY, "criteriaLastBlobUpdated": "9"})
    assert (changed.status_code, changed.content) == (204, b"")
    assert (await admin.get("cleanup-policies/weekly")).json()["criteriaLastBlobUpdated"] == 9
    gone = await admin.delete("cleanup-policies/weekly")
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await admin.get("cleanup-policies/weekly")).status_code == 404
    assert (await admin.get("repositories/raw/hosted/files")).json()["cleanup"] == {"policyNames": []}


@pytest.mark.parametrize(
    ("change", "member"),
    [
        ({"name": "_x"}, "name"),
        ({"format": "cobol"}, "format"),
        ({"criteriaAssetRegex": "(?=x)"}, "criteriaAssetRegex"),
        ({"criteriaAssetRegex": "("}, "criteriaAssetRegex"),
        ({"criteriaReleaseType": "ALL"}, "criteriaReleaseType"),
        ({"criteriaLastBlobUpdated": -1}, "criteriaLastBlobUpdated"),
        ({"retain": 0}, "retain"),
        ({"criteriaAssetRegex": None, "criteriaLastBlobUpdated": None}, "criteria"),
    ],
)
async def test_bad_policy_is_refused(admin: httpx2.AsyncClient, change: dict[str, Any], member: str) -> None:
    answer = await admin.post("cleanup-policies", json={**WEEKLY, **change})

    assert answer.status_code == 400
    assert answer.json()[0]["id"] == member


async def test_names_of_policies_are_unique_and_unknown_ones_are_dropped(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await policy(admin, criteriaLastBlobUpdated=7)
    again = await admin.post("cleanup-policies", json={**WEEKLY, "name": "WEEKLY"})
    await rest.hosted("files", cleanup={"policyNames": ["none", "weekly"]})

    assert (again.status_code, again.json()[0]["id"]) == (400, "name")
    assert (await admin.get("repositories/raw/hosted/files")).json()["cleanup"] == {"policyNames": ["weekly"]}


@BOTH
async def test_all_criteria_must_hold(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await policy(admin, criteriaLastBlobUpdated=7, criteriaAssetRegex=".*[.]tmp")
    await cleaned(rest, "weekly", "old.tmp", "old.txt")
    rest.ahead.by = timedelta(days=8)
    await rest.put("files", "new.tmp", b"new")

    dry = await ran(admin, dryRun=True)
    assert (dry["policies"], dry["components"], dry["bytes"]) == (["weekly"], 1, 7)
    assert len(await paths(admin)) == 3
    assert (await ran(admin))["components"] == 1
    assert await paths(admin) == ["/new.tmp", "/old.txt"]
    assert (await ran(admin))["components"] == 0


async def test_what_was_downloaded_lately_stays(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await policy(admin, criteriaLastDownloaded=7)
    await cleaned(rest, "weekly", "used.txt", "unused.txt")
    rest.ahead.by = timedelta(days=6)
    assert (await admin.get(f"{BASE}/repository/files/used.txt")).status_code == 200
    rest.ahead.by = timedelta(days=8)

    assert (await ran(admin))["components"] == 1
    assert await paths(admin) == ["/used.txt"]


async def pushed(admin: httpx2.AsyncClient, version: str) -> None:
    folder = f"{BASE}/repository/releases/org/acme/lib/{version}"
    answer = await admin.put(f"{folder}/lib-{version}.jar", content=version.encode())
    assert answer.status_code == 201, answer.text


async def releases(rest: Rest, admin: httpx2.AsyncClient, **criteria: Any) -> None:
    await policy(admin, **criteria)
    maven = {"versionPolicy": "MIXED", "layoutPolicy": "STRICT"}
    await rest.hosted("releases", format="maven", maven=maven, cleanup={"policyNames": ["weekly"]})
    for version in ("1.2", "1.10-rc1", "1.9", "1.10"):
        await pushed(admin, version)


async def versions(admin: httpx2.AsyncClient) -> list[str]:
    items = (await admin.get("components", params={"repository": "releases"})).json()["items"]
    return [each["version"] for each in items]


@pytest.mark.parametrize(
    ("criteria", "left"),
    [
        ({"criteriaReleaseType": "PRERELEASES"}, ["1.2", "1.9", "1.10"]),
        ({"criteriaReleaseType": "releases"}, ["1.10-rc1"]),
        ({"retain": 2, "sortBy": "version"}, ["1.10-rc1", "1.10"]),
        ({"retain": 2, "sortBy": "date"}, ["1.9", "1.10"]),
        ({"criteriaReleaseType": "RELEASES", "retain": 1}, ["1.10-rc1", "1.10"]),
        ({"criteriaAssetRegex": "/org/acme/lib/1[.]10/.*"}, ["1.2", "1.10-rc1", "1.9"]),
        ({"criteriaLastBlobUpdated": 1}, ["1.2", "1.10-rc1", "1.9", "1.10"]),
    ],
)
async def test_versions_leave_by_the_formats_own_order(
    rest: Rest, admin: httpx2.AsyncClient, criteria: dict[str, Any], left: list[str]
) -> None:
    await releases(rest, admin, **criteria)

    await ran(admin, repository="releases")

    assert await versions(admin) == left


async def test_policy_of_another_format_does_nothing(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await admin.post("cleanup-policies", json={"name": "npm-only", "format": "npm", "criteriaAssetRegex": ".*"})
    await cleaned(rest, "npm-only", "a.txt")

    assert (await ran(admin))["policies"] == []
    assert await paths(admin) == ["/a.txt"]


async def test_preview_shows_what_would_leave_and_leaves_it(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")
    for path in ("a.tmp", "b.txt"):
        await rest.put("files", path, b"x")

    answer = await admin.post(PREVIEW, json={"repository": "files", "criteriaAssetRegex": ".*tmp"})

    assert answer.status_code == 200
    assert (answer.json()["total"], [each["name"] for each in answer.json()["results"]]) == (1, ["a.tmp"])
    assert await paths(admin) == ["/a.tmp", "/b.txt"]


async def test_read_only_repository_is_not_cleaned(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await policy(admin, criteriaAssetRegex=".*")
    await cleaned(rest, "weekly", "a.txt")
    body = (await admin.get("repositories/raw/hosted/files")).json()
    body["storage"]["writePolicy"] = "DENY"
    assert (await admin.put("repositories/raw/hosted/files", json=body)).status_code == 204

    refused = await admin.post("cleanup/run", json={"repository": "files"})

    assert refused.status_code == 400
    assert await paths(admin) == ["/a.txt"]


async def test_proxy_is_cleaned_too(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await policy(admin, criteriaAssetRegex=".*")
    await rest.proxy("mirror")
    body = (await admin.get("repositories/raw/proxy/mirror")).json()

    changed = await admin.put("repositories/raw/proxy/mirror", json={**body, "cleanup": {"policyNames": ["weekly"]}})

    assert changed.status_code == 204
    assert (await ran(admin, repository="mirror"))["policies"] == ["weekly"]
    assert (await admin.get("repositories/raw/proxy/mirror")).json()["storage"] == STORAGE
