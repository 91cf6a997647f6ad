"""The audit through REST: every change and every refusal, in whose name, and no secret; kept as long as it should."""

from __future__ import annotations

import asyncio
import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy.exc import OperationalError

from pakhus.database import audit as rows
from pakhus.database import events, schema
from pakhus.database.tables import audit
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.errors import Forbidden, Unauthenticated
from pakhus.domain.initiator import Initiator
from pakhus.engine.outbox import Outbox
from pakhus.services.audit import _cut
from pakhus.services.audit_chain import ANCHORS, Anchors, Seal, verify
from pakhus.services.refusals import MOST, MOST_STRANGERS, Refusals
from pakhus.settings import signing_secret
from tests.integration.rest.conftest import ADMIN, BASE, BOTH, Rest

NATIVE = f"{BASE}/api/v1"
JANE: dict[str, Any] = {
    "userId": "jane", "firstName": "Jane", "lastName": "Doe", "emailAddress": "jane@example.org", "status": "active",
    "roles": ["nx-admin"], "password": "janes-own-password",
}  # fmt: skip


async def settled(rest: Rest) -> None:
    """All that has happened is in the chain."""
    await rest.application.services.refusals.flush(end=True)
    while await rest.application.outbox.deliver():
        pass


async def entries(rest: Rest, **sought: str) -> list[dict[str, Any]]:
    """What the audit shows, the oldest first."""
    await settled(rest)
    async with rest.caller(*ADMIN) as admin:
        answer = await admin.get(f"{NATIVE}/audit", params=sought)
        assert answer.status_code == 200, answer.text
        return list(reversed(answer.json()["items"]))


def report(rest: Rest) -> list[str]:
    """The problems that a verification finds."""
    settings = rest.application.settings
    anchors = Anchors(settings.data / ANCHORS).read()
    return rest.application.services.database.read_now(verify, Seal(signing_secret(settings)), anchors).problems


