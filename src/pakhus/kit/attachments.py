"""JSON documents that carry files as base64 (npm's publish): the document is parsed, the files stream to drafts.

The scanner knows as much of JSON as it needs to find strings, nesting and the names of members. What it passes on is
the document with the attachments' strings emptied, and that is parsed, so that malformed JSON cannot slip through.
"""

from __future__ import annotations

import binascii
import re
from collections import deque
from collections.abc import AsyncIterable
from typing import Any

from pakhus.domain.errors import Invalid, TooLarge
from pakhus.kit.context import Draft
from pakhus.kit.documents import MAX_DEPTH, parse_json
from pakhus.kit.parts import END, Begin, Keep, Parts, Piece, kept

_STRUCTURE = re.compile(rb'["{}\[\],]')
_DEEP = re.compile(rb'(?:[^"{}\[\]\\]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")++', re.DOTALL)
_IN_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_ESCAPE = re.compile(rb"\\(?:u00([0-9a-fA-F]{2})|(.))", re.DOTALL)
_ESCAPES = {b"/": b"/", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_QUOTE, _OPEN_OBJECT, _OPEN_ARRAY, _COMMA = b'"{[,'


async def read_json_with_attachments(
    chunks: AsyncIterable[bytes], keep: Keep, *, attachments: str = "_attachments", limit: int = 32 << 20
) -> tuple[Any, dict[str, Draft]]:
    """The document without its `<attachments>.<file>.data` strings, and a draft of what each of them held.

    A string that begins with `{` is no base64: such an attachment is text, and stays in the document. Each file goes
    through `keep` (it is `Hosted.draft`) as it arrives; the rest may have `limit` bytes. Raises
    `Invalid` for malformed JSON or base64, `TooLarge`; then no draft is left.
    """
    drafts: dict[str, Draft] = {}
    scanner = _Scanner(attachments, limit)
    async with kept(keep) as draft_of:
        parts = Parts(chunks, scanner)
        while (filename := await parts.begin()) is not None:
            if filename in drafts:
                raise Invalid(f"the document has the attachment {filename} twice")
            drafts[filename] = await draft_of(parts.payload())
        document = parse_json(bytes(scanner.rest))
        for filename in drafts:
            # A member that stands twice is the last one to the parser, which then is not what was kept.
            try:
                emptied = document[attachments][filename].pop("data") == ""
            except (KeyError, TypeError, AttributeError):
                emptied = False
            if not emptied:
                raise Invalid(f"the document has a member of {attachments} twice")
    return document, drafts


class _Scanner:
    """Walks over the chunks once, keeping nothing but `rest` and what two chunks share."""

    def __init__(self, attachments: str, limit: int) -> None:
        self.pieces: deque[Piece[str]] = deque()
        self.rest = bytearray()
        self._attachments, self._limit = attachments, limit
        self._nesting = bytearray()
        self._path = ["", "", ""]
        self._expects_name = False
        self._reading = self._structure
        self._name_start: int | None = None
        self._escaped = False
        self._base64 = _Base64()

    def feed(self, chunk: bytes) -> None:
        position = 0
        while position < len(chunk):
            position = self._reading(chunk, position)
            if len(self.rest) > self._limit:
                raise TooLarge(f"the document has more than {self._limit} bytes beside its attachments")

    def close(self) -> None:
        if self._reading != self._structure:
            raise Invalid("malformed JSON: the document is truncated")

    def _structure(self, chunk: bytes, position: int) -> int:
        if len(self._nesting) > len(self._path) and (deep := _DEEP.match(chunk, position)):
            # Names do not matter so deep: whole strings are passed over at once.
            self.rest += deep[0]
            return deep.end()
        found = _STRUCTURE.search(chunk, position)
        end = found.end() if found else len(chunk)
        self.rest += chunk[position:end]
        if found:
            self._mark(chunk[end - 1])
        return end

    def _mark(self, mark: int) -> None:
        if mark == _QUOTE:
            self._string()
        elif mark in (_OPEN_OBJECT, _OPEN_ARRAY):
            self._nesting.append(mark)
            self._expects_name = mark == _OPEN_OBJECT
            if len(self._nesting) > MAX_DEPTH:
                raise Invalid(f"the document is nested more than {MAX_DEPTH} deep")
        elif mark == _COMMA:
            self._expects_name = self._nesting[-1:] == b"{"
        else:
            del self._nesting[-1:]
            self._expects_name = False

    def _string(self) -> None:
        self._name_start = len(self.rest) if self._expects_name else None
        self._reading = self._plain
        if self._expects_name or self._nesting != b"{{{":
            return
        attachments, _, member = self._path
        if attachments == self._attachments and member == "data":
            self._reading = self._attachment

    def _plain(self, chunk: bytes, position: int) -> int:
        """Inside of a string that stays: a member's name, or a value."""
        start = position
        if self._escaped:
            self._escaped = False
            position += 1
        found = _IN_STRING.match(chunk, position)
        end = found.end() if found else position
        if end == len(chunk):
            self.rest += chunk[start:end]
            return end
        end += 1
        self.rest += chunk[start:end]
        if chunk[end - 1] == _QUOTE:
            self._named()
            self._reading = self._structure
        else:
            self._escaped = True
        return end

    def _named(self) -> None:
        """If the string is the name of a member not deeper than three, remember it."""
        depth = len(self._nesting)
        if self._name_start is not None and depth <= len(self._path):
            self._path[depth - 1] = parse_json(b'"' + self.rest[self._name_start :])
        self._expects_name = False

    def _attachment(self, chunk: bytes, position: int) -> int:
        """At the first character of an attachment's string: npm sends provenance as plain JSON text, not as base64."""
        if chunk[position] == _OPEN_OBJECT:
            self._reading = self._plain
            return position
        self.pieces.append(Begin(self._path[1]))
        self._base64 = _Base64()
        self._reading = self._encoded
        return position

    def _encoded(self, chunk: bytes, position: int) -> int:
        """Inside of an attachment's string, which no quote can be part of."""
        end = chunk.find(b'"', position)
        encoded = chunk[position : end if end >= 0 else len(chunk)]
        decoded = self._base64.decode(encoded, last=end >= 0)
        if decoded:
            self.pieces.append(decoded)
        if end < 0:
            return len(chunk)
        self.pieces.append(END)
        self.rest += b'"'
        self._reading = self._structure
        return end + 1


class _Base64:
    """Base64 (RFC 4648, section 4) in the escapes of a JSON string, decoded in groups of four."""

    def __init__(self) -> None:
        self._left = b""
        self._escape = b""
        self._padded = False

    def decode(self, encoded: bytes, *, last: bool) -> bytes:
        text = self._left + self._unescaped(encoded, last=last)
        if b"\n" in text or b"\r" in text or b" " in text:
            text = text.translate(None, b"\r\n\t ")
        whole = len(text) if last else len(text) - len(text) % 4
        text, self._left = text[:whole], text[whole:]
        if not text:
            return b""
        if self._padded:
            raise Invalid("an attachment has malformed base64: it goes on after its end")
        self._padded = text.endswith(b"=")
        try:
            return binascii.a2b_base64(text, strict_mode=True)
        except binascii.Error as error:
            raise Invalid(f"an attachment has malformed base64: {error}") from error

    def _unescaped(self, encoded: bytes, *, last: bool) -> bytes:
        if self._escape:
            encoded, self._escape = self._escape + encoded, b""
        if b"\\" not in encoded:
            return encoded
        cut = encoded.rfind(b"\\", -5)
        if cut >= 0 and not last and len(encoded) - cut < (6 if encoded[cut + 1 : cut + 2] in (b"u", b"") else 2):
            encoded, self._escape = encoded[:cut], encoded[cut:]
        return _ESCAPE.sub(_character, encoded)


def _character(found: re.Match[bytes]) -> bytes:
    if found[1]:
        return bytes.fromhex(found[1].decode())
    if found[2] in _ESCAPES:
        return _ESCAPES[found[2]]
    raise Invalid("an attachment has malformed base64: an escape that stands for no part of it")
