"""Signing keys of repositories."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

WORD = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "signing_key",
        sa.Column("id", IDENTITY, autoincrement=True, nullable=False),
        sa.Column("repository_id", IDENTITY, nullable=False),
        sa.Column("fingerprint", WORD, nullable=False),
        sa.Column("user_ids", DOCUMENT, nullable=False),
        sa.Column("public", WORD, nullable=False),
        sa.Column("secret", DOCUMENT, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("signs_until", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repository.id"],
            name=op.f("fk_signing_key_repository_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signing_key")),
        sa.UniqueConstraint("repository_id", "fingerprint", name=op.f("uq_signing_key_repository_id_fingerprint")),
    )
