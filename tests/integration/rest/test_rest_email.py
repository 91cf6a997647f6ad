"""Mail settings are kept, and mail really arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from typing import Any

import httpx2
import pytest
from aiosmtpd.smtp import SMTP

from pakhus.services.tasks import Kind, Run
from tests.integration.rest.conftest import Rest

UNSET: dict[str, Any] = {
    "enabled": False,
    "host": None,
    "port": None,
    "username": None,
    "password": None,
    "fromAddress": None,
    "subjectPrefix": None,
    "startTlsEnabled": False,
    "startTlsRequired": False,
    "sslOnConnectEnabled": False,
    "sslServerIdentityCheckEnabled": False,
    "nexusTrustStoreEnabled": False,
}


@dataclass
class Box:
    """A mail server at `port`, and what it took."""

    port: int = 0
    messages: list[Message] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.messages.append(message_from_bytes(envelope.content))
        return "250 kept"


@pytest.fixture
async def box() -> AsyncIterator[Box]:
    made = Box()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(made), "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


def settings(box: Box, **changes: Any) -> dict[str, Any]:
    where = {"enabled": True, "host": "127.0.0.1", "port": box.port, "fromAddress": "pakhus@example.org"}
    return {**UNSET, **where, "subjectPrefix": "[acme]", **changes}


async def test_settings_read_as_they_were_sent_but_for_the_password(
    rest: Rest, admin: httpx2.AsyncClient, box: Box
) -> None:
    assert (await admin.get("email")).json() == UNSET
    sent = settings(box, username="me", password="hidden")

    changed = await admin.put("email", json=sent)

    assert (changed.status_code, changed.content) == (204, b"")
    read = (await admin.get("email")).json()
    assert read == {**sent, "password": None}
    assert (await admin.put("email", json=read)).status_code == 204
    assert (await rest.application.services.mail.settings())["password"] == "hidden"
    assert (await admin.delete("email")).status_code == 204
    assert (await admin.get("email")).json() == UNSET


@pytest.mark.parametrize("change", [{"host": None}, {"port": 0}, {"fromAddress": "nobody"}, {"port": None}])
async def test_bad_settings_are_refused(admin: httpx2.AsyncClient, box: Box, change: dict[str, Any]) -> None:
    assert (await admin.put("email", json=settings(box, **change))).status_code == 400


async def test_verification_sends_a_message(admin: httpx2.AsyncClient, box: Box) -> None:
    await admin.put("email", json=settings(box))

    answer = await admin.post("email/verify", content="you@example.org", headers={"content-type": "text/plain"})

    assert (answer.status_code, answer.json()) == (200, {"success": True, "reason": ""})
    assert [(each["To"], each["From"]) for each in box.messages] == [("you@example.org", "pakhus@example.org")]
    assert box.messages[0]["Subject"].startswith("[acme] ")


async def test_verification_says_why_it_failed(admin: httpx2.AsyncClient, box: Box) -> None:
    nothing = (await admin.post("email/verify", content="you@example.org")).json()
    await admin.put("email", json=settings(box, startTlsRequired=True))
    untrusted = (await admin.post("email/verify", content="you@example.org")).json()
    await admin.put("email", json=settings(box))
    nobody = (await admin.post("email/verify", content="")).json()

    assert [each["success"] for each in (nothing, untrusted, nobody)] == [False, False, False]
    assert nothing["reason"] == "no mail server is configured"
    assert untrusted["reason"]
    assert box.messages == []


async def test_failed_task_is_told_by_mail(rest: Rest, admin: httpx2.AsyncClient, box: Box) -> None:
    async def fails(run: Run) -> str:
        raise RuntimeError

    async def works(run: Run) -> str:
        return "done"

    service = rest.application.services.tasks
    service.offer([Kind("fails", "Fails", fails), Kind("works", "Works", works)])
    await admin.put("email", json=settings(box))
    for type, condition in (("fails", "FAILURE"), ("works", "FAILURE"), ("works", "SUCCESS_FAILURE")):
        body = {"type": type, "name": f"{type} {condition}", "alertEmail": "you@example.org"}
        id = (await admin.post("tasks", json={**body, "notificationCondition": condition})).json()["id"]
        await admin.post(f"tasks/{id}/run")
        await service.settled()

    subjects = [each["Subject"] for each in box.messages]
    assert subjects == ["[acme] Task fails FAILURE: FAILED", "[acme] Task works SUCCESS_FAILURE: OK"]
