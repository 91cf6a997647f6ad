"""Identity providers, the people that they vouch for, and roles for builds."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"

WORD = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "identity_provider",
        sa.Column("kind", WORD, nullable=False),
        sa.Column("name", WORD, nullable=False),
        sa.Column("settings", DOCUMENT, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", name=op.f("pk_identity_provider")),
    )
    op.create_table(
        "workload_role",
        sa.Column("name", WORD, nullable=False),
        sa.Column("issuer", WORD, nullable=False),
        sa.Column("settings", DOCUMENT, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_workload_role")),
    )
    op.create_table(
        "federated_subject",
        sa.Column("source", WORD, nullable=False),
        sa.Column("subject", WORD, nullable=False),
        sa.Column("user_id", WORD, nullable=False),
        sa.Column("details", DOCUMENT, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("last_login", sa.BigInteger(), nullable=False),
        sa.Column("checked", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "subject", name=op.f("pk_federated_subject")),
        sa.UniqueConstraint("source", "user_id", name=op.f("uq_federated_subject_source_user_id")),
    )
    op.create_table(
        "federated_session",
        sa.Column("id", WORD, nullable=False),
        sa.Column("source", WORD, nullable=False),
        sa.Column("subject", WORD, nullable=False),
        sa.Column("session", WORD, nullable=False),
        sa.Column("user_id", WORD, nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_federated_session")),
    )
    op.create_index(
        op.f("ix_federated_session_source_subject"), "federated_session", ["source", "subject"], unique=False
    )
    op.create_index(op.f("ix_federated_session_expires"), "federated_session", ["expires"], unique=False)
    op.create_table(
        "login_state",
        sa.Column("key", WORD, nullable=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("details", DOCUMENT, nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_login_state")),
    )
    op.create_index(op.f("ix_login_state_expires"), "login_state", ["expires"], unique=False)
