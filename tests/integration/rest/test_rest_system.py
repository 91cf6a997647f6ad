"""The server's own REST: node, agreement, read-only mode, phases, support, capabilities, monitoring."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import httpx2
import pytest

from tests.integration.rest.conftest import BASE, Rest

OLD = f"{BASE}/service/rest/beta"


async def test_agreement_is_taken_word_for_word(admin: httpx2.AsyncClient) -> None:
    before = (await admin.get("system/eula")).json()
    wrong = await admin.post("system/eula", json={"accepted": True, "disclaimer": "something else"})
    right = await admin.post("system/eula", json={"accepted": True, "disclaimer": before["disclaimer"]})

    assert before["accepted"] is False
    assert (wrong.status_code, wrong.headers["content-type"].split(";")[0]) == (500, "text/plain")
    assert (right.status_code, right.content) == (204, b"")
    assert (await admin.get("system/eula")).json()["accepted"] is True


async def test_node_keeps_its_identity_until_it_is_reset(admin: httpx2.AsyncClient) -> None:
    first = (await admin.get("system/node")).json()

    assert list(first) == ["nodeId"]
    assert (await admin.get("system/node")).json() == first
    assert (await admin.delete("system/node")).status_code == 204
    assert (await admin.get("system/node")).json() != first


async def test_checks_are_told_by_node(admin: httpx2.AsyncClient) -> None:
    node = (await admin.get("system/node")).json()["nodeId"]

    cluster = (await admin.get(f"{OLD}/status/check/cluster")).json()
    one = (await admin.get(f"{OLD}/status/check/{node}")).json()

    assert [each["nodeId"] for each in cluster] == [node]
    assert one["results"]["Blob Stores Ready"] == {"healthy": True, "message": None}
    assert (await admin.get(f"{OLD}/status/check/other")).status_code == 404


async def test_checks_have_the_names_that_scripts_know(admin: httpx2.AsyncClient) -> None:
    found = (await admin.get("status/check")).json()

    known = {
        "Available CPUs", "Blob Stores Quota", "Blob Stores Ready", "Default Admin Credentials",
        "File Blob Stores Path", "File Descriptors", "Lifecycle Phase", "Read-Only Detector", "Scheduler", "Scripting",
    }  # fmt: skip
    assert known <= found.keys()
    assert list(found["Scheduler"]) == ["healthy", "message", "error", "details", "time", "duration", "timestamp"]


async def test_information_has_nexus_sections_and_no_secret(admin: httpx2.AsyncClient) -> None:
    found = (await admin.get(f"{OLD}/system/information")).json()

    assert list(found) == [
        "nexus-status", "nexus-node", "nexus-configuration", "nexus-properties", "nexus-license", "nexus-bundles",
        "system-time", "system-properties", "system-environment", "system-runtime", "system-network",
        "system-filestores",
    ]  # fmt: skip
    assert set(found["system-environment"].values()) <= {"…"}


async def test_nothing_changes_in_read_only_mode(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")
    await rest.put("files", "a.txt", b"a")
    calm = {"systemInitiated": False, "summaryReason": "", "frozen": False}
    assert (await admin.get("read-only")).json() == calm
    assert (await admin.post("read-only/release")).status_code == 404

    assert (await admin.post("read-only/freeze")).status_code == 204
    assert (await admin.post("read-only/freeze")).status_code == 404
    state = (await admin.get("read-only")).json()
    assert (state["frozen"], state["summaryReason"]) == (True, "activated by admin")
    put = await admin.put(f"{BASE}/repository/files/b.txt", content=b"b")
    delete = await admin.delete(f"{BASE}/repository/files/a.txt")
    form = await admin.post(
        "components?repository=files",
        files={"raw.asset1": b"c"},
        data={"raw.directory": "/", "raw.asset1.filename": "c"},
    )
    rule = {"name": "r", "description": "", "mode": "BLOCK", "matchers": [".*"]}
    rest_change = await admin.post("routing-rules", json=rule)
    assert [each.status_code for each in (put, delete, form, rest_change)] == [503] * 4
    assert "read-only" in rest_change.text
    assert (await admin.get("status/writable")).status_code == 503
    assert (await admin.get("status")).status_code == 200
    assert (await admin.get(f"{BASE}/repository/files/a.txt")).content == b"a"

    assert (await admin.post("read-only/force-release")).status_code == 204
    assert (await admin.get("status/writable")).status_code == 200
    assert (await admin.put(f"{BASE}/repository/files/b.txt", content=b"b")).status_code == 201


async def test_phase_is_told_and_changed(admin: httpx2.AsyncClient) -> None:
    first = await admin.get("lifecycle/phase")

    assert (first.text, first.headers["content-type"].split(";")[0]) == ("TASKS", "text/plain")
    assert (await admin.put("lifecycle/phase", content="SERVICES")).status_code == 204
    assert (await admin.get("lifecycle/phase")).text == "SERVICES"
    assert (await admin.get("status/check")).json()["Lifecycle Phase"]["healthy"] is False
    assert (await admin.put("lifecycle/phase", content="TASKS")).status_code == 204
    assert (await admin.put("lifecycle/bounce", content="STORAGE")).status_code == 204
    assert (await admin.get("lifecycle/phase")).text == "TASKS"
    assert (await admin.put("lifecycle/phase", content="BREAKFAST")).status_code == 400


async def test_support_zip_has_what_was_asked_for_and_no_secret(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")
    mail = {"enabled": False, "host": "h", "port": 25, "fromAddress": "a@b", "password": "hidden-word"}
    await admin.put("email", json=mail)
    wanted = {"systemInformation": True, "threadDump": True, "metrics": True, "configuration": True, "security": True}

    answer = await admin.post("support/supportzip", json=wanted)

    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith('attachment; filename="support-')
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    files = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    assert sorted(files) == [
        "info/metrics.txt", "info/system.json", "info/threads.txt", "work/configuration.json", "work/security.json",
    ]  # fmt: skip
    assert json.loads(files["work/configuration.json"])["repositories"][0]["name"] == "files"
    assert all(b"hidden-word" not in body and b"$argon2" not in body for body in files.values())


async def test_support_zip_is_kept_in_the_data_directory(rest: Rest, admin: httpx2.AsyncClient) -> None:
    found = (await admin.post("support/supportzippath", json={"threadDump": True})).json()

    path = rest.application.services.data / "downloads" / found["name"]
    assert found == {"file": str(path), "name": path.name, "size": str(path.stat().st_size), "truncated": False}


async def capability(admin: httpx2.AsyncClient, type: str, **properties: str) -> str:
    answer = await admin.post("capabilities", json={"type": type, "notes": "n", "properties": properties})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


async def test_capability_lives_its_life(admin: httpx2.AsyncClient) -> None:
    id = await capability(admin, "baseurl", url="https://packages.example.org/")

    listed = (await admin.get("capabilities")).json()
    assert [(each["id"], each["type"], each["notes"], each["enabled"], each["properties"]) for each in listed] == [
        (id, "baseurl", "n", True, {"url": "https://packages.example.org/"})
    ]
    assert (await admin.get(f"capabilities/{id}")).status_code == 405
    changed = {**listed[0], "enabled": False}
    assert (await admin.put(f"capabilities/{id}", json=changed)).status_code == 204
    assert (await admin.get("capabilities")).json()[0]["enabled"] is False
    assert (await admin.put(f"capabilities/{id}", json={**changed, "id": "other"})).status_code == 400
    assert (await admin.put("capabilities/none", json={**changed, "id": "none"})).status_code == 404
    assert (await admin.delete(f"capabilities/{id}")).status_code == 204
    assert (await admin.delete(f"capabilities/{id}")).status_code == 404
    assert {each["id"] for each in (await admin.get("capabilities/types")).json()} >= {"baseurl"}


@pytest.mark.parametrize(
    ("body", "member"),
    [
        ({"type": "OutreachManagementCapability"}, "type"),
        ({"type": "baseurl"}, "properties.url"),
        ({"type": "baseurl", "properties": {"url": "packages"}}, "properties.url"),
    ],
)
async def test_capability_without_meaning_is_refused(
    admin: httpx2.AsyncClient, body: dict[str, Any], member: str
) -> None:
    answer = await admin.post("capabilities", json=body)

    assert (answer.status_code, answer.json()[0]["id"]) == (400, member)


async def test_base_url_is_in_all_links(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")
    id = await capability(admin, "baseurl", url="https://packages.example.org/root/")

    shown = (await admin.get("repositories/files")).json()["url"]
    assert shown == "https://packages.example.org/root/repository/files"
    assert (await admin.delete(f"capabilities/{id}")).status_code == 204
    assert (await admin.get("repositories/files")).json()["url"] == f"{BASE}/repository/files"


async def test_addresses_of_nexus_2_answer_while_they_may(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")
    await rest.put("files", "dir/a b.txt", b"old way")
    url = f"{BASE}/content/repositories/files/dir/a%20b.txt"

    assert (await admin.get(url)).status_code == 404
    id = await capability(admin, "LegacyUrlCapability")
    assert (await admin.get(url)).content == b"old way"
    assert (await admin.get(url.replace("repositories", "groups"))).content == b"old way"
    await admin.delete(f"capabilities/{id}")
    assert (await admin.get(url)).status_code == 404


async def test_watched_upstream_is_among_the_checks(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.proxy("mirror")
    await rest.hosted("files")
    name = "Watched Upstreams"
    body = (await admin.get("repositories/raw/proxy/mirror")).json()
    body["httpClient"]["blocked"] = True
    await admin.put("repositories/raw/proxy/mirror", json=body)
    assert (await admin.get("status/check")).json()[name]["healthy"] is True

    assert (await admin.post("repositories/mirror/health-check")).status_code == 204
    assert (await admin.post("repositories/mirror/health-check")).status_code == 409
    found = (await admin.get("status/check")).json()[name]
    assert (found["healthy"], found["message"]) == (False, "mirror: Remote Manually Blocked")
    assert (await admin.delete("repositories/mirror/health-check")).status_code == 204
    assert (await admin.delete("repositories/mirror/health-check")).status_code == 409
    assert (await admin.post("repositories/files/health-check")).status_code == 400
    assert (await admin.post("repositories/none/health-check")).status_code == 404


async def test_new_administrator_gets_a_password_of_its_own(rest: Rest, admin: httpx2.AsyncClient) -> None:
    url = f"{BASE}/service/rest/internal/ui/onboarding/change-admin-password"

    assert (await admin.put(url, content="another-password")).status_code == 204
    async with rest.caller("admin", "another-password") as again:
        assert (await again.get("system/node")).status_code == 200


async def test_start_page_shows_what_may_be_browsed(
    rest: Rest, admin: httpx2.AsyncClient, anonymous: httpx2.AsyncClient
) -> None:
    await rest.hosted("files")

    assert f"{BASE}/repository/files/" in (await admin.get(f"{BASE}/")).text
    page = await anonymous.get(f"{BASE}/")
    assert (page.status_code, "files" in page.text) == (200, False)


async def test_scripts_are_not_taken(admin: httpx2.AsyncClient) -> None:
    script = {"name": "x", "content": "log.info('x')", "type": "groovy"}

    assert (await admin.get("script")).json() == []
    assert (await admin.post("script", json=script)).status_code == 410
    assert (await admin.put("script/x", json=script)).status_code == 410
    assert (await admin.post("script/x/run", content="")).status_code == 404


async def test_monitoring_has_all_of_its_pages(admin: httpx2.AsyncClient, anonymous: httpx2.AsyncClient) -> None:
    root = f"{BASE}/service/metrics"

    assert (await admin.get(f"{root}/ping")).text == "pong\n"
    assert "MainThread" in (await admin.get(f"{root}/threads")).text
    assert (await admin.get(f"{root}/data")).json()["gauges"]["pakhus_info{version=" + _version(admin) + "}"]
    health = await admin.get(f"{root}/healthcheck")
    assert health.status_code == (200 if all(each["healthy"] for each in health.json().values()) else 500)
    assert (await anonymous.get(f"{root}/ping")).status_code == 401
    assert (await admin.get(f"{BASE}/service/rest/metrics/ping")).status_code == 404


def _version(admin: httpx2.AsyncClient) -> str:
    from pakhus import __version__

    return __version__
