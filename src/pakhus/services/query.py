"""The words of a search: what a value of a parameter means, as alternatives of texts and patterns.

Blanks separate alternatives, quotes make a phrase of them, `*` and `?` are wildcards, a backslash takes the meaning
from what follows it. An empty value means "is empty". The keyword `q` is split at more characters, and wants all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pakhus.domain.errors import Invalid

MANY, ONE = "*", "?"
KEYWORD_SEPARATORS = frozenset(" \t\n,-/")
BLANKS = frozenset(" \t\n")
MOST_TERMS, MOST_WILDCARDS, LONGEST = 50, 8, 1000
"""More is a mistake or an attack: what a database does for a pattern grows with each wildcard."""


@dataclass(frozen=True, slots=True)
class Term:
    """A text in lower case (see `folded`): `pieces` is its parts between wildcards, and those wildcards."""

    pieces: tuple[tuple[bool, str], ...]
    """(is it a wildcard, text)"""

    @property
    def plain(self) -> str | None:
        """The text to be equal to, or `None` for a pattern."""
        if any(wild for wild, _ in self.pieces):
            return None
        return "".join(text for _, text in self.pieces)


@dataclass(frozen=True, slots=True)
class Words:
    """Alternatives, any of which may match; none at all means "is empty"."""

    terms: tuple[Term, ...]


def parsed(value: str) -> Words:
    """The value of any parameter but the keyword. Also the whole value is an alternative: names may have blanks."""
    terms = _bounded(value, BLANKS)
    return Words(terms if len(terms) < 2 else (*_terms(value, frozenset()), *terms))


def keywords(value: str) -> tuple[Term, ...]:
    """The terms of the keyword, all of which have to be found."""
    return _bounded(value, KEYWORD_SEPARATORS)


def _bounded(value: str, separators: frozenset[str]) -> tuple[Term, ...]:
    """The terms of a value. Raises `Invalid` when it is too much."""
    if len(value) > LONGEST:
        raise Invalid(f"a search value has {LONGEST} characters at most")
    terms = tuple(_terms(value, separators))
    if len(terms) > MOST_TERMS:
        raise Invalid(f"a search value has {MOST_TERMS} words at most")
    if sum(wild for term in terms for wild, _ in term.pieces) > MOST_WILDCARDS:
        raise Invalid(f"a search value has {MOST_WILDCARDS} wildcards at most")
    return terms


def _terms(value: str, separators: frozenset[str]) -> Iterator[Term]:
    pieces: list[tuple[bool, str]] = []
    quoted = escaped = False
    for character in value:
        if escaped:
            _append(pieces, character)
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character in separators and not quoted:
            if pieces:
                yield Term(tuple(pieces))
            pieces = []
        elif character in (MANY, ONE) and not quoted:
            if not (character == MANY and pieces and pieces[-1] == (True, MANY)):
                pieces.append((True, character))
        else:
            _append(pieces, character)
    if pieces:
        yield Term(tuple(pieces))


def folded(text: str) -> str:
    """In lower case as databases do it: letters of other alphabets stay as they are."""
    return "".join(character.lower() if character.isascii() else character for character in text)


def _append(pieces: list[tuple[bool, str]], character: str) -> None:
    text = folded(character)
    if pieces and not pieces[-1][0]:
        pieces[-1] = (False, pieces[-1][1] + text)
    else:
        pieces.append((False, text))
