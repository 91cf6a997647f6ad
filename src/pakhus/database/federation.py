"""Identity providers, workload roles, and what is remembered of logins through them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, select, update

from pakhus.database.tables import federated_session, federated_subject, identity_provider, login_state, workload_role
from pakhus.database.transaction import Transaction


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """`kind` is oidc, saml or workload (an issuer of tokens for builds). Secrets in `settings` are sealed."""

    kind: str
    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RoleRow:
    name: str
    issuer: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A login through a provider, while it lasts. `session` is the provider's own name for it (OIDC `sid`)."""

    id: str
    source: str
    subject: str
    session: str
    user_id: str
    details: Mapping[str, Any]
    checked: datetime
    expires: datetime


def providers(tx: Transaction) -> list[ProviderRow]:
    rows = tx.rows(select(identity_provider).order_by(identity_provider.c.kind, identity_provider.c.name))
    return [ProviderRow(row.kind, row.name, row.settings) for row in rows]


def provider(tx: Transaction, kind: str, name: str) -> ProviderRow | None:
    row = tx.one(select(identity_provider).where(*_is(kind, name)))
    return None if row is None else ProviderRow(row.kind, row.name, row.settings)


def put_provider(tx: Transaction, changed: ProviderRow) -> None:
    tx.configures = True
    values = {"settings": dict(changed.settings), "updated": tx.now}
    statement = update(identity_provider).where(*_is(changed.kind, changed.name)).values(**values)
    if not tx.execute(statement).rowcount:
        new = insert(identity_provider).values(kind=changed.kind, name=changed.name, created=tx.now, **values)
        tx.execute(new)


def remove_provider(tx: Transaction, kind: str, name: str) -> bool:
    """The provider, and all logins through it."""
    tx.configures = True
    tx.execute(delete(federated_session).where(federated_session.c.source == name))
    return tx.execute(delete(identity_provider).where(*_is(kind, name))).rowcount > 0


def workload_roles(tx: Transaction) -> list[RoleRow]:
    rows = tx.rows(select(workload_role).order_by(workload_role.c.name))
    return [RoleRow(row.name, row.issuer, row.settings) for row in rows]


def put_workload_role(tx: Transaction, changed: RoleRow) -> None:
    tx.configures = True
    values = {"issuer": changed.issuer, "settings": dict(changed.settings), "updated": tx.now}
    if not tx.execute(update(workload_role).where(workload_role.c.name == changed.name).values(**values)).rowcount:
        tx.execute(insert(workload_role).values(name=changed.name, created=tx.now, **values))


def remove_workload_role(tx: Transaction, name: str) -> bool:
    tx.configures = True
    return tx.execute(delete(workload_role).where(workload_role.c.name == name)).rowcount > 0


def user_of(tx: Transaction, source: str, subject: str) -> str | None:
    """The account that a provider's subject has had before."""
    c = federated_subject.c
    found: str | None = tx.value(select(c.user_id).where(c.source == source, c.subject == subject))
    return found


def subject_of(tx: Transaction, source: str, user_id: str) -> str | None:
    c = federated_subject.c
    found: str | None = tx.value(select(c.subject).where(c.source == source, c.user_id == user_id))
    return found


def last_login(tx: Transaction, source: str, user_id: str) -> datetime | None:
    c = federated_subject.c
    found: datetime | None = tx.value(select(c.last_login).where(c.source == source, c.user_id == user_id))
    return found


def link(tx: Transaction, source: str, subject: str, user_id: str) -> None:
    """The subject is this account from now on, and logs in now; whoever had the account before is forgotten."""
    tx.configures = True
    c = federated_subject.c
    tx.execute(delete(federated_subject).where(c.source == source, c.user_id == user_id, c.subject != subject))
    where = (c.source == source, c.subject == subject)
    if not tx.execute(update(federated_subject).where(*where).values(user_id=user_id, last_login=tx.now)).rowcount:
        new = {"source": source, "subject": subject, "user_id": user_id, "created": tx.now, "last_login": tx.now}
        tx.execute(insert(federated_subject).values(**new))


