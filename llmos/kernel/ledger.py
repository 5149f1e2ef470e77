"""Rows and sums of the economy: what `llmos.kernel.economy` does to the tables.

Every function works inside the caller's transaction. Two sums hold after each of them, for every
scope: ``spent_micro`` is the sum of its ``spend`` lines in the ledger, and ``reserved_micro`` is
the sum of what open reservations still hold (their amount less what they have spent, never below
zero).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from llmos.errors import BugError, LowBatteryError, UserError
from llmos.store import Transaction
from llmos.store.schema import dumps, ledger, parse_stamp, reservations, scopes, stamp

MICRO = 1_000_000
_MOST_USD = 1e12
"""Far above any budget, far below what 64 bits of micro-dollars hold."""


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One line of the ledger."""

    seq: int
    at: datetime
    kind: str
    """``spend``: money was paid. ``topup``: a limit was changed, by this amount."""
    scopes: tuple[str, ...]
    usd: float
    reservation_id: str | None
    note: str


def micro(usd: float) -> int:
    """An amount in whole micro-dollars, rounded to the nearest.

    Raises:
        UserError: It is negative, not a number, or absurdly large.
    """
    if not 0 <= usd < _MOST_USD:
        raise UserError(f"{usd!r} is not an amount of US dollars", "give a number, 0 or more")
    return round(usd * MICRO)


def dollars(amount_micro: int) -> str:
    """An amount for people: ``$1.50``, ``$0.000012``; cents at least, no digit lost."""
    text = f"{abs(amount_micro) / MICRO:.6f}".rstrip("0")
    whole, _, part = text.partition(".")
    return f"{'-' if amount_micro < 0 else ''}${whole}.{part:0<2}"


def checked_scopes(names: Iterable[str]) -> tuple[str, ...]:
    """The scope names, each once, in their order.

    Raises:
        UserError: There is none, or one cannot be a name.
    """
    unique = tuple(dict.fromkeys(names))
    wrong = [n for n in unique if not n or len(n) > 160 or not n.isprintable() or " " in n]
    if wrong or not unique:
        raise UserError(
            f"{wrong[0][:80]!r} is not a scope" if wrong else "a budget needs a scope",
            "scopes are named like system, team:engineering, user:alice",
        )
    return unique


def scope_rows(tx: Transaction, names: Sequence[str]) -> list[Row[Any]]:
    """The rows of ``names`` in their order, made where they are new."""
    wanted = select(scopes).where(scopes.c.name.in_(names))
    # Locked in one order by all, where the database locks rows; SQLite has locked everything.
    found = {r.name: r for r in tx.conn.execute(wanted.order_by(scopes.c.name).with_for_update())}
    missing = [n for n in names if n not in found]
    if missing:
        fresh = [{"name": n, "spent_micro": 0, "reserved_micro": 0} for n in missing]
        tx.conn.execute(insert(scopes), fresh)
        return scope_rows(tx, names)
    return [found[n] for n in names]


def left(scope: Row[Any]) -> int | None:
    """What a scope can still reserve; None without a limit, negative when overdrawn."""
    if scope.limit_micro is None:
        return None
    return int(scope.limit_micro - scope.spent_micro - scope.reserved_micro)


def require(scope: Row[Any], amount: int) -> None:
    """Refuse what would overdraw ``scope``; nothing costs nothing, even when it is overdrawn.

    Raises:
        LowBatteryError: Less than ``amount`` is left.
    """
    rest = left(scope)
    if rest is None or amount == 0 or amount <= rest:
        return
    enough = math.ceil((scope.limit_micro - rest + amount) / MICRO)
    raise LowBatteryError(
        f"{scope.name} has {dollars(rest)} left and this may cost {dollars(amount)}",
        f"raise its limit: llmos budget set {scope.name} {enough}",
    )


def add_to_scopes(tx: Transaction, names: Sequence[str], *, spent: int, reserved: int) -> None:
    """Move the running sums of ``names`` by these amounts."""
    tx.conn.execute(
        update(scopes)
        .where(scopes.c.name.in_(names))
        .values(
            spent_micro=scopes.c.spent_micro + spent,
            reserved_micro=scopes.c.reserved_micro + reserved,
        )
    )


def reservation_row(tx: Transaction, reservation_id: str) -> Row[Any]:
    """The row of a reservation."""
    row = tx.conn.execute(select(reservations).where(reservations.c.id == reservation_id)).first()
    if row is None:
        raise BugError(f"reservation {reservation_id!r} was never made")
    return row


def pay(tx: Transaction, row: Row[Any], amount: int, note: str) -> None:
    """Write down that ``amount`` was paid out of the reservation ``row``, open or not."""
    names = json.loads(row.scopes)
    after = row.spent_micro + amount
    freed = _held(row, row.spent_micro) - _held(row, after)
    add_to_scopes(tx, names, spent=amount, reserved=-freed)
    tx.conn.execute(
        update(reservations).where(reservations.c.id == row.id).values(spent_micro=after)
    )
    write_line(tx, "spend", names, amount, note, row.id)


def close(tx: Transaction, reservation_id: str, status: str) -> None:
    """Give a reservation its last status and free what it still holds."""
    row = reservation_row(tx, reservation_id)
    add_to_scopes(tx, json.loads(row.scopes), spent=0, reserved=-_held(row, row.spent_micro))
    tx.conn.execute(
        update(reservations)
        .where(reservations.c.id == reservation_id)
        .values(status=status, ended_at=stamp(tx.now))
    )


def _held(row: Row[Any], spent: int) -> int:
    """What ``row`` holds back from others once ``spent`` of it has been paid."""
    return max(0, row.amount_micro - spent) if row.status == "open" else 0


def write_line(
    tx: Transaction,
    kind: str,
    names: Sequence[str],
    amount: int,
    note: str,
    reservation_id: str | None = None,
) -> None:
    """Append to the ledger."""
    tx.conn.execute(
        insert(ledger).values(
            at=stamp(tx.now),
            kind=kind,
            scopes=dumps(list(names)),
            amount_micro=amount,
            reservation_id=reservation_id,
            note=note,
        )
    )


def ledger_row(row: Row[Any]) -> LedgerRow:
    """A line of the ledger as callers see it."""
    return LedgerRow(
        seq=row.seq,
        at=parse_stamp(row.at),
        kind=row.kind,
        scopes=tuple(json.loads(row.scopes)),
        usd=row.amount_micro / MICRO,
        reservation_id=row.reservation_id,
        note=row.note,
    )
