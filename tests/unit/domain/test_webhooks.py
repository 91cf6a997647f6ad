"""Signatures as the specification has them, patterns, pauses and what a message says."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pakhus.domain import events
from pakhus.domain.events import TYPES, Event, Place
from pakhus.domain.initiator import Initiator
from pakhus.domain.webhooks import (
    ATTEMPTS,
    LONGEST_PAUSE,
    PAUSES,
    SECRET_PREFIX,
    Webhook,
    headers,
    message_id,
    new_secret,
    pattern_flaw,
    pause,
    payload,
    secret_flaw,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
STORED = Event(
    7,
    events.ASSET_STORED,
    "files",
    NOW,
    {"path": "a/b.txt", "asset": 3, "created": True, "cached": False, "name": "b", "version": "1"},
    Place(0, 7),
    Initiator("ann", address="10.0.0.1", credential="password", request_id="r1"),
    "a/b.txt",
    None,
    {"sha256": "ab"},
)


def test_signature_is_that_of_the_specification() -> None:
    secret = SECRET_PREFIX + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    moment = datetime.fromtimestamp(1614265330, UTC)

    found = headers([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", moment, b'{"test": 2432232314}')

    assert found["webhook-id"] == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert found["webhook-timestamp"] == "1614265330"
    assert found["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.binary(), st.integers(0, 2**33))
def test_receiver_with_either_secret_can_verify(body: bytes, seconds: int) -> None:
    old, new = new_secret(), new_secret()

    found = headers([new, old], "msg_1", datetime.fromtimestamp(seconds, UTC), body)

    for number, secret in enumerate((new, old)):
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
        expected = hmac.digest(key, b"msg_1." + str(seconds).encode() + b"." + body, "sha256")
        version, _, code = found["webhook-signature"].split(" ")[number].partition(",")
        assert (version, base64.b64decode(code)) == ("v1", expected)


@pytest.mark.parametrize("secret", ["short", "whsec_c2hvcnQ=", "whsec_" + "QUFB" * 30, "whsec_!!!!"])
def test_weak_or_broken_secret_is_refused(secret: str) -> None:
    assert secret_flaw(secret)
    assert secret_flaw(new_secret()) is None


def test_message_has_what_identifies_the_artifact_and_nothing_of_the_client() -> None:
    assert json.loads(payload(STORED, "raw")) == {
        "type": "artifact.created",
        "timestamp": "2026-01-02T03:04:05.678Z",
        "data": {
            "repository": "files", "format": "raw", "subject": "a/b.txt", "name": "b", "version": "1",
            "sha256": "ab", "initiator": {"user": "ann", "request_id": "r1"},
        },
    }  # fmt: skip


def test_message_of_a_changed_object_does_not_show_the_object() -> None:
    event = Event(1, "user.updated", "", NOW, subject="ann", before={"email": "a@b"}, after={"email": "c@d"})

    assert "@" not in payload(event, "")


@pytest.mark.parametrize(
    ("patterns", "repositories", "wanted"),
    [
        (("*",), (), True),
        (("artifact.*",), (), True),
        (("artifact.created", "user.*"), (), True),
        (("artifact.deleted",), (), False),
        (("art.*",), (), False),
        (("*",), ("files",), True),
        (("*",), ("others",), False),
    ],
)
def test_webhook_gets_what_it_wants(patterns: tuple[str, ...], repositories: tuple[str, ...], wanted: bool) -> None:
    assert Webhook("w", "http://x", patterns, repositories).wants(STORED) is wanted
    assert not Webhook("w", "http://x", patterns, repositories, enabled=False).wants(STORED)


def test_what_is_between_parts_of_the_server_is_told_to_nobody() -> None:
    assert not Webhook("w", "http://x").wants(Event(1, events.SET_OUTDATED, "files", NOW))


@pytest.mark.parametrize("pattern", ["artifact", "artefact.*", "*.created", "", "artifact.created.x", "Artifact.*"])
def test_pattern_that_can_never_match_is_refused(pattern: str) -> None:
    assert pattern_flaw(pattern)


def test_every_event_of_the_server_has_a_type_to_ask_for() -> None:
    kinds = [value for name, value in vars(events).items() if name.isupper() and isinstance(value, str)]
    told = [Event(1, kind, "", NOW).action.partition(".")[0] for kind in kinds if kind not in events.INTERNAL]

    assert set(told) <= set(TYPES)


def test_message_keeps_its_id_for_one_receiver_only() -> None:
    first, second = Webhook("a", "http://x", id=1), Webhook("b", "http://x", id=2)

    assert message_id(first, STORED) == message_id(first, STORED) != message_id(second, STORED)


@given(st.integers(1, ATTEMPTS + 3), st.floats(0, 0.999), st.floats(0, 1e9))
def test_pauses_grow_and_end(attempts: int, chance: float, retry_after: float) -> None:
    found = pause(attempts, chance)

    assert (found is None) == (attempts >= ATTEMPTS)
    if found is not None:
        assert 0.8 * PAUSES[attempts - 1] <= found <= 1.2 * PAUSES[attempts - 1]
        asked = pause(attempts, chance, retry_after)
        assert asked is not None
        assert found <= asked <= LONGEST_PAUSE
