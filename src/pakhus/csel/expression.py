"""An expression as a tree, what it says of one path, and what is left of it once the format is known.

There is no negation: a comparison that is taken for more than it says makes the whole expression say more, never less.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from pakhus.csel import patterns


class Subject(StrEnum):
    FORMAT = "format"
    PATH = "path"


class Operator(StrEnum):
    EQUAL = "=="
    UNEQUAL = "!="
    MATCHES = "=~"
    STARTS = "=^"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A subject compared with a text; for `=~` a regular expression that matches the whole subject."""

    subject: Subject
    operator: Operator
    text: str


@dataclass(frozen=True, slots=True)
class Every:
    """All parts hold."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One part holds at least."""

    parts: tuple[Expression, ...]


Expression: TypeAlias = Comparison | Every | Either


def holds(expression: Expression, format: str, path: str) -> bool:
    """Does it hold for a path, which has its leading slash?"""
    if isinstance(expression, Every):
        return all(holds(part, format, path) for part in expression.parts)
    if isinstance(expression, Either):
        return any(holds(part, format, path) for part in expression.parts)
    return _compared(expression, format if expression.subject is Subject.FORMAT else path)


def narrowed(expression: Expression, format: str) -> Expression | bool:
    """What remains to be asked of a path in a repository of this format."""
    if isinstance(expression, Comparison):
        return _compared(expression, format) if expression.subject is Subject.FORMAT else expression
    parts = (narrowed(part, format) for part in expression.parts)
    return every(parts) if isinstance(expression, Every) else either(parts)


def every(parts: Iterable[Expression | bool]) -> Expression | bool:
    """All of them, as one."""
    left: list[Expression] = []
    for part in parts:
        if part is False:
            return False
        if part is not True:
            left.append(part)
    return True if not left else left[0] if len(left) == 1 else Every(tuple(left))


def either(parts: Iterable[Expression | bool]) -> Expression | bool:
    """One of them, as one."""
    left: list[Expression] = []
    for part in parts:
        if part is True:
            return True
        if part is not False:
            left.append(part)
    return False if not left else left[0] if len(left) == 1 else Either(tuple(left))


def _compared(comparison: Comparison, value: str) -> bool:
    match comparison.operator:
        case Operator.EQUAL:
            return value == comparison.text
        case Operator.UNEQUAL:
            return value != comparison.text
        case Operator.STARTS:
            return value.startswith(comparison.text)
        case Operator.MATCHES:
            return patterns.matches(comparison.text, value)
