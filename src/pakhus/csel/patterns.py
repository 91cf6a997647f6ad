"""Regular expressions whose time is linear in what they are asked about, and what databases may be told of them.

RE2 decides. SQLite calls it; PostgreSQL has a dialect of its own, so that it gets a pattern only where every part means
the same in both (`posix`), and otherwise what all matches begin with (`prefix`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import re2

MEMORY = 256 << 10
"""Bytes for a compiled pattern: what is larger would be slow although it is linear."""
MOST_STATES, MOST_TIMES = 500, 255
"""For patterns that PostgreSQL gets: it would build larger ones for long, and counts no further."""

_TIMES = re.compile(r"\{(\d+)(?:(,)(\d*))?\}")
_WORD, _DIGIT, _BLANK = "0-9A-Za-z_", "0-9", r"\t\n\f\r "
_CLASSES = {"d": _DIGIT, "w": _WORD, "s": _BLANK}
_LEADING = re.compile(r"(?:[0-9A-Za-z_/ -]|\\[^0-9A-Za-z\s])*")
_PLAIN = re.compile(r"[0-9A-Za-z_]")


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MEMORY
    return options


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Any:
    return re2.compile(pattern, _options())


def flaw(pattern: str) -> str | None:
    """Why the pattern is refused, or `None`."""
    try:
        _compiled(pattern)
    except re2.error as error:
        told = error.args[0] if error.args else ""
        return told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
    except UnicodeEncodeError:
        return "it is not UTF-8"
    return None


def matches(pattern: str, text: str) -> bool:
    """Does the pattern match the whole text?"""
    return _compiled(pattern).fullmatch(text) is not None


def prefix(pattern: str) -> str:
    """What all texts that match begin with, as far as it is plain to see: RE2's own range ignores word boundaries."""
    if _has_alternatives(pattern):
        return ""
    found = _LEADING.match(pattern)
    assert found is not None
    plain = found[0]
    if pattern[found.end() : found.end() + 1] in ("*", "?", "{"):
        plain = plain[: -2 if plain[-2:-1] == "\\" else -1]
    return re.sub(r"\\(.)", r"\1", plain)


def _has_alternatives(pattern: str) -> bool:
    """Is there a `|` outside of all groups? Where that is not plain to see, yes: a prefix is only left unknown."""
    if "|" in pattern and ("[" in pattern or "\\Q" in pattern):
        return True
    depth = 0
    for character in re.sub(r"\\.", "", pattern, flags=re.S):
        depth += (character == "(") - (character == ")")
        if character == "|" and depth <= 0:
            return True
    return False


@lru_cache(maxsize=1024)
def posix(pattern: str) -> str | None:
    """The pattern for PostgreSQL's `~`, if it means exactly the same there."""
    if not pattern.isascii() or _compiled(pattern).programsize > MOST_STATES:
        return None
    try:
        return f"^(?:{_Translation(pattern).whole()})$"
    except _Untranslatable:
        return None


class _Untranslatable(Exception):
    pass


class _Translation:
    """A walk over a pattern that RE2 has accepted. Texts have no line ends, and laziness changes no whole match."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._position = 0

    def whole(self) -> str:
        found = self._alternatives()
        if self._position != len(self._pattern):
            raise _Untranslatable
        return found

    def _peek(self) -> str:
        return self._pattern[self._position : self._position + 1]

    def _next(self) -> str:
        character = self._peek()
        if not character:
            raise _Untranslatable
        self._position += 1
        return character

    def _alternatives(self) -> str:
        found = [self._sequence()]
        while self._peek() == "|":
            self._position += 1
            found.append(self._sequence())
        return "|".join(found)

    def _sequence(self) -> str:
        found: list[str] = []
        while self._peek() not in ("", "|", ")"):
            atom = self._atom()
            times = self._times()
            if times and atom in ("^", "$"):
                raise _Untranslatable
            found.append(atom + times)
        return "".join(found)

    def _atom(self) -> str:
        character = self._next()
        if character == "(":
            return self._group()
        if character == "[":
            return self._set()
        if character == "\\":
            return self._escaped()
        if character == ".":
            return r"[^\n]"
        if character in "^$":
            return character
        if character in "*+?{}]":
            raise _Untranslatable
        return _literal(character)

    def _group(self) -> str:
        if self._peek() == "?":
            if not self._pattern.startswith("?:", self._position):
                raise _Untranslatable
            self._position += 2
        inner = self._alternatives()
        if self._next() != ")":
            raise _Untranslatable
        return f"(?:{inner})"

    def _escaped(self) -> str:
        character = self._next()
        if character in _CLASSES:
            return f"[{_CLASSES[character]}]"
        if character.lower() in _CLASSES:
            return f"[^{_CLASSES[character.lower()]}]"
        if character.isalnum():
            raise _Untranslatable
        return _literal(character)

    def _set(self) -> str:
        negated = "^" if self._peek() == "^" else ""
        self._position += len(negated)
        if self._peek() == "]":
            raise _Untranslatable
        found: list[str] = []
        while self._peek() != "]":
            found.append(self._member())
        self._position += 1
        return f"[{negated}{''.join(found)}]"

    def _member(self) -> str:
        """A character, a range, or a class."""
        low = self._next()
        if low == "[":
            raise _Untranslatable
        if low == "\\":
            low = self._next()
            if low in _CLASSES:
                return _CLASSES[low]
            if low.isalnum():
                raise _Untranslatable
            return _literal(low)
        if self._peek() != "-" or self._pattern.startswith("-]", self._position):
            return _literal(low)
        self._position += 1
        high = self._peek()
        if not (_PLAIN.match(low) and _PLAIN.match(high)):
            raise _Untranslatable
        self._position += 1
        return f"{low}-{high}"

    def _times(self) -> str:
        """A quantifier without what makes it lazy, which changes no whole match; never two of them."""
        character = self._peek()
        if character in ("*", "+", "?"):
            self._position += 1
            found = character
        elif character == "{":
            told = _TIMES.match(self._pattern, self._position)
            if told is None or any(int(number) > MOST_TIMES for number in (told[1], told[3]) if number):
                raise _Untranslatable
            self._position = told.end()
            found = told[0]
        else:
            return ""
        if self._peek() == "?":
            self._position += 1
        if self._peek() in ("*", "+", "?", "{"):
            raise _Untranslatable
        return found


def _literal(character: str) -> str:
    if ord(character) < 0x20 or ord(character) == 0x7F:
        raise _Untranslatable
    return character if _PLAIN.match(character) or character in " /" else "\\" + character
