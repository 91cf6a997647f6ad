"""Control files as deb822(5) has them: paragraphs of fields, kept as they were written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pakhus.domain.errors import BadPackage

Fields = Mapping[str, str]
"""Values by lower-case field name; the lines of a value are joined by newlines and keep their leading space."""

FIELD = re.compile(r"([!-9;-~]+):[ \t]*(.*)")
BLANK = re.compile(r"\n(?:[ \t]*\n)+")


def decoded(content: bytes) -> str:
    """The text of a control file: UTF-8, or what older packages were written in."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    if "\0" in text:
        raise BadPackage("the control file has a NUL character")
    return text.replace("\r\n", "\n")


def single(content: bytes, what: str) -> tuple[str, Fields]:
    """The text of the one paragraph that a file must have, without comments, and its fields. Raises `BadPackage`."""
    lines = [line.rstrip() for line in decoded(content).splitlines() if not line.startswith("#")]
    text = "\n".join(lines).strip("\n")
    if not text:
        raise BadPackage(f"{what} is empty")
    if "\n\n" in text:
        raise BadPackage(f"{what} has more than one paragraph")
    return text, fields_of(text)


def fields_of(paragraph: str) -> dict[str, str]:
    """The fields of a paragraph. Raises `BadPackage` for lines that are none, and for a field that stands twice."""
    found: dict[str, str] = {}
    name = ""
    for line in paragraph.split("\n"):
        if line.startswith((" ", "\t")):
            if not name:
                raise BadPackage("the first line of a paragraph continues nothing")
            found[name] += "\n" + line
            continue
        matched = FIELD.fullmatch(line)
        if matched is None:
            raise BadPackage(f"{line[:80]!r} is not a field")
        name = matched[1].lower()
        if name in found:
            raise BadPackage(f"the field {matched[1]} stands twice")
        found[name] = matched[2].rstrip()
    return found


def without(paragraph: str, names: frozenset[str]) -> str:
    """The paragraph without some fields (lower-case names)."""
    kept: list[str] = []
    dropping = False
    for line in paragraph.split("\n"):
        if not line.startswith((" ", "\t")):
            dropping = line.partition(":")[0].lower() in names
        if not dropping:
            kept.append(line)
    return "\n".join(kept)


def paragraphs(content: bytes) -> Iterator[bytes]:
    """The paragraphs of an index, as they are."""
    for paragraph in content.split(b"\n\n"):
        if stripped := paragraph.strip(b"\n"):
            yield stripped
