"""Users, roles, privileges and tokens: rows to and from the domain's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, delete, insert, select, update

from pakhus.database.rights import PrivilegeRow, privileges
from pakhus.database.tables import account, lockout, role, second_factor, session, token
from pakhus.database.transaction import Transaction
from pakhus.domain import events

__all__ = ["PrivilegeRow", "Role", "TokenRow", "User", "privileges"]


@dataclass(frozen=True, slots=True)
class User:
    """An account. `status` is active, locked, disabled or changepassword.

    Of a user of another source it keeps the roles that were assigned here, and what the source said when it was last
    `seen` to know the user: names and `groups`.
    """

    user_id: str
    source: str = "default"
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    status: str = "active"
    password_hash: str = ""
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    seen: datetime | None = None


@dataclass(frozen=True, slots=True)
class Role:
    id: str
    name: str
    description: str = ""
    read_only: bool = False
    privileges: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token. It is not kept itself, only its SHA-256.

    `nonce` is what the token of a protocol's login is made of, for the client at `address`; `code` is the name code of
    a user token.
    """

    user_id: str
    source: str
    name: str
    kind: str
    sha256: str
    scopes: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()
    created: datetime | None = None
    expires: datetime | None = None
    last_used: datetime | None = None
    id: int = 0
    code: str = ""
    nonce: str = ""
    address: str = ""


def users(tx: Transaction) -> list[User]:
    return [_user(row) for row in tx.rows(select(account).order_by(account.c.user_id))]


def user(tx: Transaction, user_id: str, source: str = "default") -> User | None:
    row = tx.one(select(account).where(account.c.user_id == user_id, account.c.source == source))
    return None if row is None else _user(row)


def put_user(tx: Transaction, changed: User) -> None:
    """Insert the user, or change all that is known of it."""
    tx.configures = True
    known = user(tx, changed.user_id, changed.source)
    values = {
        "first_name": changed.first_name,
        "last_name": changed.last_name,
        "email": changed.email,
        "status": changed.status,
        "password_hash": changed.password_hash,
        "roles": list(changed.roles),
        "updated": tx.now,
    }
    where = (account.c.user_id == changed.user_id, account.c.source == changed.source)
    if not tx.execute(update(account).where(*where).values(**values)).rowcount:
        tx.execute(insert(account).values(user_id=changed.user_id, source=changed.source, created=tx.now, **values))
    if known is not None and known.password_hash != changed.password_hash:
        tx.record(events.PASSWORD_CHANGED, subject=changed.user_id, source=changed.source)
        if replace(known, password_hash=changed.password_hash) == changed:
            return
    tx.changed(events.USER, changed.user_id, known, changed, source=changed.source)


def put_password(tx: Transaction, user: User, hashed: str, *, status: str) -> None:
    """A new password ends what the old one opened: sessions, and the tokens of protocols' logins."""
    put_user(tx, replace(user, password_hash=hashed, status=status))
    tx.execute(delete(session).where(session.c.user_id == user.user_id, session.c.source == user.source))
    tx.execute(delete(lockout).where(lockout.c.user_id == user.user_id))
    mine = (token.c.user_id == user.user_id, token.c.source == user.source)
    tx.execute(delete(token).where(*mine, token.c.kind.like("% login")))


def learn(tx: Transaction, said: User, *, news: bool) -> None:
    """Keep what the source of an external user says of it. `news`: its rights may have changed by that."""
    values = {
        "first_name": said.first_name,
        "last_name": said.last_name,
        "email": said.email,
        "groups": list(said.groups),
        "seen": said.seen,
    }
    where = (account.c.user_id == said.user_id, account.c.source == said.source)
    if not tx.execute(update(account).where(*where).values(**values)).rowcount:
        kept = {"status": said.status, "password_hash": "", "roles": list(said.roles), "created": tx.now}
        tx.execute(insert(account).values(user_id=said.user_id, source=said.source, updated=tx.now, **kept, **values))
    tx.configures, tx.quiet = news, not news


def remove_user(tx: Transaction, user_id: str, source: str = "default") -> None:
    """The user and its tokens."""
    tx.configures = True
    tx.changed(events.USER, user_id, user(tx, user_id, source), None, source=source)
    for table in (account, token, session):
        tx.execute(delete(table).where(table.c.user_id == user_id, table.c.source == source))
    if source == "default":
        tx.execute(delete(second_factor).where(second_factor.c.user_id == user_id))


def roles(tx: Transaction) -> list[Role]:
    return [_role(row) for row in tx.rows(select(role).order_by(role.c.id))]


def put_role(tx: Transaction, changed: Role) -> None:
    tx.configures = True
    tx.changed(events.ROLE, changed.id, _role_by_id(tx, changed.id), changed)
    values = {
        "name": changed.name,
        "description": changed.description,
        "read_only": changed.read_only,
        "privileges": list(changed.privileges),
        "roles": list(changed.roles),
    }
    if not tx.execute(update(role).where(role.c.id == changed.id).values(**values)).rowcount:
        tx.execute(insert(role).values(id=changed.id, **values))


