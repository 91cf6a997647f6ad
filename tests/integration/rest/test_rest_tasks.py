"""Tasks: kept, begun by hand and by their schedules, stopped, taken over; each kind does what it says."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from pakhus.database import leases, tasks
from pakhus.services.tasks import Kind, Run, Tasks
from tests.integration.rest.conftest import BASE, BOTH, Rest

CLEANUP = "Cleanup service"


def body(type: str = "repository.cleanup", **changes: Any) -> dict[str, Any]:
    return {
        "type": type,
        "name": "mine",
        "enabled": True,
        "alertEmail": "",
        "notificationCondition": "FAILURE",
        "frequency": {"schedule": "manual"},
        "properties": {},
        **changes,
    }


async def made(admin: httpx2.AsyncClient, type: str = "repository.cleanup", **changes: Any) -> str:
    answer = await admin.post("tasks", json=body(type, **changes))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def ran(rest: Rest, admin: httpx2.AsyncClient, type: str, **properties: Any) -> dict[str, Any]:
    """A task of this kind, run once: how it went."""
    id = await made(admin, type, properties=properties)
    assert (await admin.post(f"tasks/{id}/run")).status_code == 204
    await rest.application.services.tasks.settled()
    found: dict[str, Any] = (await admin.get(f"tasks/{id}")).json()
    return found


async def test_new_server_cleans_up_every_night(admin: httpx2.AsyncClient) -> None:
    items = (await admin.get("tasks")).json()

    assert items["continuationToken"] is None
    assert [(each["name"], each["type"], each["schedule"]) for each in items["items"]] == [
        (CLEANUP, "repository.cleanup", "cron")
    ]
    assert items["items"][0]["nextRun"].endswith("T01:00:00.000+00:00")


@BOTH
async def test_task_lives_its_life(rest: Rest, admin: httpx2.AsyncClient) -> None:
    frequency = {"schedule": "weekly", "startDate": 1_900_000_000, "timeZoneOffset": "+01:00", "recurringDays": [2]}
    sent = body(alertEmail="a@example.org", notificationCondition="SUCCESS_FAILURE", frequency=frequency)
    answer = await admin.post("tasks", json={**sent, "properties": {"other": True}})
    id = answer.json()["id"]

    shown = {
        "id": id,
        "name": "mine",
        "type": "repository.cleanup",
        "message": None,
        "currentState": "WAITING",
        "lastRunResult": None,
        "nextRun": "2030-03-18T17:46:40.000+00:00",
        "lastRun": None,
        "enabled": True,
        "alertEmail": "a@example.org",
        "notificationCondition": "SUCCESS_FAILURE",
        **frequency,
        "startDate": "2030-03-17T17:46:40.000+00:00",
        "cronExpression": None,
        "properties": {"other": "true"},
        "typeName": "Admin - Cleanup repositories using their associated policies",
    }
    assert (answer.status_code, answer.json()) == (201, shown)
    assert (await admin.get(f"tasks/{id}")).json() == shown
    changed = await admin.put(f"tasks/{id}", json={**sent, "name": "yours", "enabled": False})
    assert (changed.status_code, changed.content) == (204, b"")
    again = (await admin.get("tasks", params={"type": "repository.cleanup"})).json()["items"]
    assert [each["name"] for each in again] == [CLEANUP, "yours"]
    assert (await admin.get("tasks", params={"type": "none"})).json()["items"] == []
    assert (await admin.post(f"tasks/{id}/run")).status_code == 405
    assert (await admin.post(f"tasks/{id}/stop")).status_code == 409
    assert (await admin.delete(f"tasks/{id}")).status_code == 204
    for method, url in (("GET", f"tasks/{id}"), ("POST", f"tasks/{id}/run"), ("POST", f"tasks/{id}/stop")):
        assert (await admin.request(method, url)).status_code == 404


@pytest.mark.parametrize(
    ("change", "member"),
    [
        ({"type": "script"}, "type"),
        ({"type": "repository.move"}, "properties.repositoryName"),
        ({"name": ""}, "name"),
        ({"frequency": {"schedule": "daily"}}, "frequency.startDate"),
        ({"frequency": {"schedule": "cron", "cronExpression": "often"}}, "frequency.cronExpression"),
        ({"frequency": {"schedule": "sometimes"}}, "frequency.schedule"),
        ({"notificationCondition": "NEVER"}, "notificationCondition"),
    ],
)
async def test_bad_task_is_refused(admin: httpx2.AsyncClient, change: dict[str, Any], member: str) -> None:
    answer = await admin.post("tasks", json=body(**change))

    assert answer.status_code == 400
    assert answer.json()[0]["id"] == member


async def test_templates_tell_what_a_kind_takes(admin: httpx2.AsyncClient) -> None:
    everything = (await admin.get("tasks/templates")).json()
    one = (await admin.get("tasks/templates/blobstore.compact")).json()

    assert one in everything
    assert one["properties"] == {"blobstoreName": ""}
    assert (await admin.get("tasks/templates/none")).status_code == 404


async def test_task_whose_time_has_come_is_begun_once(rest: Rest, admin: httpx2.AsyncClient) -> None:
    start = datetime.now(UTC) + timedelta(hours=1)
    id = await made(admin, frequency={"schedule": "once", "startDate": int(start.timestamp())})
    service = rest.application.services.tasks
    await service.tick()
    assert (await admin.get(f"tasks/{id}")).json()["lastRun"] is None

    rest.ahead.by = timedelta(hours=2)
    await service.tick()
    await service.settled()

    found = (await admin.get(f"tasks/{id}")).json()
    assert (found["lastRunResult"], found["nextRun"], found["currentState"]) == ("OK", None, "WAITING")
    first = found["lastRun"]
    await service.tick()
    await service.settled()
    assert (await admin.get(f"tasks/{id}")).json()["lastRun"] == first


async def test_nothing_is_begun_while_the_server_is_paused(rest: Rest, admin: httpx2.AsyncClient) -> None:
    id = await made(admin, frequency={"schedule": "once", "startDate": int(datetime.now(UTC).timestamp()) + 60})
    rest.ahead.by = timedelta(hours=1)
    service = rest.application.services.tasks

    assert (await admin.put("lifecycle/phase", content="SERVICES")).status_code == 204
    await service.tick()
    assert (await admin.get(f"tasks/{id}")).json()["lastRun"] is None
    assert (await admin.put("lifecycle/phase", content="TASKS")).status_code == 204
    await service.tick()
    await service.settled()
    assert (await admin.get(f"tasks/{id}")).json()["lastRunResult"] == "OK"


def endless(service: Tasks) -> asyncio.Event:
    """A kind of task that goes on until it is stopped; the event says that it has begun."""
    begun = asyncio.Event()

    async def work(run: Run) -> str:
        begun.set()
        await asyncio.Event().wait()
        return ""

    service.offer([Kind("endless", "Endless", work)])
    return begun


async def test_running_task_is_stopped(rest: Rest, admin: httpx2.AsyncClient) -> None:
    service = rest.application.services.tasks
    begun = endless(service)
    id = await made(admin, "endless")
    assert (await admin.post(f"tasks/{id}/run")).status_code == 204
    await begun.wait()

    assert (await admin.get(f"tasks/{id}")).json()["currentState"] == "RUNNING"
    assert (await admin.post(f"tasks/{id}/stop")).status_code == 204
    await service.settled()
    found = (await admin.get(f"tasks/{id}")).json()
    assert (found["currentState"], found["lastRunResult"]) == ("WAITING", "CANCELED")
    assert (await admin.post(f"tasks/{id}/stop")).status_code == 409


async def test_task_of_a_dead_process_is_taken_over(rest: Rest, admin: httpx2.AsyncClient) -> None:
    services = rest.application.services
    id = await made(admin)
    row = await services.tasks.get(id)
    assert await services.database.write(tasks.claim, row, "a dead process", 60.0, None)

    await services.tasks.tick()
    await services.tasks.settled()
    assert (await admin.get(f"tasks/{id}")).json()["currentState"] == "RUNNING", "its lease still holds"

    rest.ahead.by = timedelta(minutes=2)
    await services.tasks.tick()
    await services.tasks.settled()
    found = (await admin.get(f"tasks/{id}")).json()
    assert (found["currentState"], found["lastRunResult"]) == ("WAITING", "OK")


async def test_running_task_is_not_begun_elsewhere(rest: Rest, admin: httpx2.AsyncClient) -> None:
    services = rest.application.services
    id = await made(admin)
    assert await services.database.write(leases.take, tasks.lease_of(id), "another process", 60.0)

    assert (await admin.post(f"tasks/{id}/run")).status_code == 204
    await services.tasks.settled()

    assert (await admin.get(f"tasks/{id}")).json()["lastRun"] is None


async def test_failure_is_told(rest: Rest, admin: httpx2.AsyncClient) -> None:
    async def work(run: Run) -> str:
        raise RuntimeError

    rest.application.services.tasks.offer([Kind("broken", "Broken", work)])

    assert (await ran(rest, admin, "broken"))["lastRunResult"] == "FAILED"
    missing = await ran(rest, admin, "blobstore.compact", blobstoreName="none")
    assert (missing["lastRunResult"], missing["message"]) == ("FAILED", "there is no blob store 'none'")


# -- what each kind does -------------------------------------------------------------------------------------------


async def test_compaction_frees_what_was_deleted(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")
    for name in ("kept", "gone"):
        await rest.put("files", name, name.encode() * 100)
    assert (await admin.delete(f"{BASE}/repository/files/gone")).status_code == 204
    blobs = (await admin.get("blobstores")).json()[0]["blobCount"]

    found = await ran(rest, admin, "blobstore.compact", blobstoreName="default")

    assert found["message"] == "1 blobs removed, 400 bytes freed"
    assert (await admin.get("blobstores")).json()[0]["blobCount"] == blobs - 1
    assert (await admin.get(f"{BASE}/repository/files/kept")).content == b"kept" * 100


async def test_cleanup_runs_all_policies(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await admin.post("cleanup-policies", json={"name": "tmp", "criteriaAssetRegex": ".*tmp"})
    await rest.hosted("files", cleanup={"policyNames": ["tmp"]})
    for name in ("a.tmp", "b.txt"):
        await rest.put("files", name, b"x")

    assert (await ran(rest, admin, "repository.cleanup"))["message"] == "1 components removed, 1 bytes"


async def test_unused_components_are_purged(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")
    await rest.put("files", "old", b"x")
    rest.ahead.by = timedelta(days=3)
    await rest.put("files", "new", b"x")

    found = await ran(rest, admin, "repository.purge-unused", repositoryName="files", lastUsed="2")

    assert found["message"] == "1 assets removed"
    assert [each["path"] for each in (await admin.get("assets?repository=files")).json()["items"]] == ["/new"]


async def test_repository_moves_to_another_blob_store(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")
    await rest.put("files", "a", b"before")
    assert (await admin.post("blobstores/file", json={"name": "second", "path": "second"})).status_code == 204

    found = await ran(rest, admin, "repository.move", repositoryName="files", blobstoreName="second")
    await rest.put("files", "b", b"after")

    assert found["message"] == "1 assets moved to second"
    assert (await admin.get("repositories/raw/hosted/files")).json()["storage"]["blobStoreName"] == "second"
    items = (await admin.get("assets?repository=files")).json()["items"]
    assert {each["blobStoreName"] for each in items} == {"second"}
    assert (await admin.get(f"{BASE}/repository/files/a")).content == b"before"
    await ran(rest, admin, "blobstore.compact", blobstoreName="default")
    assert (await admin.get(f"{BASE}/repository/files/a")).content == b"before"


async def test_lost_rows_are_restored_from_the_blobs(rest: Rest, admin: httpx2.AsyncClient) -> None:
    from sqlalchemy import text

    services = rest.application.services
    await rest.hosted("files")
    await rest.put("files", "dir/a.txt", b"precious")
    await rest.application.outbox.deliver()
    with services.database.engine.connect() as connection:
        for table in ("asset", "component", "blob"):
            connection.execute(text(f"DELETE FROM {table}"))
        connection.commit()
    services.database.generation.bump()
    assert (await admin.get(f"{BASE}/repository/files/dir/a.txt")).status_code == 404

    dry = await ran(rest, admin, "blobstore.rebuildComponentDB", blobstoreName="default", dryRun=True)
    assert (await admin.get(f"{BASE}/repository/files/dir/a.txt")).status_code == 404
    done = await ran(rest, admin, "blobstore.rebuildComponentDB", blobstoreName="default")

    assert dry["message"] == done["message"]
    assert done["message"].startswith("1 assets of 1 blobs restored")
    assert (await admin.get(f"{BASE}/repository/files/dir/a.txt")).content == b"precious"
    assert (await admin.get("components?repository=files")).json()["items"][0]["name"] == "dir/a.txt"
    again = await ran(rest, admin, "blobstore.rebuildComponentDB", blobstoreName="default")
    assert again["message"].startswith("0 assets of 0 blobs restored")


async def test_search_index_is_written_anew(rest: Rest, admin: httpx2.AsyncClient) -> None:
    from sqlalchemy import text

    services = rest.application.services
    maven = {"versionPolicy": "MIXED", "layoutPolicy": "STRICT"}
    await rest.hosted("releases", format="maven", maven=maven)
    for version in ("1.0-rc1", "1.0"):
        url = f"{BASE}/repository/releases/org/acme/lib/{version}/lib-{version}.jar"
        assert (await admin.put(url, content=version.encode())).status_code == 201
    with services.database.engine.connect() as connection:
        connection.execute(text("UPDATE component SET prerelease = false, version_order = ''"))
        connection.commit()

    found = await ran(rest, admin, "repository.rebuild-index", repositoryName="*")

    assert found["message"] == "2 components indexed"
    items = (await admin.get("search", params={"repository": "releases", "prerelease": "true"})).json()["items"]
    assert [each["version"] for each in items] == ["1.0-rc1"]


async def snapshot(admin: httpx2.AsyncClient, build: int) -> None:
    url = f"{BASE}/repository/snapshots/org/acme/lib/1.0-SNAPSHOT/lib-1.0-2026010{build}.000000-{build}.jar"
    assert (await admin.put(url, content=str(build).encode())).status_code == 201


async def test_superseded_snapshots_leave(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("snapshots", format="maven", maven={"versionPolicy": "MIXED", "layoutPolicy": "STRICT"})
    for build in (1, 2, 3):
        await snapshot(admin, build)

    kept = await ran(
        rest,
        admin,
        "repository.maven.remove-snapshots",
        repositoryName="snapshots",
        minimumRetained="1",
        snapshotRetentionDays="1",
    )
    gone = await ran(rest, admin, "repository.maven.remove-snapshots", repositoryName="snapshots", minimumRetained="1")

    assert (kept["message"], gone["message"]) == ("0 assets removed", "2 assets removed")
    items = (await admin.get("components?repository=snapshots")).json()["items"]
    assert [each["version"] for each in items] == ["1.0-20260103.000000-3"]


async def test_metadata_is_made_anew(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("snapshots", format="maven", maven={"versionPolicy": "MIXED", "layoutPolicy": "STRICT"})
    await snapshot(admin, 1)
    url = f"{BASE}/repository/snapshots/org/acme/lib/maven-metadata.xml"
    before = (await admin.get(url)).headers["etag"]

    found = await ran(rest, admin, "repository.maven.rebuild-metadata", repositoryName="snapshots")

    assert found["message"] == "metadata of 1 repositories rebuilt"
    assert (await admin.get(url)).headers["etag"] != before
