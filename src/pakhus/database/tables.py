"""The schema: one set of tables for all formats. Attributes are JSON; no format has a table or a column of its own.

Times are microseconds since the epoch (`Moment`), so that they compare and sort alike on every database.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    FetchedValue,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

from pakhus.domain import events

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Moment(TypeDecorator[datetime]):
    """A point in time, kept as microseconds since the epoch, always UTC in Python."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else EPOCH + timedelta(microseconds=value)


Word = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that compares by its code points everywhere: paths and names are sought by range."""

Document = JSON().with_variant(JSONB(), "postgresql")
Absent = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""A document that may be missing."""
Identity = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _identity() -> Column[int]:
    return Column("id", Identity, primary_key=True, autoincrement=True)


def _repository() -> Column[int]:
    return Column("repository_id", Identity, ForeignKey("repository.id", ondelete="CASCADE"), nullable=False)


repository = Table(
    "repository",
    metadata,
    _identity(),
    Column("name", Word, nullable=False),
    Column("name_key", Word, nullable=False, unique=True),
    Column("format", Word, nullable=False),
    Column("type", Word, nullable=False),
    Column("online", Boolean, nullable=False),
    Column("blob_store", Word, nullable=False),
    Column("routing_rule", Word),
    Column("settings", Document, nullable=False),
    Column("invalidated", Moment),
    Column("created", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
)

routing_rule = Table(
    "routing_rule",
    metadata,
    Column("name", Word, primary_key=True),
    Column("description", Word, nullable=False),
    Column("mode", Word, nullable=False),
    Column("matchers", Document, nullable=False),
)

blob_store = Table(
    "blob_store",
    metadata,
    Column("name", Word, primary_key=True),
    Column("type", Word, nullable=False),
    Column("settings", Document, nullable=False),
    Column("created", Moment, nullable=False),
)

blob = Table(
    "blob",
    metadata,
    _identity(),
    Column("blob_store", Word, ForeignKey("blob_store.name"), nullable=False),
    Column("key", Word, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Word, nullable=False),
    Column("sha1", Word, nullable=False),
    Column("md5", Word, nullable=False),
    Column("sha512", Word, nullable=False),
    Column("created", Moment, nullable=False),
    Column("touched", Moment, nullable=False),
    UniqueConstraint("blob_store", "sha256"),
    UniqueConstraint("blob_store", "key"),
    Index(None, "sha256"),
)

component = Table(
    "component",
    metadata,
    _identity(),
    _repository(),
    Column("namespace", Word, nullable=False),
    Column("name", Word, nullable=False),
    Column("version", Word, nullable=False),
    Column("version_order", Word, nullable=False),
    Column("prerelease", Boolean, nullable=False),
    Column("attributes", Document, nullable=False),
    Column("published", Moment),
    Column("created", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
    UniqueConstraint("repository_id", "namespace", "name", "version"),
    Index(None, "repository_id", "name"),
)

asset = Table(
    "asset",
    metadata,
    _identity(),
    _repository(),
    Column("component_id", Identity, ForeignKey("component.id")),
    Column("path", Word, nullable=False),
    Column("blob_id", Identity, ForeignKey("blob.id"), nullable=False),
    Column("content_type", Word, nullable=False),
    Column("attributes", Document, nullable=False),
    Column("created", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
    Column("uploader", Word, nullable=False),
    Column("uploader_ip", Word, nullable=False),
    Column("downloads", BigInteger, nullable=False),
    Column("last_downloaded", Moment),
    Column("verified", Moment),
    Column("origin", Word, nullable=False),
    Column("etag", Word, nullable=False),
    Column("last_modified", Word, nullable=False),
    UniqueConstraint("repository_id", "path"),
    Index(None, "component_id"),
    Index(None, "blob_id"),
)

reference = Table(
    "reference",
    metadata,
    Column("asset_id", Identity, ForeignKey("asset.id", ondelete="CASCADE"), primary_key=True),
    Column("path", Word, primary_key=True),
    _repository(),
    Index(None, "repository_id", "path"),
)

revision = Table(
    "revision",
    metadata,
    Column("repository_id", Identity, ForeignKey("repository.id", ondelete="CASCADE"), primary_key=True),
    Column("key", Word, primary_key=True),
    Column("value", BigInteger, nullable=False),
    Column("changed", Moment, nullable=False),
)

event = Table(
    "event",
    metadata,
    _identity(),
    Column("kind", Word, nullable=False),
    Column("repository", Word, nullable=False),
    Column("subject", Word, nullable=False),
    Column("details", Document, nullable=False),
    Column("change", Absent),
    Column("initiator", Document, nullable=False),
    Column("transaction", BigInteger, FetchedValue(), nullable=False),
    Column("created", Moment, nullable=False),
    sqlite_autoincrement=True,
)
"""`transaction` is the number of the one that wrote the row on PostgreSQL, and 0 where there is one writer."""

cursor = Table(
    "cursor",
    metadata,
    Column("subscriber", Word, primary_key=True),
    Column("transaction", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
)

lease = Table(
    "lease",
    metadata,
    Column("name", Word, primary_key=True),
    Column("owner", Word, nullable=False),
    Column("expires", Moment, nullable=False),
)

signing_key = Table(
    "signing_key",
    metadata,
    _identity(),
    _repository(),
    Column("fingerprint", Word, nullable=False),
    Column("user_ids", Document, nullable=False),
    Column("public", Word, nullable=False),
    Column("secret", Document, nullable=False),
    Column("created", Moment, nullable=False),
    Column("signs_until", Moment),
    UniqueConstraint("repository_id", "fingerprint"),
)

setting = Table(
    "setting",
    metadata,
    Column("key", Word, primary_key=True),
    Column("value", Document, nullable=False),
)

account = Table(
    "account",
    metadata,
    Column("user_id", Word, primary_key=True),
    Column("source", Word, primary_key=True),
    Column("first_name", Word, nullable=False),
    Column("last_name", Word, nullable=False),
    Column("email", Word, nullable=False),
    Column("status", Word, nullable=False),
    Column("password_hash", Word, nullable=False),
    Column("roles", Document, nullable=False),
    Column("groups", Document, nullable=False, server_default=text("'[]'")),
    Column("seen", Moment),
    Column("created", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
)

role = Table(
    "role",
    metadata,
    Column("id", Word, primary_key=True),
    Column("name", Word, nullable=False),
    Column("description", Word, nullable=False),
    Column("read_only", Boolean, nullable=False),
    Column("privileges", Document, nullable=False),
    Column("roles", Document, nullable=False),
)

privilege = Table(
    "privilege",
    metadata,
    Column("name", Word, primary_key=True),
    Column("type", Word, nullable=False),
    Column("description", Word, nullable=False),
    Column("read_only", Boolean, nullable=False),
    Column("properties", Document, nullable=False),
    info={"audited": events.PRIVILEGE},
)

content_selector = Table(
    "content_selector",
    metadata,
    Column("name", Word, primary_key=True),
    Column("description", Word, nullable=False),
    Column("expression", Word, nullable=False),
)

token = Table(
    "token",
    metadata,
    _identity(),
    Column("user_id", Word, nullable=False),
    Column("source", Word, nullable=False),
    Column("name", Word, nullable=False),
    Column("kind", Word, nullable=False),
    Column("sha256", Word, nullable=False, unique=True),
    Column("scopes", Document, nullable=False),
    Column("repositories", Document, nullable=False),
    Column("created", Moment, nullable=False),
    Column("expires", Moment),
    Column("last_used", Moment),
    Column("code", Word, nullable=False, server_default=""),
    Column("nonce", Word, nullable=False, server_default=""),
    Column("address", Word, nullable=False, server_default=""),
    UniqueConstraint("user_id", "source", "name"),
)

upload = Table(
    "upload",
    metadata,
    Column("id", Word, primary_key=True),
    _repository(),
    Column("path", Word, nullable=False),
    Column("blob_store", Word, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("closing", Boolean, nullable=False),
    Column("created", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
    Index(None, "updated"),
)

upload_part = Table(
    "upload_part",
    metadata,
    Column("upload_id", Word, ForeignKey("upload.id", ondelete="CASCADE"), primary_key=True),
    Column("start", BigInteger, primary_key=True),
    Column("blob_store", Word, nullable=False),
    Column("key", Word, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("digests", Document, nullable=False),
    UniqueConstraint("blob_store", "key"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("moment", Moment, nullable=False),
    Column("user", Word, nullable=False),
    Column("source", Word, nullable=False),
    Column("credential", Word, nullable=False),
    Column("address", Word, nullable=False),
    Column("request_id", Word, nullable=False),
    Column("action", Word, nullable=False),
    Column("repository", Word, nullable=False),
    Column("subject", Word, nullable=False),
    Column("result", Word, nullable=False),
    Column("body", Word, nullable=False),
    Column("hash", Word, nullable=False),
    Index(None, "moment"),
    Index(None, "user", "id"),
    Index(None, "action", "id"),
    Index(None, "repository", "id"),
    Index(None, "request_id"),
)
"""The audit's chain: `id` counts without gaps, `body` is canonical JSON, `hash` covers the row and the hash before."""

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("hash", Word, nullable=False),
    Column("floor", BigInteger, nullable=False),
    Column("floor_hash", Word, nullable=False),
    Column("transaction", BigInteger, nullable=False),
    Column("event", BigInteger, nullable=False),
    Column("seal", Word, nullable=False),
)
"""One row: where the chain ends, what retention has cut off below, and the last event that was taken in."""

audit_download = Table(
    "audit_download",
    metadata,
    _identity(),
    Column("moment", Moment, nullable=False),
    Column("user", Word, nullable=False),
    Column("credential", Word, nullable=False),
    Column("address", Word, nullable=False),
    Column("request_id", Word, nullable=False),
    Column("repository", Word, nullable=False),
    Column("path", Word, nullable=False),
    Column("size", BigInteger, nullable=False),
    Index(None, "moment"),
    Index(None, "repository", "id"),
    Index(None, "user", "id"),
)

webhook = Table(
    "webhook",
    metadata,
    _identity(),
    Column("name", Word, nullable=False, unique=True),
    Column("url", Word, nullable=False),
    Column("events", Document, nullable=False),
    Column("repositories", Document, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("retention_days", Integer, nullable=False),
    Column("disabled", Word, nullable=False),
    Column("secrets", Document, nullable=False),
    Column("created", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
)
"""`secrets` is sealed: the one that signs, and the one before while it still does."""

webhook_delivery = Table(
    "webhook_delivery",
    metadata,
    _identity(),
    Column("webhook_id", Identity, ForeignKey("webhook.id", ondelete="CASCADE"), nullable=False),
    Column("message", Word, nullable=False),
    Column("action", Word, nullable=False),
    Column("payload", Word, nullable=False),
    Column("state", Word, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("log", Document, nullable=False),
    Column("due", Moment, nullable=False),
    Column("created", Moment, nullable=False),
    Column("finished", Moment),
    UniqueConstraint("webhook_id", "message"),
    Index(None, "webhook_id", "state", "due"),
    Index(None, "webhook_id", "id"),
)
"""`due` is when the next attempt is made; whoever makes it moves it first, and so has it to itself for that long."""

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
