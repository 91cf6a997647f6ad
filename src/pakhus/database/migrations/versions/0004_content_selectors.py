"""Content selectors."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

WORD = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "content_selector",
        sa.Column("name", WORD, nullable=False),
        sa.Column("description", WORD, nullable=False),
        sa.Column("expression", WORD, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_content_selector")),
    )