def session(tx: Transaction, id: str) -> SessionRow | None:
    row = tx.one(select(federated_session).where(federated_session.c.id == id))
    if row is None or row.expires <= tx.now:
        return None
    return SessionRow(row.id, row.source, row.subject, row.session, row.user_id, row.details, row.checked, row.expires)


def add_session(tx: Transaction, new: SessionRow) -> None:
    tx.execute(delete(federated_session).where(federated_session.c.expires <= tx.now))
    tx.execute(
        insert(federated_session).values(
            id=new.id,
            source=new.source,
            subject=new.subject,
            session=new.session,
            user_id=new.user_id,
            details=dict(new.details),
            checked=new.checked,
            expires=new.expires,
        )
    )


def checked(tx: Transaction, id: str, details: Mapping[str, Any]) -> None:
    """The provider still stands by the login."""
    tx.quiet = True
    where = federated_session.c.id == id
    tx.execute(update(federated_session).where(where).values(checked=tx.now, details=dict(details)))


def end_session(tx: Transaction, id: str) -> bool:
    tx.configures = True
    return tx.execute(delete(federated_session).where(federated_session.c.id == id)).rowcount > 0


def end_sessions(tx: Transaction, source: str, *, subject: str = "", session: str = "") -> int:
    """All logins of a subject, or those of one session at the provider. Returns how many there were."""
    tx.configures = True
    c = federated_session.c
    where: list[ColumnElement[bool]] = [c.source == source]
    if subject:
        where.append(c.subject == subject)
    if session:
        where.append(c.session == session)
    return tx.execute(delete(federated_session).where(*where)).rowcount if len(where) > 1 else 0


def keep_state(tx: Transaction, key: str, kind: str, details: Mapping[str, Any], expires: datetime) -> None:
    """Something that is used once, soon. Raises `IntegrityError` for a key that is there already."""
    tx.quiet = True
    tx.execute(delete(login_state).where(login_state.c.expires <= tx.now))
    tx.execute(insert(login_state).values(key=key, kind=kind, details=dict(details), expires=expires))


def state(tx: Transaction, key: str, kind: str) -> Mapping[str, Any] | None:
    """What is kept under the key, which stays there."""
    c = login_state.c
    found: Mapping[str, Any] | None = tx.value(
        select(c.details).where(c.key == key, c.kind == kind, c.expires > tx.now)
    )
    return found


def change_state(tx: Transaction, key: str, kind: str, details: Mapping[str, Any]) -> bool:
    tx.quiet = True
    c = login_state.c
    where = (c.key == key, c.kind == kind, c.expires > tx.now)
    return tx.execute(update(login_state).where(*where).values(details=dict(details))).rowcount > 0


def take_state(tx: Transaction, key: str, kind: str) -> Mapping[str, Any] | None:
    """What is kept under the key, and then no longer: of two who come at once, one gets it."""
    tx.quiet = True
    found = state(tx, key, kind)
    gone = tx.execute(delete(login_state).where(login_state.c.key == key, login_state.c.kind == kind)).rowcount
    return found if gone else None


def spend(tx: Transaction, key: str, kind: str, expires: datetime) -> bool:
    """Note that something was used; false if it had been used before."""
    tx.quiet = True
    c = login_state.c
    tx.execute(delete(login_state).where(c.expires <= tx.now))
    if tx.value(select(c.key).where(c.key == key)) is not None:
        return False
    tx.execute(insert(login_state).values(key=key, kind=kind, details={}, expires=expires))
    return True


def states(tx: Transaction, kind: str) -> int:
    """How many of a kind there are."""
    c = login_state.c
    return len(tx.rows(select(c.key).where(c.kind == kind, c.expires > tx.now)))


def _is(kind: str, name: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return identity_provider.c.kind == kind, identity_provider.c.name == name
