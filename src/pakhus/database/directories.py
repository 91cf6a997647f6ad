"""LDAP servers: what an administrator configured, in the order in which they are asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select, update

from pakhus.database.tables import ldap_server
from pakhus.database.transaction import Transaction


@dataclass(frozen=True, slots=True)
class ServerRow:
    """`settings` with its secrets sealed."""

    id: str
    name: str
    position: int
    settings: Mapping[str, Any]


def servers(tx: Transaction) -> list[ServerRow]:
    return [ServerRow(**row._mapping) for row in tx.rows(select(ldap_server).order_by(ldap_server.c.position))]


def put_server(tx: Transaction, changed: ServerRow) -> None:
    tx.configures = True
    values = {"name": changed.name, "position": changed.position, "settings": dict(changed.settings)}
    if not tx.execute(update(ldap_server).where(ldap_server.c.id == changed.id).values(**values)).rowcount:
        tx.execute(insert(ldap_server).values(id=changed.id, **values))


def remove_server(tx: Transaction, id: str) -> None:
    tx.configures = True
    tx.execute(delete(ldap_server).where(ldap_server.c.id == id))


def order_servers(tx: Transaction, ids: Sequence[str]) -> None:
    tx.configures = True
    for position, id in enumerate(ids, 1):
        tx.execute(update(ldap_server).where(ldap_server.c.id == id).values(position=position))
