"""Rules on claims: which values a token must have, and why one does not have them.

A rule's pattern is a string with `*` (any text) and `?` (one character); all else stands for itself. It is matched
against the whole value. There are no regular expressions: one that is slow would be everybody's outage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pakhus.domain.errors import Invalid
from pakhus.services.federation.jwt import texts_of

LONGEST_PATTERN = 512
LONGEST_VALUE = 4096


def matches(pattern: str, value: str) -> bool:
    """Does the whole value match? Linear in practice, quadratic at worst: the last `*` is the only way back."""
    if len(value) > LONGEST_VALUE:
        return False
    at = mark = 0
    star = -1
    for_ever = len(pattern)
    while at < len(value):
        if mark < for_ever and pattern[mark] == "*":
            star, back = mark, at
            mark += 1
        elif mark < for_ever and pattern[mark] in ("?", value[at]):
            mark += 1
            at += 1
        elif star >= 0:
            back += 1
            mark, at = star + 1, back
        else:
            return False
    return all(each == "*" for each in pattern[mark:])


def value_at(claims: Mapping[str, Any], path: str) -> Any:
    """The claim of that name, or what a path of names leads to: `realm_access.roles`, `/a.b/c` (with dots in names)."""
    if path in claims:
        return claims[path]
    names = path[1:].split("/") if path.startswith("/") else path.split(".")
    found: Any = claims
    for name in names:
        if not isinstance(found, Mapping) or name not in found:
            return None
        found = found[name]
    return found


@dataclass(frozen=True, slots=True)
class Bound:
    """A claim that must have one of the values. A claim that is a list must hold one that matches."""

    claim: str
    patterns: tuple[str, ...]

    def flaw(self, claims: Mapping[str, Any]) -> str | None:
        """What does not match, in words for an administrator; `None` if it matches."""
        found = value_at(claims, self.claim)
        wanted = " or ".join(repr(each) for each in self.patterns)
        if found is None:
            return f"claim '{self.claim}' is missing (wanted {wanted})"
        if any(matches(pattern, value) for pattern in self.patterns for value in _texts(found)):
            return None
        return f"claim '{self.claim}' is {repr(found)[:200]} (wanted {wanted})"


def bound_claims(given: Mapping[str, Any]) -> tuple[Bound, ...]:
    """From JSON: claim → pattern, or a list of them. Raises `Invalid`."""
    return tuple(Bound(claim, _patterns(claim, patterns)) for claim, patterns in given.items())


def _patterns(claim: str, given: Any) -> tuple[str, ...]:
    listed: Sequence[Any] = given if isinstance(given, list | tuple) else [given]
    if not listed:
        raise Invalid(f"claim '{claim}' has no value that it could match", field="bound_claims")
    return tuple(_pattern(claim, each) for each in listed)


def _pattern(claim: str, given: Any) -> str:
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, int):
        return str(given)
    if not isinstance(given, str) or not given or len(given) > LONGEST_PATTERN:
        raise Invalid(f"claim '{claim}' is matched by text of at most {LONGEST_PATTERN} letters", field="bound_claims")
    return given


def _texts(value: Any) -> tuple[str, ...]:
    """A value as text to be matched: numbers and truth as JSON writes them."""
    if isinstance(value, bool):
        return ("true" if value else "false",)
    if isinstance(value, int):
        return (str(value),)
    if isinstance(value, list):
        return tuple(text for each in value[:1000] if not isinstance(each, list) for text in _texts(each))
    return texts_of(value)
