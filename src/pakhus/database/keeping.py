"""Tables of what keeps a server in order: cleanup policies, tasks, trusted certificates, tags."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Table

from pakhus.database.columns import Document, Identity, Moment, Word, metadata

cleanup_policy = Table(
    "cleanup_policy",
    metadata,
    Column("name", Word, primary_key=True),
    Column("format", Word, nullable=False),
    Column("notes", Word, nullable=False),
    Column("criteria", Document, nullable=False),
)

task = Table(
    "task",
    metadata,
    Column("id", Word, primary_key=True),
    Column("type", Word, nullable=False),
    Column("name", Word, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("definition", Document, nullable=False),
    Column("created", Moment, nullable=False),
    Column("next_run", Moment),
    Column("running", Boolean, nullable=False),
    Column("stopping", Boolean, nullable=False),
    Column("last_run", Moment),
    Column("last_result", Word, nullable=False),
    Column("message", Word, nullable=False),
    Index(None, "next_run"),
)

certificate = Table(
    "certificate",
    metadata,
    Column("fingerprint", Word, primary_key=True),
    Column("pem", Word, nullable=False),
    Column("created", Moment, nullable=False),
)

tag = Table(
    "tag",
    metadata,
    Column("name", Word, primary_key=True),
    Column("attributes", Document, nullable=False),
    Column("created", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
)

tagged = Table(
    "tagged",
    metadata,
    Column("tag", Word, ForeignKey("tag.name", ondelete="CASCADE"), primary_key=True),
    Column("component_id", Identity, ForeignKey("component.id", ondelete="CASCADE"), primary_key=True),
    Index(None, "component_id"),
)
