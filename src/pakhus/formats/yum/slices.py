"""The elements of a long list as the bytes that they are, cut out of a document that is checked while it passes.

Lists have millions of elements below those that matter, so nothing is built of them. The parser (expat) sees every byte
and calls back for what makes cutting unsafe: entities are refused; where there are comments, CDATA, other encodings or
other prefixes, each element is rebuilt instead, which is slower and gives the same.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any
from xml.etree.ElementTree import Element, ParseError
from xml.parsers import expat

from defusedxml import DefusedXmlException
from defusedxml import ElementTree as defused

from pakhus.domain.errors import Invalid
from pakhus.formats.yum.elements import attribute, escaped

MAX_ELEMENT = 128 << 20
_ATTRIBUTES = rb"""(?:\s+[^\s=>/]+\s*=\s*(?:"[^"]*"|'[^']*'))*\s*/?>"""
_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")

Prefixes = Mapping[str, str]
"""Namespace → prefix; that of the default one is empty."""


class _Unusual(Exception):
    """Cutting would not be safe."""


def elements(content: Callable[[], Iterable[bytes]], tag: str, prefixes: Prefixes) -> Iterator[bytes]:
    """Each element `tag` below the root, as UTF-8 that stands for itself where `prefixes` are declared.

    `content` gives the document from its start. Raises `Invalid`.
    """
    given = 0
    try:
        for each in _cut(content(), tag.encode(), prefixes):
            given += 1
            yield each
    except _Unusual:
        yield from islice(_rebuilt(content(), tag, prefixes), given, None)


# Cutting


def _cut(chunks: Iterable[bytes], tag: bytes, prefixes: Prefixes) -> Iterator[bytes]:
    parser = _watched(prefixes)
    start_tag = re.compile(b"<" + tag + _ATTRIBUTES)
    buffer, passed = b"", 0
    try:
        for chunk in chain(chunks, [b""]):
            if not passed and not buffer and chunk.startswith(_BYTE_ORDER_MARKS):
                raise _Unusual
            parser.Parse(chunk, not chunk)
            buffer += chunk
            # What the parser has not looked at yet may be within a comment.
            certain = parser.CurrentByteIndex - passed if chunk else len(buffer)
            position = 0
            while (found := _next(buffer, position, tag, start_tag)) is not None and found[1] <= certain:
                yield buffer[found[0] : found[1]]
                position = found[1]
            buffer, passed = buffer[position:], passed + position
            if len(buffer) > MAX_ELEMENT:
                raise Invalid(f"an element of the list has more than {MAX_ELEMENT} bytes")
    except expat.ExpatError as error:
        raise Invalid(f"malformed XML: {error}") from error


def _next(buffer: bytes, position: int, tag: bytes, start_tag: re.Pattern[bytes]) -> tuple[int, int] | None:
    """Where the next whole element lies. In a document without comments and CDATA every `<` begins a tag."""
    start = _tag_at(buffer, b"<" + tag, position)
    opened = None if start is None else start_tag.match(buffer, start)
    if start is None or opened is None:
        return None
    if buffer.endswith(b"/>", start, opened.end()):
        return start, opened.end()
    closing = _tag_at(buffer, b"</" + tag, opened.end())
    end = -1 if closing is None else buffer.find(b">", closing)
    return None if end < 0 else (start, end + 1)


def _tag_at(buffer: bytes, begin: bytes, position: int) -> int | None:
    """Where the tag stands that begins so and has no longer name."""
    while (found := buffer.find(begin, position)) >= 0:
        if buffer[found + len(begin) : found + len(begin) + 1] in (b" ", b">", b"/", b"\n", b"\t", b"\r"):
            return found
        position = found + len(begin)
    return None


def _watched(prefixes: Prefixes) -> Any:
    """A parser that checks all and tells only what matters."""
    parser = expat.ParserCreate(namespace_separator=" ")

    def refused(*_: Any) -> None:
        raise Invalid("XML with entities or external references is refused")

    def unusual(*_: Any) -> None:
        raise _Unusual

    def declared(version: str, encoding: str | None, standalone: int) -> None:
        if (encoding or "").lower() not in ("", "utf-8", "us-ascii", "ascii"):
            raise _Unusual

    def named(prefix: str | None, uri: str | None) -> None:
        if prefixes.get(uri or "") != (prefix or ""):
            raise _Unusual

    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refused
    parser.CommentHandler = parser.StartCdataSectionHandler = parser.ProcessingInstructionHandler = unusual
    parser.XmlDeclHandler = declared
    parser.StartNamespaceDeclHandler = named
    return parser


# Rebuilding


class _Stream(io.RawIOBase):
    """Chunks as a file."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)

    def read(self, size: int = -1) -> bytes:
        return next(self._chunks, b"")


def _rebuilt(chunks: Iterable[bytes], tag: str, prefixes: Prefixes) -> Iterator[bytes]:
    depth = 0
    try:
        for event, element in defused.iterparse(_Stream(chunks), events=("start", "end"), forbid_dtd=True):
            depth += 1 if event == "start" else -1
            if event == "end" and depth == 1 and element.tag.rpartition("}")[2] == tag:
                yield "".join(_written(element, prefixes)).encode()
            if event == "end" and depth == 1:
                element.clear()
    except ParseError as error:
        raise Invalid(f"malformed XML: {error}") from error
    except DefusedXmlException as error:
        raise Invalid("XML with entities or external references is refused") from error


def _written(element: Element, prefixes: Prefixes) -> Iterator[str]:
    """An element without the declarations of its namespaces; what is in none of them loses its namespace."""
    name = _name(element.tag, prefixes)
    attributes = "".join(f' {_name(key, prefixes)}="{attribute(value)}"' for key, value in element.attrib.items())
    yield f"<{name}{attributes}>{escaped(element.text or '')}"
    for child in element:
        yield from _written(child, prefixes)
        yield escaped(child.tail or "")
    yield f"</{name}>"


def _name(tag: str, prefixes: Prefixes) -> str:
    uri, _, local = tag.removeprefix("{").rpartition("}")
    prefix = "xml" if uri == "http://www.w3.org/XML/1998/namespace" else prefixes.get(uri, "")
    return f"{prefix}:{local}" if prefix else local
