"""Modules: streams of packages, their defaults, obsoletes and translations, as documents of one YAML stream.

Each document is passed on as it was written. Source: libmodulemd's specifications of its documents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from pakhus.domain.errors import Invalid
from pakhus.kit.wire import parse_yaml

_BREAK = re.compile(r"^(?:---(?=[ \t\r\n]|$)|\.\.\.[ \t]*$|%[^\n]*$)", re.MULTILINE)
DOCUMENTS = ("modulemd", "modulemd-stream", "modulemd-defaults", "modulemd-obsoletes", "modulemd-translations")
_KEYS = ("name", "module", "stream", "version", "context", "arch", "modified")

Key = tuple[str, ...]


def checked(body: bytes) -> list[tuple[Key, str]]:
    """Each document with what it is about. Raises `Invalid`."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid("the modules document is not UTF-8") from error
    found = [(_key(parse_yaml(each.encode())), each) for each in _documents(text)]
    if not found:
        raise Invalid("this is no modules document: it is empty")
    return found


def _documents(text: str) -> Iterator[str]:
    """The texts between the marks; the rest of a mark's line is part of the document (`--- {…}`)."""
    yield from (each.strip("\r\n") for each in _BREAK.split(text) if each.strip())


def _key(document: Any) -> Key:
    kind = document.get("document") if isinstance(document, dict) else None
    about = document.get("data") if isinstance(document, dict) else None
    if kind not in DOCUMENTS or not isinstance(about, dict):
        raise Invalid(f"this is no modules document: {str(kind)[:100]} is not one of {', '.join(DOCUMENTS)}")
    return (kind, *(str(about.get(name, "")) for name in _KEYS))


def merged(bodies: Sequence[bytes]) -> bytes:
    """One stream of all documents; of two about the same the first counts."""
    kept: dict[Key, str] = {}
    for body in bodies:
        for key, document in checked(body):
            kept.setdefault(key, document)
    return "".join(f"---\n{document}\n...\n" for document in kept.values()).encode()
