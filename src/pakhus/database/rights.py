"""Privileges and content selectors: rows to and from the domain's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from pakhus.csel import Either, Expression, Unsupported, parsed
from pakhus.database.tables import content_selector, privilege, role
from pakhus.database.transaction import Transaction
from pakhus.domain.security import ContentSelector

SELECTING = "repository-content-selector"
"""The type of privilege that a content selector narrows; its property `contentSelector` names it."""


@dataclass(frozen=True, slots=True)
class PrivilegeRow:
    """A privilege that an administrator made; the built-in ones follow from their names."""

    name: str
    type: str
    description: str = ""
    read_only: bool = False
    properties: Mapping[str, Any] = field(default_factory=dict)
    selector: ContentSelector | None = None


def privileges(tx: Transaction) -> list[PrivilegeRow]:
    """All that were made, by name, with their selectors."""
    known = {each.name: each for each in selectors(tx)}
    return [
        PrivilegeRow(
            row.name,
            row.type,
            row.description,
            row.read_only,
            row.properties,
            known.get(row.properties.get("contentSelector", "")) if row.type == SELECTING else None,
        )
        for row in tx.rows(select(privilege).order_by(privilege.c.name))
    ]


def put_privilege(tx: Transaction, changed: PrivilegeRow) -> None:
    """Insert the privilege, or change all of the one with this name."""
    tx.configures = True
    values = {
        "type": changed.type,
        "description": changed.description,
        "read_only": changed.read_only,
        "properties": dict(changed.properties),
    }
    if not tx.execute(update(privilege).where(privilege.c.name == changed.name).values(**values)).rowcount:
        tx.execute(insert(privilege).values(name=changed.name, **values))


def remove_privilege(tx: Transaction, name: str) -> None:
    """The privilege, and its name wherever a role has it."""
    tx.configures = True
    tx.execute(delete(privilege).where(privilege.c.name == name))
    withdraw(tx, [name])


def withdraw(tx: Transaction, names: Sequence[str]) -> None:
    """Take privileges out of every role."""
    tx.configures = True
    gone = set(names)
    for row in tx.rows(select(role.c.id, role.c.privileges)):
        if gone & set(row.privileges):
            left = [name for name in row.privileges if name not in gone]
            tx.execute(update(role).where(role.c.id == row.id).values(privileges=left))


def selectors(tx: Transaction) -> list[ContentSelector]:
    """All content selectors, by name."""
    return [_selector(row) for row in tx.rows(select(content_selector).order_by(content_selector.c.name))]


def selector(tx: Transaction, name: str) -> ContentSelector | None:
    row = tx.one(select(content_selector).where(content_selector.c.name == name))
    return None if row is None else _selector(row)


def put_selector(tx: Transaction, changed: ContentSelector) -> None:
    """Insert the selector, or change description and expression of the one with this name."""
    tx.configures = True
    values = {"description": changed.description, "expression": changed.text}
    where = content_selector.c.name == changed.name
    if not tx.execute(update(content_selector).where(where).values(**values)).rowcount:
        tx.execute(insert(content_selector).values(name=changed.name, **values))


def remove_selector(tx: Transaction, name: str) -> None:
    tx.configures = True
    tx.execute(delete(content_selector).where(content_selector.c.name == name))


def _selector(row: Row[Any]) -> ContentSelector:
    """An expression that cannot be read any more selects nothing: rights stay readable, and narrow."""
    try:
        expression: Expression = parsed(row.expression)
    except Unsupported:
        expression = Either(())
    return ContentSelector(row.name, row.expression, expression, row.description)
