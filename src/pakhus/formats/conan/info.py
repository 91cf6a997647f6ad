"""`conaninfo.txt`: the settings, options and requirements that make a package what it is.

Sections in brackets; `name=value` or plain lines below. Conan 1 writes `full_…` sections and `recipe_hash`, 2 does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pakhus.domain.errors import BadPackage

MAX_SIZE = 256 << 10


def read(body: bytes) -> str:
    """The text. Raises `BadPackage` if it is none."""
    if len(body) > MAX_SIZE:
        raise BadPackage(f"a conaninfo.txt has at most {MAX_SIZE} bytes")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadPackage("the conaninfo.txt is not UTF-8 text") from error


def sections(text: str) -> Mapping[str, Sequence[str]]:
    """Section → its lines, without comments."""
    found: dict[str, list[str]] = {}
    lines = found.setdefault("", [])
    for line in (line.strip() for line in text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            lines = found.setdefault(line[1:-1], [])
        elif line and not line.startswith("#"):
            lines.append(line)
    return found


def summary(text: str) -> dict[str, Any]:
    """What a search in a recipe tells of a package: `content` is the whole, the others are for older clients."""
    found = sections(text)
    hashes = found.get("recipe_hash", ())
    return {
        "settings": _pairs(found.get("settings", ())),
        "options": _pairs(found.get("options", ())),
        "full_requires": list(found.get("full_requires", ())),
        "recipe_hash": hashes[0] if hashes else None,
        "content": text,
    }


def _pairs(lines: Sequence[str]) -> dict[str, str]:
    pairs = (line.partition("=") for line in lines)
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}
