"""Changes of audited tables: whoever writes one, what its rows were and are is recorded with it.

A table says so where it is defined: `info={"audited": "cleanup_policy"}` makes `cleanup_policy.created`, `.updated` and
`.deleted` events, with the key as their subject. Tables whose changes are told in words of their own call
`Transaction.changed` instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import CursorResult, Executable, Row, Select, Table, Update, and_, select
from sqlalchemy.sql.dml import Insert, UpdateBase

if TYPE_CHECKING:
    from pakhus.database.transaction import Transaction

AUDITED = "audited"
MOST = 100
"""Rows of one statement that are shown one by one."""


def kind_of(statement: Executable) -> str | None:
    """The kind of objects that a statement changes, where its table is audited."""
    if not getattr(statement, "is_dml", False):
        return None
    found: str | None = cast(Table, cast(UpdateBase, statement).table).info.get(AUDITED)
    return found


def executed(tx: Transaction, kind: str, statement: Executable, parameters: Any) -> CursorResult[Any]:
    """Run the statement, and record what it changes."""
    table = cast(Table, cast(UpdateBase, statement).table)
    if isinstance(statement, Insert):
        return _inserted(tx, kind, table, statement, parameters)
    if isinstance(parameters, list):
        tx.record(f"{kind}.updated", rows=len(parameters))
        return tx.connection.execute(statement, parameters)
    found = select(table).limit(MOST)
    if (where := cast(Update, statement).whereclause) is not None:
        found = found.where(where)
    before = {_key(table, row): row for row in _rows(tx, found, parameters)}
    result = tx.connection.execute(statement, parameters)
    for key, row in before.items():
        same = and_(*(column == value for column, value in zip(table.primary_key, key, strict=True)))
        after = next(iter(_rows(tx, select(table).where(same), None)), None)
        if after != row:
            tx.changed(kind, _subject(key), _shown(row), None if after is None else _shown(after))
    return result


def _inserted(tx: Transaction, kind: str, table: Table, statement: Insert, parameters: Any) -> CursorResult[Any]:
    result = tx.connection.execute(statement, parameters)
    given = parameters if isinstance(parameters, list) else [parameters or {}]
    values = statement.compile(dialect=tx.connection.dialect).params if not parameters else {}
    for each in given[:MOST]:
        row = {name: value for name, value in {**values, **each}.items() if name in table.c}
        key = [str(row[column.name]) for column in table.primary_key if row.get(column.name) is not None]
        tx.changed(kind, _subject(key) or str(row.get("name", "")), None, row)
    return result


def _rows(tx: Transaction, statement: Select[Any], parameters: Any) -> list[Row[Any]]:
    return list(tx.connection.execute(statement, parameters))


def _key(table: Table, row: Row[Any]) -> tuple[Any, ...]:
    return tuple(row._mapping[column] for column in table.primary_key)


def _subject(key: Any) -> str:
    return "/".join(str(part) for part in key)


def _shown(row: Row[Any]) -> Mapping[str, Any]:
    return dict(row._mapping)
