"""Watermarks: how far background work has come.

They are moved in the transaction that stores what the work made, so that work which dies is done
again from the last one and what it made is never there twice.
"""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from llmos.store import Transaction
from llmos.store.dialect import insert_new
from llmos.store.schema import stamp, watermarks
from llmos.values import check_name
from llmos.volumes.reading import in_place
from llmos.volumes.records import Place


def get_watermark(source: Transaction | Connection, name: str, place: Place) -> str | None:
    """What `set_watermark` was last given, or None if it never was.

    Args:
        source: Where to read: a transaction, or the connection of `Store.read`.
        name: Which work.
        place: In which volume.

    Raises:
        UserError: ``name`` is not a usable name.
    """
    conn = source.conn if isinstance(source, Transaction) else source
    check_name(name, "watermark")
    meant = in_place(watermarks, place) & (watermarks.c.name == name)
    return conn.scalar(select(watermarks.c.value).where(meant))


def set_watermark(tx: Transaction, name: str, place: Place, value: str) -> None:
    """Note that work has come to ``value``.

    Args:
        tx: The transaction that stores what the work made.
        name: Which work.
        place: In which volume.
        value: Whatever the work finds its place by: the number of an event, an id, a time.

    Raises:
        UserError: ``name`` is not a usable name.
    """
    row = {
        "name": check_name(name, "watermark"),
        "volume": place.volume,
        "owner": place.owner,
        "value": value,
        "updated_at": stamp(tx.now),
    }
    if not insert_new(tx.conn, watermarks, row, ["name", "volume", "owner"]):
        meant = in_place(watermarks, place) & (watermarks.c.name == name)
        changed = {"value": value, "updated_at": row["updated_at"]}
        tx.conn.execute(update(watermarks).where(meant).values(changed))
