"""The audit: who made each event, the chain that keeps them, downloads, and the outbox's order on PostgreSQL."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"

WORD = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    number = sa.text("(pg_current_xact_id()::text::bigint)") if on_postgresql else "0"
    op.add_column("event", sa.Column("subject", WORD, nullable=False, server_default=""))
    op.add_column("event", sa.Column("change", DOCUMENT, nullable=True))
    op.add_column("event", sa.Column("initiator", DOCUMENT, nullable=False, server_default="{}"))
    # Rows from before this order stay in front of all others, and no cursor has to be moved for them.
    op.add_column("event", sa.Column("transaction", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("cursor", sa.Column("transaction", sa.BigInteger(), nullable=False, server_default="0"))
    if on_postgresql:
        op.alter_column("event", "transaction", server_default=number)
        op.create_index("ix_event_transaction", "event", ["transaction", "id"])
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("moment", sa.BigInteger(), nullable=False),
        sa.Column("user", WORD, nullable=False),
        sa.Column("source", WORD, nullable=False),
        sa.Column("credential", WORD, nullable=False),
        sa.Column("address", WORD, nullable=False),
        sa.Column("request_id", WORD, nullable=False),
        sa.Column("action", WORD, nullable=False),
        sa.Column("repository", WORD, nullable=False),
        sa.Column("subject", WORD, nullable=False),
        sa.Column("result", WORD, nullable=False),
        sa.Column("body", WORD, nullable=False),
        sa.Column("hash", WORD, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    for columns in (["moment"], ["user", "id"], ["action", "id"], ["repository", "id"], ["request_id"]):
        op.create_index(f"ix_audit_{'_'.join(columns)}", "audit", columns)
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("hash", WORD, nullable=False),
        sa.Column("floor", sa.BigInteger(), nullable=False),
        sa.Column("floor_hash", WORD, nullable=False),
        sa.Column("transaction", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.Column("seal", WORD, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "audit_download",
        sa.Column("id", IDENTITY, autoincrement=True, nullable=False),
        sa.Column("moment", sa.BigInteger(), nullable=False),
        sa.Column("user", WORD, nullable=False),
        sa.Column("credential", WORD, nullable=False),
        sa.Column("address", WORD, nullable=False),
        sa.Column("request_id", WORD, nullable=False),
        sa.Column("repository", WORD, nullable=False),
        sa.Column("path", WORD, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_download")),
    )
    for columns in (["moment"], ["repository", "id"], ["user", "id"]):
        op.create_index(f"ix_audit_download_{'_'.join(columns)}", "audit_download", columns)
