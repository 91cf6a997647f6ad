"""Tags: names that components are given, with attributes of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from pakhus.database.keeping import tag, tagged
from pakhus.database.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Tag:
    name: str
    attributes: Mapping[str, Any]
    created: datetime
    updated: datetime


def page(tx: Transaction, *, after: str, limit: int) -> list[Tag]:
    """Tags in the order of their names, from the one after `after`."""
    statement = select(tag).where(tag.c.name > after).order_by(tag.c.name).limit(limit)
    return [_from_row(row) for row in tx.rows(statement)]


def get(tx: Transaction, name: str) -> Tag | None:
    row = tx.one(select(tag).where(tag.c.name == name))
    return None if row is None else _from_row(row)


def create(tx: Transaction, name: str, attributes: Mapping[str, Any]) -> Tag | None:
    """The new tag; `None` when there is one of this name."""
    if get(tx, name) is not None:
        return None
    tx.execute(insert(tag).values(name=name, attributes=dict(attributes), created=tx.now, updated=tx.now))
    return get(tx, name)


def change(tx: Transaction, name: str, attributes: Mapping[str, Any]) -> bool:
    values = {"attributes": dict(attributes), "updated": tx.now}
    return tx.execute(update(tag).where(tag.c.name == name).values(**values)).rowcount > 0


def remove(tx: Transaction, name: str) -> bool:
    return tx.execute(delete(tag).where(tag.c.name == name)).rowcount > 0


def purge(tx: Transaction, created_before: datetime | None, updated_before: datetime | None) -> int:
    """Remove the tags that were made, or last changed, before these times; how many."""
    conditions = [
        column < limit
        for column, limit in ((tag.c.created, created_before), (tag.c.updated, updated_before))
        if limit is not None
    ]
    return tx.execute(delete(tag).where(*conditions)).rowcount if conditions else 0


def associate(tx: Transaction, name: str, component_ids: Sequence[int]) -> None:
    """Give the tag to components; those that have it keep it."""
    statement = select(tagged.c.component_id).where(tagged.c.tag == name, tagged.c.component_id.in_(component_ids))
    known = {row.component_id for row in tx.rows(statement)}
    rows = [{"tag": name, "component_id": each} for each in dict.fromkeys(component_ids) if each not in known]
    if rows:
        tx.execute(insert(tagged), rows)
    tx.execute(update(tag).where(tag.c.name == name).values(updated=tx.now))


def dissociate(tx: Transaction, name: str, component_ids: Sequence[int]) -> None:
    tx.execute(delete(tagged).where(tagged.c.tag == name, tagged.c.component_id.in_(component_ids)))


def of_components(tx: Transaction, component_ids: Sequence[int]) -> dict[int, list[str]]:
    """The tags of some components, in the order of their names."""
    found: dict[int, list[str]] = {}
    for start in range(0, len(component_ids), 500):
        statement = select(tagged).where(tagged.c.component_id.in_(component_ids[start : start + 500]))
        for row in tx.rows(statement.order_by(tagged.c.tag)):
            found.setdefault(row.component_id, []).append(row.tag)
    return found


def _from_row(row: Row[Any]) -> Tag:
    return Tag(row.name, row.attributes, row.created, row.updated)
