"""The first schema."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

WORD = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("user_id", WORD, nullable=False),
        sa.Column("source", WORD, nullable=False),
        sa.Column("first_name", WORD, nullable=False),
        sa.Column("last_name", WORD, nullable=False),
        sa.Column("email", WORD, nullable=False),
        sa.Column("status", WORD, nullable=False),
        sa.Column("password_hash", WORD, nullable=False),
        sa.Column("roles", DOCUMENT, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "source", name=op.f("pk_account")),
    )
    op.create_table(
        "blob_store",
        sa.Column("name", WORD, nullable=False),
        sa.Column("type", WORD, nullable=False),
        sa.Column("settings", DOCUMENT, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_blob_store")),
    )
    op.create_table(
        "cursor",
        sa.Column("subscriber", WORD, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subscriber", name=op.f("pk_cursor")),
    )
    op.create_table(
        "event",
        sa.Column("id", IDENTITY, autoincrement=True, nullable=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("repository", WORD, nullable=False),
        sa.Column("details", DOCUMENT, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "lease",
        sa.Column("name", WORD, nullable=False),
        sa.Column("owner", WORD, nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "privilege",
        sa.Column("name", WORD, nullable=False),
        sa.Column("type", WORD, nullable=False),
        sa.Column("description", WORD, nullable=False),
        sa.Column("read_only", sa.Boolean(), nullable=False),
        sa.Column("properties", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_privilege")),
    )
    op.create_table(
        "repository",
        sa.Column("id", IDENTITY, autoincrement=True, nullable=False),
        sa.Column("name", WORD, nullable=False),
        sa.Column("name_key", WORD, nullable=False),
        sa.Column("format", WORD, nullable=False),
        sa.Column("type", WORD, nullable=False),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("blob_store", WORD, nullable=False),
        sa.Column("routing_rule", WORD, nullable=True),
        sa.Column("settings", DOCUMENT, nullable=False),
        sa.Column("invalidated", sa.BigInteger(), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repository")),
        sa.UniqueConstraint("name_key", name=op.f("uq_repository_name_key")),
    )
    op.create_table(
        "role",
        sa.Column("id", WORD, nullable=False),
        sa.Column("name", WORD, nullable=False),
        sa.Column("description", WORD, nullable=False),
        sa.Column("read_only", sa.Boolean(), nullable=False),
        sa.Column("privileges", DOCUMENT, nullable=False),
        sa.Column("roles", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role")),
    )
    op.create_table(
        "routing_rule",
        sa.Column("name", WORD, nullable=False),
        sa.Column("description", WORD, nullable=False),
        sa.Column("mode", WORD, nullable=False),
        sa.Column("matchers", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_routing_rule")),
    )
    op.create_table(
        "setting",
        sa.Column("key", WORD, nullable=False),
        sa.Column("value", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_setting")),
    )
    op.create_table(
        "token",
        sa.Column("id", IDENTITY, autoincrement=True, nullable=False),
        sa.Column("user_id", WORD, nullable=False),
        sa.Column("source", WORD, nullable=False),
        sa.Column("name", WORD, nullable=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("sha256", WORD, nullable=False),
        sa.Column("scopes", DOCUMENT, nullable=False),
        sa.Column("repositories", DOCUMENT, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=True),
        sa.Column("last_used", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token")),
        sa.UniqueConstraint("sha256", name=op.f("uq_token_sha256")),
        sa.UniqueConstraint("user_id", "source", "name", name=op.f("uq_token_user_id_source_name")),
    )
    op.create_table(
        "blob",
        sa.Column("id", IDENTITY, autoincrement=True, nullable=False),
        sa.Column("blob_store", WORD, nullable=False),
        sa.Column("key", WORD, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", WORD, nullable=False),
        sa.Column("sha1", WORD, nullable=False),
        sa.Column("md5", WORD, nullable=False),
        sa.Column("sha512", WORD, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("touched", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["blob_store"], ["blob_store.name"], name=op.f("fk_blob_blob_store")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_blob")),
        sa.UniqueConstraint("blob_store", "key", name=op.f("uq_blob_blob_store_key")),
        sa.UniqueConstraint("blob_store", "sha256", name=op.f("uq_blob_blob_store_sha256")),
    )
    op.create_index(op.f("ix_blob_sha256"), "blob", ["sha256"], unique=False)
    op.create_table(
        "component",
        sa.Column("id", IDENTITY, autoincrement=True, nullable=False),
        sa.Column("repository_id", IDENTITY, nullable=False),
        sa.Column("namespace", WORD, nullable=False),
        sa.Column("name", WORD, nullable=False),
        sa.Column("version", WORD, nullable=False),
        sa.Column("version_order", WORD, nullable=False),
        sa.Column("prerelease", sa.Boolean(), nullable=False),
        sa.Column("attributes", DOCUMENT, nullable=False),
        sa.Column("published", sa.BigInteger(), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repository.id"], name=op.f("fk_component_repository_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_component")),
        sa.UniqueConstraint(
            "repository_id",
            "namespace",
            "name",
            "version",
            name=op.f("uq_component_repository_id_namespace_name_version"),
        ),
    )
    op.create_index(op.f("ix_component_repository_id_name"), "component", ["repository_id", "name"], unique=False)
    op.create_table(
        "revision",
        sa.Column("repository_id", IDENTITY, nullable=False),
        sa.Column("key", WORD, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repository.id"], name=op.f("fk_revision_repository_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("repository_id", "key", name=op.f("pk_revision")),
    )
    op.create_table(
        "asset",
        sa.Column("id", IDENTITY, autoincrement=True, nullable=False),
        sa.Column("repository_id", IDENTITY, nullable=False),
        sa.Column("component_id", IDENTITY, nullable=True),
        sa.Column("path", WORD, nullable=False),
        sa.Column("blob_id", IDENTITY, nullable=False),
        sa.Column("content_type", WORD, nullable=False),
        sa.Column("attributes", DOCUMENT, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("uploader", WORD, nullable=False),
        sa.Column("uploader_ip", WORD, nullable=False),
        sa.Column("downloads", sa.BigInteger(), nullable=False),
        sa.Column("last_downloaded", sa.BigInteger(), nullable=True),
        sa.Column("verified", sa.BigInteger(), nullable=True),
        sa.Column("origin", WORD, nullable=False),
        sa.Column("etag", WORD, nullable=False),
        sa.Column("last_modified", WORD, nullable=False),
        sa.ForeignKeyConstraint(["blob_id"], ["blob.id"], name=op.f("fk_asset_blob_id")),
        sa.ForeignKeyConstraint(["component_id"], ["component.id"], name=op.f("fk_asset_component_id")),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repository.id"], name=op.f("fk_asset_repository_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asset")),
        sa.UniqueConstraint("repository_id", "path", name=op.f("uq_asset_repository_id_path")),
    )
    op.create_index(op.f("ix_asset_blob_id"), "asset", ["blob_id"], unique=False)
    op.create_index(op.f("ix_asset_component_id"), "asset", ["component_id"], unique=False)
    op.create_table(
        "reference",
        sa.Column("asset_id", IDENTITY, nullable=False),
        sa.Column("path", WORD, nullable=False),
        sa.Column("repository_id", IDENTITY, nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], ["asset.id"], name=op.f("fk_reference_asset_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repository.id"], name=op.f("fk_reference_repository_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("asset_id", "path", name=op.f("pk_reference")),
    )
    op.create_index(op.f("ix_reference_repository_id_path"), "reference", ["repository_id", "path"], unique=False)
