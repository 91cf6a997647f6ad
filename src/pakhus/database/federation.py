"""Identity providers, workload roles, and what is remembered of logins through them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, insert, select, update

from pakhus.database.tables import federated_session, federated_subject, identity_provider, login_state, workload_role
from pakhus.database.tables import session as login
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
class SubjectRow:
    """Somebody at a provider, and the account here. `checked`: when the provider last stood by it.

    `details` has the refresh token (sealed), where the provider gave one.
    """

    source: str
    subject: str
    user_id: str
    details: Mapping[str, Any]
    last_login: datetime
    checked: datetime


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A login through a provider, by the id of its session here; `session` is the provider's own name (OIDC `sid`)."""

    id: str
    source: str
    subject: str
    session: str
    user_id: str
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
    if kind != "workload":
        _end(tx, [federated_session.c.source == name])
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


def subject(tx: Transaction, source: str, subject: str) -> SubjectRow | None:
    c = federated_subject.c
    return _subject(tx.one(select(federated_subject).where(c.source == source, c.subject == subject)))


def subject_of(tx: Transaction, source: str, user_id: str) -> SubjectRow | None:
    """Who has the account."""
    c = federated_subject.c
    return _subject(tx.one(select(federated_subject).where(c.source == source, c.user_id == user_id)))


def link(tx: Transaction, source: str, subject: str, user_id: str, details: Mapping[str, Any]) -> None:
    """The subject is this account from now on, and logs in now; whoever had the account before is forgotten."""
    c = federated_subject.c
    tx.execute(delete(federated_subject).where(c.source == source, c.user_id == user_id, c.subject != subject))
    where = (c.source == source, c.subject == subject)
    values = {"user_id": user_id, "details": dict(details), "last_login": tx.now, "checked": tx.now}
    if not tx.execute(update(federated_subject).where(*where).values(**values)).rowcount:
        tx.execute(insert(federated_subject).values(source=source, subject=subject, created=tx.now, **values))


def checked(tx: Transaction, row: SubjectRow, moment: datetime, details: Mapping[str, Any]) -> None:
    """The provider was asked at this moment, and gave this."""
    tx.quiet = True
    statement = update(federated_subject).where(*_same(row))
    tx.execute(statement.values(checked=moment, details=dict(details)))


def claim_check(tx: Transaction, row: SubjectRow) -> bool:
    """The caller asks the provider now; false if somebody else has begun to since the row was read."""
    tx.quiet = True
    claimed = update(federated_subject).where(*_same(row), federated_subject.c.checked == row.checked)
    return tx.execute(claimed.values(checked=tx.now)).rowcount > 0


def add_session(tx: Transaction, new: SessionRow) -> None:
    tx.quiet = True
    tx.execute(delete(federated_session).where(federated_session.c.expires <= tx.now))
    tx.execute(
        insert(federated_session).values(
            id=new.id,
            source=new.source,
            subject=new.subject,
            session=new.session,
            user_id=new.user_id,
            expires=new.expires,
        )
    )


def end_sessions(tx: Transaction, source: str, *, subject: str = "", session: str = "") -> int:
    """All logins of a subject, or those of one session at the provider. Returns how many there were."""
    c = federated_session.c
    where: list[ColumnElement[bool]] = [c.source == source]
    if subject:
        where.append(c.subject == subject)
    if session:
        where.append(c.session == session)
    return _end(tx, where) if len(where) > 1 else 0


def _end(tx: Transaction, where: Sequence[ColumnElement[bool]]) -> int:
    tx.configures = True
    ids = [row.id for row in tx.rows(select(federated_session.c.id).where(*where))]
    for each in ids:
        tx.execute(delete(login).where(login.c.id == each))
    tx.execute(delete(federated_session).where(*where))
    return len(ids)


def keep_state(tx: Transaction, key: str, kind: str, details: Mapping[str, Any], expires: datetime) -> None:
    """Something that is used once, soon. Raises `IntegrityError` for a key that is there already."""
    tx.quiet = True
    tx.execute(delete(login_state).where(login_state.c.expires <= tx.now))
    tx.execute(insert(login_state).values(key=key, kind=kind, details=dict(details), expires=expires))


def take_state(tx: Transaction, key: str, kind: str) -> Mapping[str, Any] | None:
    """What is kept under the key, and then no longer: of two who come at once, one gets it."""
    tx.quiet = True
    c = login_state.c
    found: Mapping[str, Any] | None = tx.value(
        select(c.details).where(c.key == key, c.kind == kind, c.expires > tx.now)
    )
    gone = tx.execute(delete(login_state).where(c.key == key, c.kind == kind)).rowcount
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


def _subject(row: Row[Any] | None) -> SubjectRow | None:
    if row is None:
        return None
    return SubjectRow(row.source, row.subject, row.user_id, row.details, row.last_login, row.checked)


def _is(kind: str, name: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return identity_provider.c.kind == kind, identity_provider.c.name == name


def _same(row: SubjectRow) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return federated_subject.c.source == row.source, federated_subject.c.subject == row.subject
