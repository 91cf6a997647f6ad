"""Path templates: `{name}` is one segment, `{name:path}` any rest, `{name:regex}` what it says.

A name that stands twice is the same text twice.

One template both matches a request and writes a link, so that the two cannot drift apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

_PLACEHOLDER = re.compile(r"\{(\w+)(?::((?:[^{}]|\{[^{}]*\})+))?\}")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\]")
MAX_PATH = 2048
SAFE = "/@!$&'()*+,;=:~-._"


@dataclass(frozen=True)
class Template:
    text: str
    pattern: re.Pattern[str]

    def match(self, path: str) -> dict[str, str] | None:
        found = self.pattern.fullmatch(path)
        if found is None:
            return None
        return {name: value for name, value in found.groupdict().items() if value is not None}

    def expand(self, params: Mapping[str, str]) -> str:
        return _PLACEHOLDER.sub(lambda m: params[m[1]], self.text)


@lru_cache(maxsize=4096)
def template(text: str) -> Template:
    """The compiled form of a path template."""
    written, position = "", 0
    names: set[str] = set()
    for m in _PLACEHOLDER.finditer(text):
        inner = {"": "[^/]+", "path": "(?s:.+)"}.get(m[2] or "", m[2])
        group = f"(?P={m[1]})" if m[1] in names else f"(?P<{m[1]}>{inner})"
        written += re.escape(text[position : m.start()]) + group
        names.add(m[1])
        position = m.end()
    return Template(text, re.compile(written + re.escape(text[position:])))


def expand(text: str, **params: str) -> str:
    """The path that a template gives with these parameters."""
    return template(text).expand(params)


def flaw(path: str) -> str | None:
    """Why a decoded repository path is refused, or `None`: traversal, empty segments, control characters, length."""
    if len(path.encode("utf-8", "surrogatepass")) > MAX_PATH:
        return f"path is longer than {MAX_PATH} bytes"
    if _UNSAFE.search(path):
        return "path has a control character or a backslash"
    if any(0xD800 <= ord(c) <= 0xDFFF for c in path):
        return "path is not UTF-8"
    segments = path.split("/")
    if any(segment in (".", "..") for segment in segments):
        return "path has a '.' or '..' segment"
    if "" in segments[:-1]:
        return "path has an empty segment"
    return None


def quoted(path: str) -> str:
    """The path as it stands in a URL."""
    return quote(path, safe=SAFE)
