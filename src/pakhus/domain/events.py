"""What happened, in the past tense: written with the change itself, told to subscribers afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pakhus.domain.initiator import SYSTEM, Initiator

ASSET_STORED = "asset.stored"
ASSET_REMOVED = "asset.removed"
COMPONENT_ANNOTATED = "component.annotated"
SET_OUTDATED = "set.outdated"
REPOSITORY_CREATED = "repository.created"
REPOSITORY_UPDATED = "repository.updated"
REPOSITORY_DELETED = "repository.deleted"
SIGNING_KEY_CHANGED = "signing_key.changed"
REPOSITORY_INVALIDATED = "repository.invalidated"
PASSWORD_CHANGED = "user.password_changed"  # noqa: S105 -- what happened, not a password
CONFIGURED = "configuration.changed"
REFUSED = "access.refused"
AUDIT_PRUNED = "audit.pruned"
AUDIT_BROKEN = "audit.broken"
WEBHOOK_TESTED = "webhook.tested"

USER, ROLE, PRIVILEGE, TOKEN = "user", "role", "privilege", "token"
ROUTING_RULE, BLOB_STORE, SETTING, WEBHOOK = "routing_rule", "blob_store", "setting", "webhook"
"""Kinds of objects, whose events are `<kind>.created`, `<kind>.updated` and `<kind>.deleted`."""

TYPES: Mapping[str, str] = {
    "artifact": "created, updated, cached (a proxy keeps a copy), annotated, deleted",
    "repository": "created, updated, invalidated, deleted",
    "user": "created, updated, password_changed, deleted",
    "role": "created, updated, deleted",
    "privilege": "created, updated, deleted",
    "token": "created, deleted",
    "routing_rule": "created, updated, deleted",
    "blob_store": "created, updated, deleted",
    "setting": "created, updated",
    "webhook": "created, updated, deleted",
    "signing_key": "changed",
    "configuration": "changed",
    "task": "started, finished, failed",
    "access": "refused",
    "audit": "pruned, broken",
}
"""First words of actions, and the words that follow."""

INTERNAL = frozenset({SET_OUTDATED})
"""Between parts of the server: nobody outside is told, and nothing has changed that was not told already."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where an event stands in the one order in which all subscribers see them."""

    transaction: int = 0
    id: int = 0


START = Place()


@dataclass(frozen=True, slots=True)
class Event:
    """Identifiers; who needs more reads the rows. `before` and `after` are what an object was and is, masked."""

    id: int
    kind: str
    repository: str
    created: datetime
    details: Mapping[str, Any] = field(default_factory=dict)
    place: Place = START
    initiator: Initiator = SYSTEM
    subject: str = ""
    before: Any = None
    after: Any = None

    @property
    def internal(self) -> bool:
        """Is it nobody's business outside: it follows from a change that was told already."""
        return self.kind in INTERNAL or bool(self.details.get("derived"))

    @property
    def action(self) -> str:
        """The event's public name, which the audit and webhooks use."""
        if self.kind == ASSET_STORED:
            if self.details.get("cached"):
                return "artifact.cached"
            return "artifact.created" if self.details.get("created") else "artifact.updated"
        return _ACTIONS.get(self.kind, self.kind)


_ACTIONS = {ASSET_REMOVED: "artifact.deleted", COMPONENT_ANNOTATED: "artifact.annotated"}
