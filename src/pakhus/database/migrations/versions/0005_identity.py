"""Users of other sources, sessions, lockouts, second factors, LDAP servers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0003"

WORD = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("account", sa.Column("groups", DOCUMENT, nullable=False, server_default=sa.text("'[]'")))
    op.add_column("account", sa.Column("seen", sa.BigInteger()))
    for name in ("code", "nonce", "address"):
        op.add_column("token", sa.Column(name, WORD, nullable=False, server_default=""))
