"""Webhooks: who is told of which events, in which words, and how a message is signed (Standard Webhooks 1.0)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pakhus.domain.events import TYPES, WEBHOOK_TESTED, Event

SECRET_PREFIX = "whsec_"  # noqa: S105 -- a prefix, not a secret
PAUSES = (5.0, 30.0, 120.0, 600.0, 1800.0, 7200.0, 18_000.0, 36_000.0)
"""Seconds between one attempt and the next: the last one is made after about 18 hours."""
ATTEMPTS = len(PAUSES) + 1
LONGEST_PAUSE = 86_400.0
JITTER = 0.2
_PATTERN = re.compile(r"\*|[a-z_]+\.(?:\*|[a-z_]+)")
_INTERNAL_DETAILS = frozenset({"asset", "blob", "created", "cached", "derived", "path"})


@dataclass(frozen=True, slots=True)
class Webhook:
    """A receiver. `events` are actions (`artifact.created`), `artifact.*` or `*`; no `repositories` are all.

    `disabled` says why the server itself has switched it off.
    """

    name: str
    url: str
    events: tuple[str, ...] = ("*",)
    repositories: tuple[str, ...] = ()
    enabled: bool = True
    retention_days: int = 14
    disabled: str = ""
    id: int = 0
    created: datetime | None = None
    updated: datetime | None = None

    def wants(self, event: Event) -> bool:
        """Events from before the webhook are not for it."""
        if not self.enabled or event.internal or event.kind == WEBHOOK_TESTED:
            return False
        if self.created is not None and event.created <= self.created:
            return False
        if self.repositories and event.repository not in self.repositories:
            return False
        type = event.action.partition(".")[0]
        return any(each in ("*", event.action, f"{type}.*") for each in self.events)


def pattern_flaw(pattern: str) -> str | None:
    """Why a pattern can never match, or `None`."""
    if not _PATTERN.fullmatch(pattern):
        return f"'{pattern}' is not like artifact.created, artifact.* or *"
    type = pattern.partition(".")[0]
    if type != "*" and type not in TYPES:
        return f"there are no events '{type}': there are {', '.join(sorted(TYPES))}"
    return None


def message_id(webhook: Webhook, event: Event) -> str:
    """The same for every attempt, so that a receiver can tell what it has had."""
    identity = f"{webhook.id}:{event.place.transaction}:{event.place.id}:{event.created.isoformat()}"
    return "msg_" + hashlib.sha256(identity.encode()).hexdigest()[:32]


def payload(event: Event, format: str) -> str:
    """What is sent: type, moment, and data with identifiers; not the objects, which may be nobody else's business."""
    data: dict[str, Any] = {
        "repository": event.repository,
        "format": format,
        "subject": event.subject,
        **{name: value for name, value in event.details.items() if name not in _INTERNAL_DETAILS},
        "initiator": {"user": event.initiator.user, "request_id": event.initiator.request_id},
    }
    for member, state in (("sha256", event.after), ("previous_sha256", event.before)):
        if isinstance(state, dict) and "sha256" in state:
            data[member] = state["sha256"]
    data = {name: value for name, value in data.items() if value not in ("", None)}
    message = {"type": event.action, "timestamp": _written(event.created), "data": data}
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False)


def trial_payload(moment: datetime, webhook: Webhook) -> str:
    message = {"type": WEBHOOK_TESTED, "timestamp": _written(moment), "data": {"webhook": webhook.name}}
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False)


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# -- signatures ----------------------------------------------------------------------------------------------------


def new_secret() -> str:
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def secret_flaw(secret: str) -> str | None:
    """Why a secret cannot be used, or `None`: 24 to 64 bytes in base64."""
    try:
        key = _key(secret)
    except ValueError:
        return "must be base64, with or without whsec_ in front"
    return None if 24 <= len(key) <= 64 else "must have between 24 and 64 bytes"


def headers(secrets: Sequence[str], id: str, moment: datetime, body: bytes) -> dict[str, str]:
    """The headers of a message; each secret gives a signature, of which a receiver needs to know one."""
    timestamp = str(int(moment.timestamp()))
    signed = f"{id}.{timestamp}.".encode() + body
    signatures = (base64.b64encode(hmac.digest(_key(each), signed, "sha256")).decode() for each in secrets)
    return {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{each}" for each in signatures),
    }


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


# -- outcomes ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one attempt ended: `status` is 0 without an answer."""

    moment: datetime
    status: int
    error: str
    milliseconds: int
    retry_after: float = 0.0

    @property
    def succeeded(self) -> bool:
        return 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """The receiver says that it will never take a message again."""
        return self.status == 410

    def as_mapping(self) -> Mapping[str, Any]:
        return {
            "time": self.moment.isoformat(timespec="milliseconds"),
            "status": self.status,
            "error": self.error,
            "ms": self.milliseconds,
        }


def pause(attempts: int, chance: float, retry_after: float = 0.0) -> float | None:
    """Seconds until the next attempt after so many, `None` when there is none; `chance` in [0, 1) spreads them."""
    if attempts >= ATTEMPTS:
        return None
    spread = PAUSES[attempts - 1] * (1 + JITTER * (2 * chance - 1))
    return max(spread, min(retry_after, LONGEST_PAUSE))
