"""Cleanup policies: rows to and from the domain's words."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from pakhus.database.keeping import cleanup_policy
from pakhus.database.transaction import Transaction
from pakhus.domain.cleanup import CleanupPolicy

CRITERIA = ("last_blob_updated", "last_downloaded", "release_type", "asset_regex", "retain", "sort_by")


def everything(tx: Transaction) -> list[CleanupPolicy]:
    """All policies, by name."""
    return [_from_row(row) for row in tx.rows(select(cleanup_policy).order_by(cleanup_policy.c.name))]


def put(tx: Transaction, policy: CleanupPolicy) -> None:
    """Insert the policy, or change the one with this name."""
    tx.configures = True
    criteria = {name: getattr(policy, name) for name in CRITERIA if getattr(policy, name) is not None}
    values: dict[str, Any] = {"format": policy.format, "notes": policy.notes, "criteria": criteria}
    statement = update(cleanup_policy).where(cleanup_policy.c.name == policy.name).values(**values)
    if not tx.execute(statement).rowcount:
        tx.execute(insert(cleanup_policy).values(name=policy.name, **values))


def remove(tx: Transaction, name: str) -> None:
    tx.configures = True
    tx.execute(delete(cleanup_policy).where(cleanup_policy.c.name == name))


def _from_row(row: Row[Any]) -> CleanupPolicy:
    return CleanupPolicy(row.name, row.format, row.notes, **row.criteria)
