"""Alembic runs this for every command; `llmos.store.migrate` hands the open connection in."""

from alembic import context

from llmos.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