@BOTH
async def test_change_is_kept_with_who_and_where_and_what(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await admin.post("security/users", json=JANE, headers={"x-request-id": "made-jane"})
    await admin.put("security/users/jane", json={**JANE, "source": "default", "lastName": "Roe"})
    await admin.put("security/users/jane/change-password", content="another-password")
    await admin.delete("security/users/jane")

    found = await entries(rest, type="user", user="admin")

    assert [each["action"] for each in found] == [
        "user.created", "user.updated", "user.password_changed", "user.deleted",
    ]  # fmt: skip
    made, changed, _, gone = found
    assert {name: made[name] for name in ("credential", "address", "request_id", "subject", "result")} == {
        "credential": "password", "address": "127.0.0.1", "request_id": "made-jane", "subject": "jane",
        "result": "success",
    }  # fmt: skip
    assert made["before"] is None
    assert (changed["before"]["last_name"], changed["after"]["last_name"]) == ("Doe", "Roe")
    assert (gone["before"]["email"], gone["after"]) == ("jane@example.org", None)
    assert report(rest) == []


async def test_secrets_do_not_get_into_the_audit(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await admin.post("security/users", json=JANE)
    await rest.proxy("mirror", "https://someone:se-cret@upstream.invalid/files")
    token = (await admin.post(f"{NATIVE}/tokens", json={"name": "ci"})).json()["token"]
    await settled(rest)

    text = (await admin.get(f"{NATIVE}/audit/export")).text

    assert "mirror" in text
    assert all(secret not in text for secret in ("janes-own-password", "$argon2", "se-cret", token))


@BOTH
async def test_what_enters_and_leaves_a_repository_is_kept_with_its_digests(
    rest: Rest, admin: httpx2.AsyncClient
) -> None:
    await rest.hosted("files")
    await rest.put("files", "a.txt", b"one")
    await rest.put("files", "a.txt", b"two")
    token = (await admin.post(f"{NATIVE}/tokens", json={"name": "ci"})).json()["token"]
    async with rest.caller("admin", token) as machine:
        assert (await machine.delete(f"{BASE}/repository/files/a.txt")).status_code == 204

    found = await entries(rest, repository="files", type="artifact")

    assert [each["action"] for each in found] == ["artifact.created", "artifact.updated", "artifact.deleted"]
    assert found[0]["after"] == found[1]["before"] != found[1]["after"] == found[2]["before"]
    assert [each["credential"] for each in found] == ["password", "password", "token ci"]
    assert await entries(rest, subject="a.t", type="artifact") == found
    assert await entries(rest, subject="b", type="artifact") == []


@BOTH
async def test_refused_attempt_is_kept_with_its_reason(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files", policy="ALLOW_ONCE")
    await rest.put("files", "a.txt", b"one")
    nobody = await rest.user("nobody", "nx-apikey-all")
    await admin.put(f"{BASE}/repository/files/a.txt", content=b"two")
    await nobody.get(f"{BASE}/repository/files/a.txt")
    await nobody.delete("security/roles/nx-admin")
    await rest.caller("admin", "wrong").get("status/check")
    await rest.caller("ad\0min", "wrong").get("status/check")
    await rest.caller().get("security/users")
    await rest.caller().post(f"{NATIVE}/login", json={"username": "jane", "password": "guess"})

    found = await entries(rest, result="refused")

    told = [(each["user"], each["credential"], each["details"]["status"], each["repository"]) for each in found]
    assert sorted(told) == [
        ("", "", 401, ""),
        ("admin", "password", 400, "files"),
        ("admin", "password", 401, ""),
        ("anonymous", "none", 401, ""),
        ("jane", "password", 401, ""),
        ("nobody", "password", 403, ""),
        ("nobody", "password", 403, "files"),
    ]
    denied = next(each for each in found if each["user"] == "nobody" and not each["repository"])
    assert "nobody' lacks roles:delete" in denied["details"]["reason"]
    assert denied["subject"].endswith("/security/roles/nx-admin")
    assert all(each["action"] == "access.refused" for each in found)


async def test_flood_of_refusals_leaves_few_entries(rest: Rest) -> None:
    refusals = rest.application.services.refusals
    error = Forbidden("no")

    for number in range(50_000):
        who = Initiator("stranger", address=f"10.0.{number % 200}.{number % 250}")
        refusals.add(error, who, "GET", f"/{number}", "files")
    found = await entries(rest, result="refused", limit="1000")

    assert len(found) == MOST + 1
    assert sum(each["details"]["count"] for each in found) == 50_000
    assert [each["user"] for each in found].count("*others") == 1


async def test_strangers_do_not_crowd_out_a_refused_login(rest: Rest) -> None:
    refusals = rest.application.services.refusals
    for number in range(10_000):
        who = Initiator("anonymous", credential="none", address=f"10.{number // 250}.0.{number % 250}")
        refusals.add(Unauthenticated("log in first"), who, "GET", "/v2/", "images")
    refusals.add(Unauthenticated("wrong"), Initiator("admin", credential="password"), "GET", "/x", "")

    found = await entries(rest, result="refused", limit="1000")

    assert len(found) == MOST_STRANGERS + 2
    assert [each["user"] for each in found].count("admin") == 1


async def test_refusals_that_could_not_be_written_are_not_lost(tmp_path: Path) -> None:
    database = Database.embedded(tmp_path)
    refusals = Refusals(database, now=lambda: datetime.now(UTC), seconds=lambda: 0.0)
    refusals.add(Forbidden("no"), Initiator("ann"), "GET", "/a", "files")
    with pytest.raises(OperationalError):
        await refusals.flush(end=True)
    schema.migrate(database)
    refusals.add(Forbidden("no"), Initiator("ann"), "GET", "/a", "files")
    await refusals.flush(end=True)

    (found,) = await database.read(events.after, events.START, limit=10)

    assert (found.details["count"], found.initiator.user) == (2, "ann")
    database.close()


async def test_repeated_refusal_is_told_at_once_and_then_counted(rest: Rest, admin: httpx2.AsyncClient) -> None:
    refusals = rest.application.services.refusals
    stranger = rest.caller("admin", "wrong")
    await stranger.get("status/check")
    await refusals.flush()
    for _ in range(3):
        await stranger.get("status/check")
    await refusals.flush()

    before = len(await _told(rest))
    found = await entries(rest, result="refused")

    assert before == 1
    assert [each["details"]["count"] for each in found] == [1, 3]


async def _told(rest: Rest) -> list[Any]:
    while await rest.application.outbox.deliver():
        pass
    services = rest.application.services
    return await services.database.read(rows.newest, rows.Sought(result="refused"), before=None, limit=100)


@BOTH
async def test_pages_and_export_show_every_entry_once(rest: Rest, admin: httpx2.AsyncClient) -> None:
    for number in range(7):
        await admin.post("security/roles", json={"id": f"r{number}", "name": "=1+1", "privileges": [], "roles": []})
    everything = await entries(rest)
    pages, token = list[Any](), None
    while True:
        params = {"limit": "3", **({"continuation_token": token} if token else {})}
        page = (await admin.get(f"{NATIVE}/audit", params=params)).json()
        pages += page["items"]
        if (token := page["continuation_token"]) is None:
            break

    lines = (await admin.get(f"{NATIVE}/audit/export")).text.splitlines()
    table = (await admin.get(f"{NATIVE}/audit/export", params={"format": "csv", "type": "role"})).text

    assert list(reversed(pages)) == everything == [json.loads(line) for line in lines]
    records = list(csv.DictReader(table.splitlines()))
    assert [each["subject"] for each in records][-7:] == [f"r{number}" for number in range(7)]


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"from": "yesterday"}, 400),
        ({"limit": "0"}, 400),
        ({"continuation_token": "x"}, 400),
        ({"result": "maybe"}, 400),
        ({"from": "2026-01-01T00:00:00 01:00", "to": "2026-01-02"}, 200),
    ],
)
async def test_questions_that_make_no_sense_are_refused(
    admin: httpx2.AsyncClient, params: dict[str, str], status: int
) -> None:
    assert (await admin.get(f"{NATIVE}/audit", params=params)).status_code == status