def remove_role(tx: Transaction, role_id: str) -> None:
    """The role, and its name wherever a user or a role has it."""
    tx.configures = True
    tx.changed(events.ROLE, role_id, _role_by_id(tx, role_id), None)
    tx.execute(delete(role).where(role.c.id == role_id))
    for each in users(tx):
        if role_id in each.roles:
            left = [name for name in each.roles if name != role_id]
            where = (account.c.user_id == each.user_id, account.c.source == each.source)
            tx.execute(update(account).where(*where).values(roles=left))
    for other in roles(tx):
        if role_id in other.roles:
            left = [name for name in other.roles if name != role_id]
            tx.execute(update(role).where(role.c.id == other.id).values(roles=left))


def _role_by_id(tx: Transaction, role_id: str) -> Role | None:
    row = tx.one(select(role).where(role.c.id == role_id))
    return None if row is None else _role(row)


def token_by_digest(tx: Transaction, sha256: str) -> TokenRow | None:
    row = tx.one(select(token).where(token.c.sha256 == sha256))
    return None if row is None else _token(row)


def tokens_of(tx: Transaction, user_id: str, source: str = "default") -> list[TokenRow]:
    statement = select(token).where(token.c.user_id == user_id, token.c.source == source)
    return [_token(row) for row in tx.rows(statement.order_by(token.c.name))]


def login_token(tx: Transaction, user_id: str, source: str, kind: str, address: str) -> TokenRow | None:
    """The token of a protocol's login that lives longest."""
    where = (token.c.user_id == user_id, token.c.source == source, token.c.kind == kind, token.c.address == address)
    row = tx.one(select(token).where(*where, token.c.nonce != "").order_by(token.c.expires.desc()).limit(1))
    return None if row is None else _token(row)


def add_token(tx: Transaction, new: TokenRow) -> None:
    """Raises `IntegrityError` where the user has one of this name."""
    tx.execute(
        insert(token).values(
            user_id=new.user_id,
            source=new.source,
            name=new.name,
            kind=new.kind,
            sha256=new.sha256,
            scopes=list(new.scopes),
            repositories=list(new.repositories),
            created=tx.now,
            expires=new.expires,
            code=new.code,
            nonce=new.nonce,
            address=new.address,
        )
    )
    _token_changed(tx, None, new)


def tokens_of_kind(tx: Transaction, kind: str) -> list[TokenRow]:
    return [_token(row) for row in tx.rows(select(token).where(token.c.kind == kind).order_by(token.c.user_id))]


def remove_tokens_of_kind(tx: Transaction, kind: str) -> None:
    tx.configures = True
    tx.execute(delete(token).where(token.c.kind == kind))


def remove_tokens(tx: Transaction, user_id: str, source: str) -> None:
    tx.configures = True
    tx.execute(delete(token).where(token.c.user_id == user_id, token.c.source == source))


def retire_token(tx: Transaction, old: TokenRow, name: str, expires: datetime) -> None:
    """Another name for a token whose own is needed, and an end."""
    tx.configures = True
    tx.execute(update(token).where(token.c.id == old.id).values(name=name, expires=expires))


def remove_token(tx: Transaction, user_id: str, name: str, source: str = "default") -> bool:
    return _remove_token(tx, (token.c.user_id == user_id, token.c.source == source, token.c.name == name))


def remove_token_by_digest(tx: Transaction, sha256: str) -> bool:
    return _remove_token(tx, (token.c.sha256 == sha256,))


def _remove_token(tx: Transaction, where: tuple[ColumnElement[bool], ...]) -> bool:
    tx.configures = True
    known = tx.one(select(token).where(*where))
    if known is None:
        return False
    _token_changed(tx, _token(known), None)
    return tx.execute(delete(token).where(*where)).rowcount > 0


def _token_changed(tx: Transaction, before: TokenRow | None, after: TokenRow | None) -> None:
    """Tells what the token may, not its digest."""
    row = before or after
    assert row is not None
    shown: dict[str, Any] = {
        "user": row.user_id,
        "kind": row.kind,
        "scopes": row.scopes,
        "repositories": row.repositories,
    }
    shown |= {"expires": row.expires}
    name = f"{row.user_id}/{row.name}"
    tx.changed(events.TOKEN, name, before and shown, after and shown, user=row.user_id, source=row.source)


def used(tx: Transaction, moments: Mapping[int, datetime]) -> None:
    """A batch of tokens that were used."""
    tx.quiet = True
    tx.execute(
        update(token).where(token.c.id == bindparam("token")).values(last_used=bindparam("last")),
        [{"token": key, "last": last} for key, last in moments.items()],
    )


def _user(row: Row[Any]) -> User:
    return User(
        row.user_id,
        row.source,
        row.first_name,
        row.last_name,
        row.email,
        row.status,
        row.password_hash,
        tuple(row.roles),
        tuple(row.groups),
        row.seen,
    )


def _role(row: Row[Any]) -> Role:
    return Role(row.id, row.name, row.description, row.read_only, tuple(row.privileges), tuple(row.roles))


def _token(row: Row[Any]) -> TokenRow:
    return TokenRow(
        user_id=row.user_id,
        source=row.source,
        name=row.name,
        kind=row.kind,
        sha256=row.sha256,
        scopes=_words(row.scopes),
        repositories=_words(row.repositories),
        created=row.created,
        expires=row.expires,
        last_used=row.last_used,
        id=row.id,
        code=row.code,
        nonce=row.nonce,
        address=row.address,
    )


def _words(listed: Sequence[str]) -> tuple[str, ...]:
    return tuple(listed)
