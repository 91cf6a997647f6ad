"""Tasks and their runs: rows to and from the domain's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from pakhus.database import leases
from pakhus.database.keeping import task
from pakhus.database.tables import lease
from pakhus.database.transaction import Transaction


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task and its last run. `definition` is what the REST API took beside id, type, name and enabled."""

    id: str
    type: str
    name: str
    enabled: bool
    definition: Mapping[str, Any] = field(default_factory=dict)
    next_run: datetime | None = None
    running: bool = False
    stopping: bool = False
    last_run: datetime | None = None
    last_result: str = ""
    message: str = ""


def everything(tx: Transaction) -> list[TaskRow]:
    """All tasks, by name."""
    return [_from_row(row) for row in tx.rows(select(task).order_by(task.c.name, task.c.id))]


def get(tx: Transaction, id: str) -> TaskRow | None:
    row = tx.one(select(task).where(task.c.id == id))
    return None if row is None else _from_row(row)


def put(tx: Transaction, new: TaskRow) -> None:
    """Insert the task, or change the one with this identity; its last run stays."""
    tx.quiet = True
    values = {
        "type": new.type,
        "name": new.name,
        "enabled": new.enabled,
        "definition": dict(new.definition),
        "next_run": new.next_run,
    }
    if not tx.execute(update(task).where(task.c.id == new.id).values(**values)).rowcount:
        fresh = {"running": False, "stopping": False, "last_run": None, "last_result": "", "message": ""}
        tx.execute(insert(task).values(id=new.id, created=tx.now, **values, **fresh))


def remove(tx: Transaction, id: str) -> bool:
    tx.quiet = True
    return tx.execute(delete(task).where(task.c.id == id)).rowcount > 0


def due(tx: Transaction) -> list[TaskRow]:
    """Those whose time has come, and those whose runner has died: they say that they run, and nobody holds them."""
    statement = select(task).where(
        (task.c.enabled.is_(True) & (task.c.next_run <= tx.now) & task.c.running.is_(False)) | task.c.running.is_(True)
    )
    held = {row.name for row in tx.rows(select(lease.c.name).where(lease.c.expires >= tx.now))}
    return [_from_row(row) for row in tx.rows(statement.order_by(task.c.next_run)) if lease_of(row.id) not in held]


def lease_of(id: str) -> str:
    return f"task {id}"


def claim(tx: Transaction, found: TaskRow, owner: str, seconds: float, next_run: datetime | None) -> bool:
    """Begin a run, unless somebody else has."""
    if not leases.take(tx, lease_of(found.id), owner, seconds):
        return False
    values = {"running": True, "stopping": False, "last_run": tx.now, "next_run": next_run, "message": "running"}
    return tx.execute(update(task).where(task.c.id == found.id).values(**values)).rowcount > 0


def renew(tx: Transaction, id: str, owner: str, seconds: float) -> bool:
    """Keep the run; whether it may go on."""
    if not leases.take(tx, lease_of(id), owner, seconds):
        return False
    return not tx.value(select(task.c.stopping).where(task.c.id == id))


def finish(tx: Transaction, id: str, owner: str, result: str, message: str) -> None:
    tx.quiet = True
    values = {"running": False, "stopping": False, "last_result": result, "message": message}
    tx.execute(update(task).where(task.c.id == id).values(**values))
    leases.release(tx, lease_of(id), owner)


def ask_to_stop(tx: Transaction, id: str) -> bool:
    """False when it does not run."""
    tx.quiet = True
    statement = update(task).where(task.c.id == id, task.c.running.is_(True)).values(stopping=True)
    return tx.execute(statement).rowcount > 0


def _from_row(row: Row[Any]) -> TaskRow:
    return TaskRow(
        row.id,
        row.type,
        row.name,
        row.enabled,
        row.definition,
        row.next_run,
        row.running,
        row.stopping,
        row.last_run,
        row.last_result,
        row.message,
    )