async def test_only_those_with_the_right_read_and_configure(rest: Rest) -> None:
    auditor = await rest.user("auditor", "nx-audit-read")

    assert (await auditor.get(f"{NATIVE}/audit")).status_code == 200
    assert (await auditor.put(f"{NATIVE}/audit/settings", json={"downloads": True})).status_code == 403


@BOTH
@pytest.mark.parametrize("harm", ["alter", "delete", "cut", "head"])
async def test_tampering_is_found_by_verification_and_by_the_server(rest: Rest, harm: str) -> None:
    await rest.hosted("files")
    await settled(rest)
    database = rest.application.services.database
    last = (await rest.application.services.audit.head()).position

    def tamper(tx: Transaction) -> None:
        if harm == "alter":
            tx.execute(audit.update().where(audit.c.id == 3).values(user="somebody else"))
        elif harm == "delete":
            tx.execute(audit.delete().where(audit.c.id == 3))
        else:
            tx.execute(audit.delete().where(audit.c.id == last))
            if harm == "head":
                rest_of_it = rows.newest(tx, rows.Sought(), before=None, limit=1)[0]
                found = rows.head(tx)
                assert found is not None
                moved = rows.Head(rest_of_it.entry.id, rest_of_it.hash, 0, found.floor_hash, found.place, found.seal)
                rows.put_head(tx, moved)

    await database.write(tamper)
    expected = {
        "alter": ["entry 3 was altered, or the one before it was exchanged"],
        "delete": ["entries 3 to 3 are missing"],
        "cut": [f"the chain ends with entry {last - 1}, its head says {last}"],
        "head": ["the head was not sealed with this server's secret: it was altered, or the secret was exchanged"],
    }[harm]

    assert [each for each in report(rest) if "anchored" not in each] == expected
    if harm in ("cut", "head"):
        await rest.hosted("more")
        found = await entries(rest)
        assert "audit.broken" in [each["action"] for each in found]


