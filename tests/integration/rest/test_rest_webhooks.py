"""Webhooks against a receiver that listens: what it gets, and what becomes of what it does not take."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from aiohttp import web

from pakhus.database import webhooks as rows
from pakhus.database.tables import webhook_delivery
from pakhus.database.transaction import Transaction
from pakhus.domain.webhooks import ATTEMPTS
from pakhus.services import webhook_delivery as delivery
from pakhus.services.webhooks import OVERLAP
from tests.integration.rest.conftest import ADMIN, BASE, BOTH, Rest
from tests.integration.upstream import upstream

HOOKS = f"{BASE}/api/v1/webhooks"


@dataclass
class Receiver:
    """Answers with `status`; keeps what it got."""

    url: str = ""
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    bodies: list[bytes] = field(default_factory=list)
    requests: list[web.Request] = field(default_factory=list)
    gate: asyncio.Event | None = None

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.read())
        self.requests.append(request)
        if self.gate is not None:
            await self.gate.wait()
        return web.Response(status=self.status, headers=self.headers)

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies]

    def signed_with(self, secret: str, number: int = -1) -> bool:
        """Does one of the signatures hold? Computed as a receiver would."""
        sent, body = self.requests[number].headers, self.bodies[number]
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signed = f"{sent['webhook-id']}.{sent['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
        return f"v1,{expected}" in sent["webhook-signature"].split(" ")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with upstream() as running:
        found = Receiver(running.url + "hook?key=1")
        running.handler = found
        yield found


async def made(admin: httpx2.AsyncClient, url: str, **members: Any) -> dict[str, Any]:
    answer = await admin.post(HOOKS, json={"name": "ci", "url": url, **members})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def delivered(rest: Rest) -> None:
    """All that has happened was told, as far as it could be."""
    while await rest.application.outbox.deliver():
        pass
    await rest.application.services.deliverer.deliver()


async def listed(admin: httpx2.AsyncClient, **params: str) -> list[dict[str, Any]]:
    answer = await admin.get(f"{HOOKS}/ci/deliveries", params=params)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def make_due(rest: Rest) -> None:
    """As if the pause were over."""

    def move(tx: Transaction) -> None:
        tx.execute(webhook_delivery.update().values(due=tx.now - timedelta(seconds=1)))

    await rest.application.services.database.write(move)


@BOTH
async def test_receiver_gets_signed_messages_of_what_it_asked_for(
    rest: Rest, admin: httpx2.AsyncClient, receiver: Receiver
) -> None:
    await rest.hosted("files")
    await rest.hosted("others")
    secret = (await made(admin, receiver.url, events=["artifact.*"], repositories=["files"]))["secret"]
    await rest.put("files", "a.txt", b"one")
    await rest.put("others", "a.txt", b"one")
    await admin.delete(f"{BASE}/repository/files/a.txt")
    await delivered(rest)

    told = sorted((each["type"], each["data"]["repository"], each["data"]["subject"]) for each in receiver.messages)

    assert told == [("artifact.created", "files", "a.txt"), ("artifact.deleted", "files", "a.txt")]
    assert receiver.messages[0]["data"]["format"] == "raw"
    assert receiver.messages[0]["data"]["initiator"]["user"] == "admin"
    assert receiver.signed_with(secret, 0)
    assert receiver.signed_with(secret, 1)
    assert receiver.requests[0].raw_path == "/hook?key=1"
    assert receiver.requests[0].headers["content-type"] == "application/json"
    assert [each["state"] for each in await listed(admin)] == ["delivered", "delivered"]


async def test_secret_is_shown_once_and_kept_sealed(rest: Rest, admin: httpx2.AsyncClient, receiver: Receiver) -> None:
    secret = (await made(admin, receiver.url))["secret"]

    assert "secret" not in (await admin.get(f"{HOOKS}/ci")).json()
    hook = await rest.application.services.webhooks.get("ci")
    assert secret not in json.dumps(await rest.application.services.database.read(rows.secrets_of, hook.id))
    while await rest.application.outbox.deliver():
        pass
    audited = (await admin.get(f"{BASE}/api/v1/audit/export", params={"type": "webhook"})).text
    assert "webhook.created" in audited
    assert secret not in audited
    assert "key=1" not in audited


@BOTH
async def test_failed_delivery_is_repeated_and_given_up_in_the_end(
    rest: Rest, admin: httpx2.AsyncClient, receiver: Receiver
) -> None:
    await made(admin, receiver.url, events=["role.created"])
    receiver.status = 500
    await admin.post("security/roles", json={"id": "r", "name": "r", "privileges": [], "roles": []})
    await delivered(rest)

    (first,) = await listed(admin)
    assert (first["state"], first["attempts"], first["log"][0]["status"]) == ("pending", 1, 500)
    assert first["due"] > first["created"]
    for _ in range(ATTEMPTS - 1):
        await make_due(rest)
        await delivered(rest)
    (last,) = await listed(admin, state="dead")
    assert last["attempts"] == ATTEMPTS == len(receiver.bodies) == len(last["log"])
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1

    receiver.status = 200
    answer = await admin.post(f"{HOOKS}/ci/deliveries/{last['id']}/redeliver")
    await delivered(rest)
    assert answer.status_code == 202
    assert [each["state"] for each in await listed(admin)] == ["delivered"]
    assert receiver.requests[-1].headers["webhook-id"] == last["message"]


async def test_all_that_was_given_up_is_delivered_when_asked(
    rest: Rest, admin: httpx2.AsyncClient, receiver: Receiver
) -> None:
    await made(admin, receiver.url, events=["role.created"])
    receiver.status = 500
    for name in "abc":
        await admin.post("security/roles", json={"id": name, "name": name, "privileges": [], "roles": []})
    await delivered(rest)

    def give_up(tx: Transaction) -> None:
        tx.execute(webhook_delivery.update().values(state=rows.DEAD, finished=tx.now))

    await rest.application.services.database.write(give_up)
    receiver.status = 204
    answer = await admin.post(f"{HOOKS}/ci/redeliver")
    await delivered(rest)

    assert answer.json() == {"redelivered": 3}
    assert [each["state"] for each in await listed(admin)] == ["delivered"] * 3


async def test_receiver_that_asks_for_patience_gets_it(
    rest: Rest, admin: httpx2.AsyncClient, receiver: Receiver
) -> None:
    await made(admin, receiver.url, events=["role.created"])
    receiver.status, receiver.headers = 503, {"Retry-After": "7200"}
    await admin.post("security/roles", json={"id": "r", "name": "r", "privileges": [], "roles": []})
    await delivered(rest)

    services = rest.application.services
    due = await services.database.read(rows.next_due)

    assert due is not None
    assert due - services.now() > timedelta(minutes=110)


async def test_receiver_that_is_gone_is_switched_off(rest: Rest, admin: httpx2.AsyncClient, receiver: Receiver) -> None:
    hook = await made(admin, receiver.url, events=["role.created"])
    receiver.status = 410
    await admin.post("security/roles", json={"id": "r", "name": "r", "privileges": [], "roles": []})
    await delivered(rest)

    found = (await admin.get(f"{HOOKS}/ci")).json()
    assert (found["enabled"], found["disabled"]) == (False, "the receiver answered 410 Gone")
    await admin.put(f"{HOOKS}/ci", json={"url": hook["url"], "events": ["role.created"]})
    assert (await admin.get(f"{HOOKS}/ci")).json()["disabled"] == ""


async def test_redirect_is_not_followed(rest: Rest, admin: httpx2.AsyncClient, receiver: Receiver) -> None:
    await made(admin, receiver.url)
    receiver.status, receiver.headers = 302, {"Location": "/elsewhere"}

    answer = (await admin.post(f"{HOOKS}/ci/test")).json()

    assert (answer["state"], answer["log"][0]["status"]) == ("pending", 302)
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "0.0.0.0", "100.100.100.200"])
async def test_guard_keeps_messages_from_forbidden_addresses(admin: httpx2.AsyncClient, host: str) -> None:
    await made(admin, f"http://{host}/latest/meta-data")

    answer = (await admin.post(f"{HOOKS}/ci/test")).json()

    assert answer["log"][0]["status"] == 0
    assert "may connect to" in answer["log"][0]["error"]


async def test_receiver_that_does_not_listen_is_told_in_the_log(admin: httpx2.AsyncClient) -> None:
    await made(admin, "http://127.0.0.1:9/")

    answer = (await admin.post(f"{HOOKS}/ci/test")).json()

    assert answer["state"] == "pending"
    assert answer["log"][0]["error"]


async def test_old_secret_signs_too_for_a_day(rest: Rest, admin: httpx2.AsyncClient, receiver: Receiver) -> None:
    old = (await made(admin, receiver.url))["secret"]
    new = (await admin.post(f"{HOOKS}/ci/secret", json={})).json()["secret"]
    await admin.post(f"{HOOKS}/ci/test")

    assert receiver.signed_with(old)
    assert receiver.signed_with(new)
    hooks = rest.application.services.webhooks
    now = hooks._now
    hooks._now = lambda: now() + OVERLAP
    await admin.post(f"{HOOKS}/ci/test")
    assert not receiver.signed_with(old)
    assert receiver.signed_with(new)


@BOTH
async def test_two_nodes_deliver_each_message_once(rest: Rest, admin: httpx2.AsyncClient, receiver: Receiver) -> None:
    services = rest.application.services
    await made(admin, receiver.url, events=["role.created"])
    for number in range(12):
        role = {"id": f"r{number}", "name": "r", "privileges": [], "roles": []}
        await admin.post("security/roles", json=role)
    while await rest.application.outbox.deliver():
        pass
    other = delivery.Deliverer(services.database, services.webhooks, rest.application.upstreams, now=services.now)

    await asyncio.gather(services.deliverer.deliver(), other.deliver(), services.deliverer.deliver())

    assert len(receiver.bodies) == len({request.headers["webhook-id"] for request in receiver.requests}) == 12


async def test_slow_receiver_does_not_hold_up_another(
    rest: Rest, admin: httpx2.AsyncClient, receiver: Receiver
) -> None:
    async with upstream() as running:
        slow = Receiver(running.url, gate=asyncio.Event())
        running.handler = slow
        await made(admin, slow.url, name="slow", events=["role.created"])
        await made(admin, receiver.url, events=["role.created"])
        for number in range(10):
            role = {"id": f"r{number}", "name": "r", "privileges": [], "roles": []}
            await admin.post("security/roles", json=role)
        while await rest.application.outbox.deliver():
            pass
        async with asyncio.timeout(10):
            while len(receiver.bodies) < 10:
                await asyncio.sleep(0.01)
        stuck = len(slow.bodies)
        assert slow.gate is not None
        slow.gate.set()

        assert stuck <= delivery.AT_ONCE


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"url": "ftp://example.org"}, "url"),
        ({"url": "https://ann:secret@example.org/"}, "url"),
        ({"url": "http://example.org:99999/"}, "url"),
        ({"events": []}, "events"),
        ({"events": ["artefact.*"]}, "events[0]"),
        ({"name": "a/b"}, "name"),
        ({"secret": "whsec_short"}, "secret"),
        ({"retention_days": 0}, "retention_days"),
    ],
)
async def test_bad_webhook_is_refused(admin: httpx2.AsyncClient, members: dict[str, Any], field: str) -> None:
    answer = await admin.post(HOOKS, json={"name": "ci", "url": "https://example.org/", **members})

    assert (answer.status_code, answer.json()["field"]) == (400, field)


async def test_webhook_is_listed_changed_and_removed(rest: Rest, admin: httpx2.AsyncClient, receiver: Receiver) -> None:
    await made(admin, receiver.url)
    again = await admin.post(HOOKS, json={"name": "CI", "url": receiver.url})
    changed = await admin.put(f"{HOOKS}/ci", json={"url": receiver.url, "enabled": False})
    tried = await admin.post(f"{HOOKS}/ci/test")

    assert again.status_code == 409
    assert changed.json()["enabled"] is False
    assert tried.status_code == 400
    assert [each["name"] for each in (await admin.get(HOOKS)).json()] == ["ci"]
    assert (await admin.delete(f"{HOOKS}/ci")).status_code == 204
    assert (await admin.get(f"{HOOKS}/ci")).status_code == 404
    assert "artifact" in (await admin.get(f"{BASE}/api/v1/webhook-events")).json()


@BOTH
async def test_deliveries_come_page_by_page_and_are_forgotten_in_time(
    rest: Rest, admin: httpx2.AsyncClient, receiver: Receiver
) -> None:
    await made(admin, receiver.url)
    for _ in range(5):
        await admin.post(f"{HOOKS}/ci/test")
    first = (await admin.get(f"{HOOKS}/ci/deliveries", params={"limit": "3"})).json()
    token = first["continuation_token"]
    second = (await admin.get(f"{HOOKS}/ci/deliveries", params={"limit": "3", "continuation_token": token})).json()

    ids = [each["id"] for each in first["items"] + second["items"]]
    assert ids == sorted(ids, reverse=True)
    assert (len(ids), second["continuation_token"]) == (5, None)
    whole = (await admin.get(f"{HOOKS}/ci/deliveries/{ids[0]}")).json()
    assert json.loads(whole["payload"])["type"] == "webhook.tested"
    services = rest.application.services
    hook = await services.webhooks.get("ci")
    assert await services.database.write(rows.forget, hook.id, services.now() + timedelta(days=1), limit=10) == 5


async def test_only_those_with_the_right_see_webhooks(rest: Rest, receiver: Receiver) -> None:
    reader = await rest.user("reader", "nx-webhooks-read")

    assert (await reader.get(HOOKS)).status_code == 200
    assert (await reader.post(HOOKS, json={"name": "x", "url": receiver.url})).status_code == 403
    assert (await rest.caller(*ADMIN).post(HOOKS, json={"name": "x", "url": receiver.url})).status_code == 201
