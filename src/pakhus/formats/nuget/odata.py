"""Filters and orders of the feed: the part of OData 2.0's expression language that NuGet's clients write.

Source: OData 2.0, "URI Conventions", section 4.5 ($filter) and 4.2 ($orderby). Text is compared without regard to case,
as the public gallery does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pakhus.domain.errors import Invalid
from pakhus.formats.nuget.names import normal
from pakhus.kit.versions import nuget_key

Row = Mapping[str, Any]
Value = Callable[[Row], Any]
MAX_LENGTH, MAX_DEPTH = 16_384, 64
_TOKEN = re.compile(r"\s*(?:datetime)?(?:('(?:[^']|'')*')|(-?\d+(?:\.\d+)?)[LlMmDdFf]?|([A-Za-z_][\w/]*)|([(),]))")

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "tolower": lambda text: _text(text),
    "toupper": lambda text: _text(text).upper(),
    "trim": lambda text: _text(text).strip(),
    "length": lambda text: len(_text(text)),
    "startswith": lambda text, start: _text(text).startswith(_text(start)),
    "endswith": lambda text, end: _text(text).endswith(_text(end)),
    "substringof": lambda part, text: _text(part) in _text(text),
    "indexof": lambda text, part: _text(text).find(_text(part)),
    "concat": lambda one, other: _text(one) + _text(other),
}
COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: _comparable(a) == _comparable(b),
    "ne": lambda a, b: _comparable(a) != _comparable(b),
    "gt": lambda a, b: _below(b, a),
    "lt": lambda a, b: _below(a, b),
    "ge": lambda a, b: not _below(a, b),
    "le": lambda a, b: not _below(b, a),
}
CONSTANTS = {"true": True, "false": False, "null": None}


def _text(value: Any) -> str:
    return "" if value is None else str(value).lower()


def _comparable(value: Any) -> Any:
    return (value or "").lower() if value is None or isinstance(value, str) else value


def _below(a: Any, b: Any) -> bool:
    a, b = _comparable(a), _comparable(b)
    if isinstance(a, str) and isinstance(b, str):
        return (nuget_key(a) < nuget_key(b)) if normal(a) and normal(b) else a < b
    if isinstance(a, str) or isinstance(b, str):
        return False
    return bool(a < b)


def literal(text: str) -> str:
    """`'it''s'` → `it's`; text without quotes as it is."""
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    return text


class Filter:
    """A parsed `$filter`. Raises `Invalid` for what is not understood."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise Invalid("the $filter is too long", field="$filter")
        self._tokens = _tokens(text)
        self._position = self._depth = 0
        self.matches: Value = self._either() if self._tokens else lambda row: True
        if self._position < len(self._tokens):
            raise Invalid(f"the $filter cannot be understood at {self._tokens[self._position]!r}", field="$filter")

    def _peek(self) -> str:
        return self._tokens[self._position] if self._position < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._position += 1
        return token

    def _expect(self, token: str) -> None:
        if self._next() != token:
            raise Invalid(f"the $filter lacks a {token!r}", field="$filter")

    def _either(self) -> Value:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Invalid("the $filter is nested too deep", field="$filter")
        terms = [self._all()]
        while self._peek() == "or":
            self._next()
            terms.append(self._all())
        self._depth -= 1
        return terms[0] if len(terms) == 1 else lambda row: any(term(row) for term in terms)

    def _all(self) -> Value:
        terms = [self._negated()]
        while self._peek() == "and":
            self._next()
            terms.append(self._negated())
        return terms[0] if len(terms) == 1 else lambda row: all(term(row) for term in terms)

    def _negated(self) -> Value:
        if self._peek() != "not":
            return self._comparison()
        self._next()
        # Not recursive: a run of "not" is no nesting.
        inner = self._comparison()
        return lambda row: not inner(row)

    def _comparison(self) -> Value:
        left = self._operand()
        compare = COMPARISONS.get(self._peek())
        if compare is None:
            return left
        self._next()
        right = self._operand()
        return lambda row: compare(left(row), right(row))

    def _operand(self) -> Value:
        word = self._next()
        if word == "(":
            inner = self._either()
            self._expect(")")
            return inner
        if word[:1] == "'":
            text = literal(word)
            return lambda row: text
        if word[:1].isdigit() or word[:1] == "-":
            number = float(word)
            return lambda row: number
        if word in CONSTANTS:
            constant = CONSTANTS[word]
            return lambda row: constant
        if self._peek() == "(":
            return self._call(word)
        if not word or not word[0].isalpha():
            raise Invalid(f"the $filter cannot be understood at {word!r}", field="$filter")
        name = word
        return lambda row: row.get(name)

    def _call(self, name: str) -> Value:
        function = FUNCTIONS.get(name)
        if function is None:
            raise Invalid(f"the $filter has the unknown function {name}", field="$filter")
        self._expect("(")
        arguments = [self._either()]
        while self._peek() == ",":
            self._next()
            arguments.append(self._either())
        self._expect(")")
        if len(arguments) != function.__code__.co_argcount:
            raise Invalid(f"{name} does not take {len(arguments)} arguments", field="$filter")
        return lambda row: function(*(argument(row) for argument in arguments))


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    position, text = 0, text.strip()
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise Invalid(f"the $filter cannot be understood at {text[position : position + 20]!r}", field="$filter")
        found.append(next(each for each in token.groups() if each is not None))
        position = token.end()
        while position < len(text) and text[position].isspace():
            position += 1
    return found


def ordering(text: str) -> list[tuple[str, bool]]:
    """The properties to sort by, most important first; true for descending."""
    found = []
    for part in text.split(","):
        name, *direction = part.split()[:2] or [""]
        if name:
            found.append((name, direction == ["desc"]))
    return found


def sort(rows: Sequence[Row], text: str) -> list[Row]:
    """In the order of `$orderby`; versions by their own rules; otherwise as they come."""
    result = list(rows)
    for name, descending in reversed(ordering(text)):
        result.sort(key=lambda row, name=name: _sortable(name, row.get(name)), reverse=descending)  # type: ignore[misc]
    return result


def _sortable(name: str, value: Any) -> Any:
    if name in ("Version", "NormalizedVersion"):
        return nuget_key(str(value))
    return (0, 0, _text(value)) if value is None or isinstance(value, str) else (1, value, "")


def named_id(text: str) -> str | None:
    """The one package that a filter is about (`Id eq 'x'`, also in lower case), if it is about one."""
    if re.search(r"\b(?:or|not)\b", text):
        return None
    found = re.search(r"(?:^|[\s(])(?:tolower\(\s*Id\s*\)|Id)\s+eq\s+('(?:[^']|'')*')", text)
    return literal(found[1]) if found else None
