"""Forms as they arrive: multipart/form-data (RFC 7578) with files of any size, and URL-encoded ones."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import AsyncIterable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from pakhus.domain.errors import Invalid, TooLarge
from pakhus.kit.context import Draft
from pakhus.kit.parts import END, Begin, Keep, Parts, Piece, kept

MULTIPART, URLENCODED = "multipart/form-data", "application/x-www-form-urlencoded"
MAX_HEADERS, MAX_HEADER = 16, 8192
TOTAL = 16
"""All fields together may have this many times the limit of one."""
CHARSETS = frozenset({"utf-8", "us-ascii", "ascii", "iso-8859-1", "latin-1", "windows-1252", "utf-16"})
_PARAMETER = re.compile(r';\s*([\w!#$%&\'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]*))', re.DOTALL)


@dataclass(frozen=True)
class FormFile:
    """A file of a form: the field's name, the file's name without folders, its media type as sent."""

    name: str
    filename: str
    content_type: str
    draft: Draft


@dataclass(frozen=True)
class FormData:
    """Fields and files, each in the order of the form."""

    fields: tuple[tuple[str, str], ...]
    files: tuple[FormFile, ...]

    def get(self, name: str) -> str | None:
        """The last field of this name."""
        values = self.all(name)
        return values[-1] if values else None

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key == name]


async def read_form(
    body: AsyncIterable[bytes],
    content_type: str,
    keep: Keep,
    *,
    field_limit: int = 1 << 20,
    fields: int = 2000,
    file_fields: Callable[[str, str], bool] = lambda name, content_type: False,
) -> FormData:
    """Read a form; each file goes through `keep` (it is `Hosted.draft`) as it arrives.

    A part is a file when it has a filename, or when `file_fields(name, content type)` says so. `field_limit`: bytes
    of one field (16 times as many for all); `fields`: parts. Raises `Invalid` for a malformed or truncated form,
    `TooLarge`; then no draft is left.
    """
    media_type, parameters = _header(content_type)
    if media_type == URLENCODED:
        return FormData(await _urlencoded(body, field_limit, fields), ())
    if media_type != MULTIPART:
        raise Invalid(f"a form is sent as {MULTIPART} or {URLENCODED}, not as {media_type or 'nothing'}")
    found: list[tuple[str, str]] = []
    files: list[FormFile] = []
    budget = TOTAL * field_limit
    async with kept(keep) as draft_of:
        parts = Parts(body, _Multipart(parameters.get("boundary", "")))
        while (head := await parts.begin()) is not None:
            if len(found) + len(files) >= fields:
                raise TooLarge(f"the form has more than {fields} parts")
            if head.filename is not None or file_fields(head.name, head.content_type):
                draft = await draft_of(parts.payload())
                files.append(FormFile(head.name, head.filename or "", head.content_type, draft))
                continue
            value = bytearray()
            async for piece in parts.payload():
                value += piece
                if len(value) > min(field_limit, budget):
                    raise TooLarge(f"the form's field {head.name} is too long")
            budget -= len(value)
            found.append((head.name, head.decode(bytes(value))))
    return FormData(tuple(found), tuple(files))


async def _urlencoded(body: AsyncIterable[bytes], field_limit: int, fields: int) -> tuple[tuple[str, str], ...]:
    whole = bytearray()
    async for chunk in body:
        whole += chunk
        if len(whole) > TOTAL * field_limit:
            raise TooLarge("the form is too long")
    if whole.count(b"&") >= fields:
        raise TooLarge(f"the form has more than {fields} fields")
    try:
        return tuple(parse_qsl(whole.decode("utf-8"), keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError as error:
        raise Invalid("the form is not UTF-8") from error


@dataclass(frozen=True)
class _Head:
    """What the headers of a part say."""

    name: str
    filename: str | None
    content_type: str
    charset: str

    def decode(self, value: bytes) -> str:
        try:
            return value.decode(self.charset)
        except UnicodeDecodeError as error:
            raise Invalid(f"the form's field {self.name} is not {self.charset}") from error


class _Multipart:
    """The parser's callbacks, turned into pieces."""

    def __init__(self, boundary: str) -> None:
        if not boundary or len(boundary) > 200 or not boundary.isascii():
            raise Invalid("the form's Content-Type has no usable boundary")
        self.pieces: deque[Piece[_Head]] = deque()
        self._headers: dict[str, str] = {}
        self._field = self._value = b""
        self._ended = False
        self._parser = MultipartParser(
            boundary.encode("ascii"),
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._data,
                "on_part_end": lambda: self.pieces.append(END),
                "on_end": self._end,
            },
            max_header_count=MAX_HEADERS,
            max_header_size=MAX_HEADER,
        )

    def feed(self, chunk: bytes) -> None:
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise Invalid(f"malformed form: {error}") from error

    def close(self) -> None:
        if not self._ended:
            raise Invalid("the form is truncated: its last boundary is missing")

    def _begin(self) -> None:
        self._headers = {}

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._field.decode("latin-1").lower()] = _text(self._value).strip()
        self._field = self._value = b""

    def _headers_finished(self) -> None:
        self.pieces.append(Begin(_head(self._headers)))

    def _data(self, data: bytes, start: int, end: int) -> None:
        self.pieces.append(data[start:end])

    def _end(self) -> None:
        self._ended = True


def _head(headers: Mapping[str, str]) -> _Head:
    kind, disposition = _header(headers.get("content-disposition", ""))
    if kind != "form-data" or "name" not in disposition:
        raise Invalid("malformed form: a part has no Content-Disposition with a name")
    if headers.get("content-transfer-encoding", "binary").lower() not in ("binary", "8bit", "7bit"):
        raise Invalid("malformed form: parts are sent as they are (RFC 7578, section 4.7)")
    content_type = headers.get("content-type", "")
    charset = _header(content_type)[1].get("charset", "utf-8").lower()
    if charset not in CHARSETS:
        raise Invalid(f"the form's field {disposition['name']} has the unknown charset {charset}")
    return _Head(disposition["name"], _filename(disposition), content_type, charset)


def _filename(disposition: Mapping[str, str]) -> str | None:
    """The name without folders; RFC 5987's `filename*` counts more."""
    name = disposition.get("filename")
    charset, quote, rest = disposition.get("filename*", "").partition("'")
    if quote and charset.lower() in CHARSETS:
        try:
            name = unquote_to_bytes(rest.partition("'")[2]).decode(charset)
        except UnicodeDecodeError as error:
            raise Invalid("malformed form: a filename is not what it says it is") from error
    return None if name is None else re.split(r"[/\\]", name)[-1]


def _header(value: str) -> tuple[str, dict[str, str]]:
    """A header's value in lower case, and its parameters by their name in lower case."""
    kind, semicolon, rest = value.partition(";")
    parameters: dict[str, str] = {}
    for found in _PARAMETER.finditer(semicolon + rest):
        quoted = found[2]
        # Only these two are escapes: others are a path as Windows writes it.
        text = re.sub(r'\\(["\\])', r"\1", quoted) if quoted is not None else found[3].strip()
        parameters.setdefault(found[1].lower(), text)
    return kind.strip().lower(), parameters


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
