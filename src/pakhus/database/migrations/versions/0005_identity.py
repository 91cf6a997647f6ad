"""Users of other sources, sessions, lockouts, second factors, LDAP servers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"

WORD = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("account", sa.Column("groups", DOCUMENT, nullable=False, server_default=sa.text("'[]'")))
    op.add_column("account", sa.Column("seen", sa.BigInteger()))
    for name in ("code", "nonce", "address"):
        op.add_column("token", sa.Column(name, WORD, nullable=False, server_default=""))
    op.create_table(
        "session",
        sa.Column("id", WORD, nullable=False),
        sa.Column("user_id", WORD, nullable=False),
        sa.Column("source", WORD, nullable=False),
        sa.Column("address", WORD, nullable=False),
        sa.Column("agent", WORD, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session")),
    )
    op.create_index(op.f("ix_session_user_id_source"), "session", ["user_id", "source"])
    op.create_table(
        "lockout",
        sa.Column("user_id", WORD, nullable=False),
        sa.Column("address", WORD, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "address", name=op.f("pk_lockout")),
    )
    op.create_table(
        "second_factor",
        sa.Column("user_id", WORD, nullable=False),
        sa.Column("secret", DOCUMENT, nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_second_factor")),
    )
    op.create_table(
        "ldap_server",
        sa.Column("id", WORD, nullable=False),
        sa.Column("name", WORD, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("settings", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ldap_server")),
        sa.UniqueConstraint("name", name=op.f("uq_ldap_server_name")),
    )