@BOTH
async def test_old_entries_go_and_what_stays_can_be_verified(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")
    await settled(rest)
    services = rest.application.services
    seal = Seal(signing_secret(rest.application.settings))
    last = (await services.audit.head()).position

    removed = await services.database.write(_cut, services.now() + timedelta(days=1), seal)
    found = await entries(rest)

    assert removed == last - 1
    assert found[0]["id"] == last
    assert found[-1]["action"] == "audit.pruned"
    assert found[-1]["details"]["last"] == last - 1
    assert report(rest) == []
    assert (await admin.get(f"{NATIVE}/audit/head")).json()["floor"] == last - 1


async def test_settings_are_kept_and_checked(rest: Rest, admin: httpx2.AsyncClient) -> None:
    wanted = {"retention_days": None, "downloads": True, "downloads_retention_days": 7}

    assert (await admin.put(f"{NATIVE}/audit/settings", json=wanted)).json() == wanted
    assert (await admin.get(f"{NATIVE}/audit/settings")).json() == wanted
    refused = await admin.put(f"{NATIVE}/audit/settings", json={"retention_days": 0})
    assert (refused.status_code, refused.json()["field"]) == (400, "retention_days")
    found = await entries(rest, action="setting.created", user="admin")
    assert found[-1]["after"] == {"audit": wanted}


@BOTH
async def test_downloads_are_written_down_only_when_wanted(rest: Rest, admin: httpx2.AsyncClient) -> None:
    await rest.hosted("files")
    await rest.put("files", "a.txt", b"one")
    log = rest.application.services.download_log
    await admin.get(f"{BASE}/repository/files/a.txt")
    await admin.put(f"{NATIVE}/audit/settings", json={"downloads": True})
    await admin.get(f"{BASE}/repository/files/a.txt", headers={"x-request-id": "mine"})
    await log.flush()

    found = (await admin.get(f"{NATIVE}/audit/downloads", params={"repository": "files"})).json()["items"]

    assert [(each["path"], each["user"], each["request_id"], each["size"]) for each in found] == [
        ("a.txt", "admin", "mine", 3)
    ]
    services = rest.application.services
    gone = await services.database.write(rows.forget_downloads, services.now() + timedelta(days=1), limit=10)
    assert gone == 1


@pytest.mark.parametrize("dsn", ["postgresql"], indirect=True)
async def test_change_whose_transaction_ends_late_is_not_missed(rest: Rest) -> None:
    """On PostgreSQL its event has a lower id than those that were delivered before it."""
    await settled(rest)
    database = rest.application.services.database
    loop = asyncio.get_running_loop()
    recorded, finish = asyncio.Event(), asyncio.Event()

    def slow(tx: Transaction) -> None:
        tx.record("test.slow", subject="slow")
        loop.call_soon_threadsafe(recorded.set)
        asyncio.run_coroutine_threadsafe(finish.wait(), loop).result(30)

    writing = asyncio.create_task(database.write(slow))
    await recorded.wait()
    await database.write(lambda tx: tx.record("test.fast", subject="fast"))
    early = [each["action"] for each in await entries(rest, type="test")]
    finish.set()
    await writing
    late = [each["action"] for each in await entries(rest, type="test")]

    assert early == []
    assert late == ["test.slow", "test.fast"]
    assert report(rest) == []


@BOTH
async def test_two_that_lead_at_once_take_every_event_in_once(rest: Rest) -> None:
    services = rest.application.services
    chain = rest.application.outbox._subscribers["audit"]
    for _ in range(20):
        await services.database.write(lambda tx: tx.record("test.done", subject="x"))
    batch = await services.database.read(events.after, events.START, limit=1000)
    others = Outbox(services.database, {"other": chain})
    await asyncio.gather(chain(batch), chain(batch), others.deliver(), rest.application.outbox.deliver())

    assert len(await entries(rest, type="test")) == 20
    assert report(rest) == []
