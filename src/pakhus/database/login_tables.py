"""The tables of logins: open ones, failed ones, second factors, directories, identity providers, workloads."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, UniqueConstraint

from pakhus.database.columns import Document, Moment, Word, metadata

session = Table(
    "session",
    metadata,
    Column("id", Word, primary_key=True),
    Column("user_id", Word, nullable=False),
    Column("source", Word, nullable=False),
    Column("address", Word, nullable=False),
    Column("agent", Word, nullable=False),
    Column("created", Moment, nullable=False),
    Column("expires", Moment, nullable=False),
    Index(None, "user_id", "source"),
)

lockout = Table(
    "lockout",
    metadata,
    Column("user_id", Word, primary_key=True),
    Column("address", Word, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("expires", Moment, nullable=False),
)

second_factor = Table(
    "second_factor",
    metadata,
    Column("user_id", Word, primary_key=True),
    Column("secret", Document, nullable=False),
    Column("confirmed", Boolean, nullable=False),
    Column("last_step", BigInteger, nullable=False),
)

ldap_server = Table(
    "ldap_server",
    metadata,
    Column("id", Word, primary_key=True),
    Column("name", Word, nullable=False, unique=True),
    Column("position", Integer, nullable=False),
    Column("settings", Document, nullable=False),
)

identity_provider = Table(
    "identity_provider",
    metadata,
    Column("kind", Word, primary_key=True),
    Column("name", Word, primary_key=True),
    Column("settings", Document, nullable=False),
    Column("created", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
)

workload_role = Table(
    "workload_role",
    metadata,
    Column("name", Word, primary_key=True),
    Column("issuer", Word, nullable=False),
    Column("settings", Document, nullable=False),
    Column("created", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
)

federated_subject = Table(
    "federated_subject",
    metadata,
    Column("source", Word, primary_key=True),
    Column("subject", Word, primary_key=True),
    Column("user_id", Word, nullable=False),
    Column("details", Document, nullable=False),
    Column("created", Moment, nullable=False),
    Column("last_login", Moment, nullable=False),
    Column("checked", Moment, nullable=False),
    UniqueConstraint("source", "user_id"),
)

federated_session = Table(
    "federated_session",
    metadata,
    Column("id", Word, primary_key=True),
    Column("source", Word, nullable=False),
    Column("subject", Word, nullable=False),
    Column("session", Word, nullable=False),
    Column("user_id", Word, nullable=False),
    Column("expires", Moment, nullable=False),
    Index(None, "source", "subject"),
    Index(None, "expires"),
)

login_state = Table(
    "login_state",
    metadata,
    Column("key", Word, primary_key=True),
    Column("kind", Word, nullable=False),
    Column("details", Document, nullable=False),
    Column("expires", Moment, nullable=False),
    Index(None, "expires"),
)
