"""Read-only mode: an administrator, or the server itself, has stopped all changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KEY = "read-only"


def is_frozen(values: Mapping[str, Any]) -> bool:
    """Whether the server-wide settings say so."""
    return bool((values.get(KEY) or {}).get("frozen"))
