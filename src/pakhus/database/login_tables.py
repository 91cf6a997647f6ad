"""The tables of logins: open ones, failed ones, second factors, and the directories that are asked."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table

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
