"""Tasks, cleanup policies, trusted certificates, tags."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"

WORD = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "cleanup_policy",
        sa.Column("name", WORD, nullable=False),
        sa.Column("format", WORD, nullable=False),
        sa.Column("notes", WORD, nullable=False),
        sa.Column("criteria", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_cleanup_policy")),
    )
    op.create_table(
        "task",
        sa.Column("id", WORD, nullable=False),
        sa.Column("type", WORD, nullable=False),
        sa.Column("name", WORD, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("definition", DOCUMENT, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("next_run", sa.BigInteger(), nullable=True),
        sa.Column("running", sa.Boolean(), nullable=False),
        sa.Column("stopping", sa.Boolean(), nullable=False),
        sa.Column("last_run", sa.BigInteger(), nullable=True),
        sa.Column("last_result", WORD, nullable=False),
        sa.Column("message", WORD, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
    )
    op.create_index(op.f("ix_task_next_run"), "task", ["next_run"])
    op.create_table(
        "certificate",
        sa.Column("fingerprint", WORD, nullable=False),
        sa.Column("pem", WORD, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_certificate")),
    )
    op.create_table(
        "tag",
        sa.Column("name", WORD, nullable=False),
        sa.Column("attributes", DOCUMENT, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_tag")),
    )
    op.create_table(
        "tagged",
        sa.Column("tag", WORD, nullable=False),
        sa.Column("component_id", IDENTITY, nullable=False),
        sa.ForeignKeyConstraint(["tag"], ["tag.name"], name=op.f("fk_tagged_tag"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["component_id"], ["component.id"], name=op.f("fk_tagged_component_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tag", "component_id", name=op.f("pk_tagged")),
    )
    op.create_index(op.f("ix_tagged_component_id"), "tagged", ["component_id"])
