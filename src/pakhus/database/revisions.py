"""Revisions: what a document's edition rests on. A name's revision changes with every change of its components."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Executable, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from pakhus.database.tables import revision
from pakhus.database.transaction import Transaction
from pakhus.domain.content import Coordinates, Query

SEPARATOR = "\x1f"
_VALUE = select(revision.c.value, revision.c.changed).where(
    revision.c.repository_id == bindparam("repository"), revision.c.key == bindparam("key")
)


def _bump(insert: Any) -> Executable:
    """Insert the first revision of a key, or count up."""
    first = insert(revision)
    again = {"value": revision.c.value + 1, "changed": first.excluded.changed}
    counted: Executable = first.on_conflict_do_update(index_elements=["repository_id", "key"], set_=again)
    return counted


_BUMP = {"sqlite": _bump(sqlite.insert), "postgresql": _bump(postgresql.insert)}


def key_of(query: Query) -> str:
    """The narrowest revision that covers all components of a query."""
    if query.name is not None:
        return f"n{SEPARATOR}{query.name}"
    if query.namespace is not None:
        return f"s{SEPARATOR}{query.namespace}"
    return ""


def key_of_set(folder: str) -> str:
    """The revision of a document set: it changes with the components that the set says are its own."""
    return f"d{SEPARATOR}{folder}"


def current(tx: Transaction, repository_id: int, key: str) -> tuple[int, datetime | None]:
    """The revision (0 before the first change) and when it changed."""
    row = tx.execute(_VALUE, {"repository": repository_id, "key": key}).first()
    return (0, None) if row is None else (row.value, row.changed)


def bump(tx: Transaction, repository_id: int, changed: set[Coordinates], sets: Iterable[str] = ()) -> None:
    """All that rests on these components is of a new edition, and so are the document sets of these folders."""
    keys = {"", *(key_of_set(folder) for folder in sets)}
    for coordinates in changed:
        keys.add(f"n{SEPARATOR}{coordinates.name}")
        keys.add(f"s{SEPARATOR}{coordinates.namespace}")
    rows = [{"repository_id": repository_id, "key": key, "value": 1, "changed": tx.now} for key in sorted(keys)]
    tx.execute(_BUMP[tx.dialect], rows)
