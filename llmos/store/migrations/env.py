"""Alembic runs this for every command; `llmos.store.migrate` hands the open connection in."""

from alembic import context
from sqlalchemy import Connection, bindparam, text

from llmos.store.schema import metadata

_TO_CHANGE = text(
    "SELECT table_name, column_name FROM information_schema.columns"
    " WHERE table_schema = current_schema() AND table_name IN :ours AND (data_type ="
    " 'character varying' OR data_type = 'text' AND collation_name IS DISTINCT FROM 'C')"
).bindparams(bindparam("ours", expanding=True))


def unbound(connection: Connection) -> None:
    """Have every text column of PostgreSQL take text of any length and sort by code points.

    As those of SQLite do, whatever length they were declared with. Said in the types, the
    collation would be written to every value of every query as well.
    """
    found = connection.execute(_TO_CHANGE, {"ours": list(metadata.tables)}).all()
    quote = connection.dialect.identifier_preparer.quote
    for table in sorted({r.table_name for r in found}):
        changes = ", ".join(
            f'ALTER COLUMN {quote(r.column_name)} TYPE text COLLATE "C"'
            for r in found
            if r.table_name == table
        )
        connection.execute(text(f"ALTER TABLE {quote(table)} {changes}"))


connection: Connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
    if connection.dialect.name == "postgresql":
        unbound(connection)
