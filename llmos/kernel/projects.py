"""The table of projects: a name is in it from its first use on, whatever it was used for."""

from __future__ import annotations

from sqlalchemy import Connection, select

from llmos.store import Transaction
from llmos.store.dialect import insert_new
from llmos.store.schema import projects, stamp


def note_project(tx: Transaction, volume: str, owner: str, name: str | None) -> bool:
    """Note that a project is used; whether it was not known before.

    Args:
        tx: The transaction that stores what belongs to it.
        volume: ``user`` or ``team``.
        owner: Whose project.
        name: Its checked name; None or ``""``: there is none to note.
    """
    if not name or is_known(tx.conn, volume, owner, name):
        return False
    row = {"volume": volume, "owner": owner, "name": name, "at": stamp(tx.now)}
    return insert_new(tx.conn, projects, row, ["volume", "owner", "name"])


def is_known(conn: Connection, volume: str, owner: str, name: str) -> bool:
    """Whether a project was ever used."""
    meant = (projects.c.volume == volume) & (projects.c.owner == owner)
    query = select(projects.c.name).where(meant, projects.c.name == name)
    return conn.execute(query).first() is not None
