"""Narrowing lists to the paths that somebody may see: reaches (see `domain.security`) as conditions on a column.

SQLite asks RE2 itself. PostgreSQL gets a regular expression only where it means the same there; otherwise the prefix of
what could match. So a condition may let through more than the reach, never less: whoever reads asks `holds` again, and
`is_exact` tells when that is not needed to fill a page.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, or_, true

from pakhus.csel import Comparison, Every, Expression, Operator, Subject, patterns
from pakhus.domain.security import Reach

MATCHES = "csel_matches"
MOST = 200
"""Comparisons in a condition: databases bound how deep one may be, and a larger one would cost more than it saves."""
LAST = "\U0010ffff"
"""Sorts after every character that a path may have."""


def prepare(connection: sqlite3.Connection) -> None:
    """Teach a connection the function that conditions call."""
    connection.create_function(MATCHES, 2, patterns.matches, deterministic=True)


def within(path: ColumnElement[str], reach: Reach, dialect: str) -> ColumnElement[bool]:
    """The condition on a column of paths, which have no leading slash."""
    if isinstance(reach, bool):
        return true() if reach else false()
    return true() if _size(reach) > MOST else _condition(path, reach, dialect)


def _condition(path: ColumnElement[str], expression: Expression, dialect: str) -> ColumnElement[bool]:
    if isinstance(expression, Comparison):
        return _compared(path, expression, dialect)
    parts = [_condition(path, part, dialect) for part in expression.parts]
    return and_(true(), *parts) if isinstance(expression, Every) else or_(false(), *parts)


def is_exact(reach: Reach, dialect: str) -> bool:
    """Does the condition say no more and no less than the reach?"""
    if isinstance(reach, bool):
        return True
    return _size(reach) <= MOST and (dialect == "sqlite" or _is_translated(reach))


def _is_translated(expression: Expression) -> bool:
    if isinstance(expression, Comparison):
        return expression.operator is not Operator.MATCHES or patterns.posix(expression.text) is not None
    return all(map(_is_translated, expression.parts))


def _size(expression: Expression) -> int:
    """How many comparisons it has."""
    return 1 if isinstance(expression, Comparison) else sum(map(_size, expression.parts))


def _compared(path: ColumnElement[str], comparison: Comparison, dialect: str) -> ColumnElement[bool]:
    assert comparison.subject is Subject.PATH, "formats are compared before"
    slash, text = comparison.text[:1], comparison.text[1:]
    match comparison.operator:
        case Operator.EQUAL:
            return path == text if slash == "/" else false()
        case Operator.UNEQUAL:
            return path != text if slash == "/" else true()
        case Operator.STARTS:
            return _starting(path, comparison.text)
        case Operator.MATCHES:
            return and_(_starting(path, patterns.prefix(comparison.text)), _matching(path, comparison.text, dialect))


def _starting(path: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """A prefix as a range, which an index finds; `text` has its leading slash."""
    slash, rest = text[:1], text[1:]
    if not rest:
        return true() if slash in ("", "/") else false()
    return and_(path >= rest, path < rest + LAST) if slash == "/" else false()


def _matching(path: ColumnElement[str], pattern: str, dialect: str) -> ColumnElement[bool]:
    whole: Any = "/" + path
    if dialect == "sqlite":
        matched: ColumnElement[bool] = getattr(func, MATCHES)(pattern, whole) == 1
        return matched
    translated = patterns.posix(pattern)
    return true() if translated is None else whole.regexp_match(translated)
