"""When the system's cron looks for blobs that nobody refers to any more."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from llmos.kernel.sweep import UNTOUCHED_S, Swept, sweep, untouched_for
from llmos.store import Store, Transaction
from llmos.store.schema import parse_stamp, stamp, watermarks
from llmos.volumes import PURGED, Place, get_watermark, set_watermark

WATERMARK = "blobs-swept"

_PLACE = Place("system", "system")
_EVERY = timedelta(days=1)
_AFTER_PURGE = timedelta(seconds=2 * UNTOUCHED_S)
"""How long after a purge each cycle looks: what it left may have been too young to go."""


def tidy(store: Store, tool_timeout_s: float) -> Swept:
    """Sweep the blobs of this home, if a day has passed since, or something was purged.

    The first cycle of a home only notes when it was.

    Args:
        store: Of the home.
        tool_timeout_s: How long a call may take, in seconds.
    """
    due = store.write(_is_due)
    return sweep(store, untouched_for(tool_timeout_s)) if due else Swept()


def _is_due(tx: Transaction) -> bool:
    known = get_watermark(tx, WATERMARK, _PLACE)
    swept = parse_stamp(known) if known else None
    due = swept is not None and (tx.now - swept >= _EVERY or _purged_since(tx.conn, swept))
    if swept is None or due:
        set_watermark(tx, WATERMARK, _PLACE, stamp(tx.now))
    return due


def _purged_since(conn: Connection, swept: datetime) -> bool:
    newest = select(func.max(watermarks.c.updated_at)).where(watermarks.c.name == PURGED)
    return (conn.scalar(newest) or "") >= stamp(swept - _AFTER_PURGE)
