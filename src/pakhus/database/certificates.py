"""The certificates that an administrator trusts."""

from __future__ import annotations

from sqlalchemy import delete, insert, select

from pakhus.database.keeping import certificate
from pakhus.database.transaction import Transaction


def everything(tx: Transaction) -> list[tuple[str, str]]:
    """(fingerprint, PEM), in the order of their coming."""
    statement = select(certificate).order_by(certificate.c.created, certificate.c.fingerprint)
    return [(row.fingerprint, row.pem) for row in tx.rows(statement)]


def add(tx: Transaction, fingerprint: str, pem: str) -> bool:
    """False when it is there already."""
    tx.configures = True
    if tx.one(select(certificate.c.fingerprint).where(certificate.c.fingerprint == fingerprint)) is not None:
        return False
    tx.execute(insert(certificate).values(fingerprint=fingerprint, pem=pem, created=tx.now))
    return True


def remove(tx: Transaction, fingerprint: str) -> bool:
    tx.configures = True
    return tx.execute(delete(certificate).where(certificate.c.fingerprint == fingerprint)).rowcount > 0
