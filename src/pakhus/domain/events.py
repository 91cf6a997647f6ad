"""What happened, in the past tense: written with the change itself, told to subscribers afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

ASSET_STORED = "asset.stored"
ASSET_REMOVED = "asset.removed"
COMPONENT_ANNOTATED = "component.annotated"
SET_OUTDATED = "set.outdated"
REPOSITORY_CREATED = "repository.created"
REPOSITORY_UPDATED = "repository.updated"
REPOSITORY_DELETED = "repository.deleted"
SIGNING_KEY_CHANGED = "signing_key.changed"


@dataclass(frozen=True, slots=True)
class Event:
    """Identifiers only; who needs more reads the rows."""

    id: int
    kind: str
    repository: str
    created: datetime
    details: Mapping[str, Any] = field(default_factory=dict)
