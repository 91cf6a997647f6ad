"""Alembic's entry: it runs on the connection that `schema.migrate` hands over."""

from alembic import context

from pakhus.database import login_tables, tables  # noqa: F401 -- they register themselves
from pakhus.database.columns import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
