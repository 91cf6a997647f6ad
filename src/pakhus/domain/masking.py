"""What may be written down of a changed object: all of it but its secrets, and not without bound."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Any

MASK = "********"
LARGEST = 32 * 1024
"""Characters of an object as JSON; of a larger one only its top-level members' names are kept."""

SECRET = re.compile(
    r"pass(word|wd|phrase|code)|secret|token$|credential|private_?key|key_?pair|(?:api|access|account)_?key|authorization|cookie",
    re.IGNORECASE,
)
"""Members whose values are secret, in any spelling."""
SEALED = "$sealed"
_USER_PART = re.compile(r"([a-zA-Z][a-zA-Z0-9+.\-]*://)([^/?#\s@]*)@")


def masked(value: Any) -> Any:
    """The value as JSON types, without what is secret. Dataclasses are objects, times are ISO 8601."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        if SEALED in value:
            return MASK
        return {plain(str(name)): _member(str(name), each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        listed = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [masked(each) for each in listed]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str):
        return _USER_PART.sub(lambda found: f"{found[1]}{MASK}@", plain(value))
    if value is None or isinstance(value, bool | int):
        return value
    return str(value)


def plain(text: str) -> str:
    """What of a text every database takes: no U+0000, no half of a surrogate pair."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def recorded(value: Any) -> Any:
    """A masked object, cut to its members' names where it is too large; `None` stays."""
    if value is None:
        return None
    shown = masked(value)
    if len(json.dumps(shown)) <= LARGEST:
        return shown
    members = sorted(shown)[:1000] if isinstance(shown, dict) else []
    return {"truncated": True, "members": [name[:200] for name in members][:100]}


def _member(name: str, value: Any) -> Any:
    """Switches and numbers tell nothing, whatever they are called (`passwordMinLength`)."""
    if not SECRET.search(name) or value is None or isinstance(value, bool | int) or value in ("", [], {}):
        return masked(value)
    return MASK
