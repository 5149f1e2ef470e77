"""The economy: money is held before a call, written down when it is paid, and never lost.

A reservation holds an amount in several nested scopes at once (``system``, ``team:x``,
``user:x``, ``run:x``): all of them have it, or nothing is held. Functions whose names end in
``_in`` work inside the caller's transaction, so that a run, its events and its bill are committed
together. Inside, everything is in whole micro-dollars.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import insert, or_, select, update

from llmos.errors import StoreError
from llmos.kernel import ledger as books
from llmos.kernel.ledger import MICRO, LedgerRow, checked_scopes, dollars, micro
from llmos.store import Store, Transaction, new_id
from llmos.store.schema import dumps, ledger, processes, reservations, scopes, stamp
from llmos.values import Clock, utc_now


@dataclass(frozen=True, slots=True)
class Reservation:
    """Money that is held for one piece of work until it is settled, released or expires."""

    id: str
    scopes: tuple[str, ...]
    usd: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class ScopeStatus:
    """Where one scope stands, in US dollars."""

    limit_usd: float | None
    """None: the scope has no limit of its own."""
    spent_usd: float
    reserved_usd: float
    left_usd: float | None
    """What can still be reserved; below zero after a call that cost more than was held."""


class Economy:
    """Budgets and the ledger of one store.

    Args:
        store: Where they are kept.
        clock: Decides when reservations expire.
    """

    def __init__(self, store: Store, clock: Clock = utc_now) -> None:
        self._store = store
        self._clock = clock

    def set_limit(self, scope: str, usd: float | None) -> None:
        """Let ``scope`` spend ``usd`` in all, counting what it has spent; None: no limit."""
        self._store.write(lambda tx: self.set_limit_in(tx, scope, usd))

    @staticmethod
    def set_limit_in(tx: Transaction, scope: str, usd: float | None) -> None:
        """`set_limit` inside a transaction."""
        limit = None if usd is None else micro(usd)
        (row,) = books.scope_rows(tx, checked_scopes([scope]))
        if row.limit_micro == limit:
            return
        tx.conn.execute(update(scopes).where(scopes.c.name == scope).values(limit_micro=limit))
        note = "no limit" if limit is None else f"limit {dollars(limit)}"
        books.write_line(tx, "topup", [scope], (limit or 0) - (row.limit_micro or 0), note)

    def limit(self, scope: str) -> float | None:
        """What ``scope`` may spend in all; None: it has no limit of its own."""
        return self.status(scope).limit_usd

    def status(self, scope: str) -> ScopeStatus:
        """Where ``scope`` stands. One that was never used has spent nothing."""
        wanted = select(scopes).where(scopes.c.name == scope)
        row = self._store.read(lambda conn: conn.execute(wanted).first())
        if row is None:
            return ScopeStatus(None, 0.0, 0.0, None)
        left = books.left(row)
        return ScopeStatus(
            limit_usd=None if row.limit_micro is None else row.limit_micro / MICRO,
            spent_usd=row.spent_micro / MICRO,
            reserved_usd=row.reserved_micro / MICRO,
            left_usd=None if left is None else left / MICRO,
        )

    async def reserve(
        self, scopes: Sequence[str], usd: float, *, note: str, ttl_s: float = 3600
    ) -> Reservation:
        """Hold ``usd`` in every one of ``scopes``, or in none.

        Args:
            scopes: Names, such as ``["system", "team:engineering", "user:alice", "run:<id>"]``.
            usd: The most that the work can cost. Nothing can always be held.
            note: What it is for, one line.
            ttl_s: After this many seconds `expire` frees what is still held.

        Raises:
            LowBatteryError: A scope has less than that left; the error names it.
        """
        made: list[Reservation] = []

        def hold(tx: Transaction) -> None:
            made.append(self.reserve_in(tx, scopes, usd, note=note, ttl_s=ttl_s))

        try:
            await self._store.awrite(hold)
        except asyncio.CancelledError:
            # The write goes on without us, and nobody would ever settle what it holds.
            with suppress(StoreError):  # closed meanwhile: the next process will expire it
                self._store.submit(lambda tx: [self.release_in(tx, r) for r in made])
            raise
        return made[0]

    def reserve_in(
        self,
        tx: Transaction,
        scopes: Sequence[str],
        usd: float,
        *,
        note: str,
        ttl_s: float = 3600,
    ) -> Reservation:
        """`reserve` inside a transaction."""
        names, amount = checked_scopes(scopes), micro(usd)
        for row in books.scope_rows(tx, names):
            books.require(row, amount)
        books.add_to_scopes(tx, names, spent=0, reserved=amount)
        made = Reservation(new_id(), names, usd, note)
        tx.conn.execute(
            insert(reservations).values(
                id=made.id,
                process_id=tx.process_id,
                scopes=dumps(list(names)),
                amount_micro=amount,
                spent_micro=0,
                status="open",
                note=note,
                at=stamp(tx.now),
                expires_at=stamp(self._clock() + timedelta(seconds=ttl_s)),
            )
        )
        return made

    async def spend(self, reservation: Reservation, usd: float, note: str = "") -> None:
        """Write down a part that has been paid; the reservation stays open.

        Paid is paid: it counts beyond the amount held, and after the reservation was closed.
        """
        await self._store.awrite(lambda tx: self.spend_in(tx, reservation, usd, note))

    @staticmethod
    def spend_in(tx: Transaction, reservation: Reservation, usd: float, note: str = "") -> None:
        """`spend` inside a transaction."""
        row = books.reservation_row(tx, reservation.id)
        amount = micro(usd)
        if amount:
            books.pay(tx, row, amount, note or row.note)

    async def settle(
        self, reservation: Reservation, usd: float | None = None, note: str = ""
    ) -> None:
        """Close a reservation: write down what was paid and not yet told, free the rest.

        Settling again changes nothing.

        Args:
            reservation: What `reserve` returned.
            usd: What the work cost in all, parts told by `spend` included; None: only those.
            note: What it was for; the reservation's own note when left out.
        """
        await self._store.awrite(lambda tx: self.settle_in(tx, reservation, usd, note))

    @staticmethod
    def settle_in(
        tx: Transaction, reservation: Reservation, usd: float | None = None, note: str = ""
    ) -> None:
        """`settle` inside a transaction."""
        row = books.reservation_row(tx, reservation.id)
        if row.status == "settled":
            return
        rest = 0 if usd is None else micro(usd) - row.spent_micro
        if rest > 0:
            books.pay(tx, row, rest, note or row.note)
        books.close(tx, reservation.id, "settled")

    async def release(self, reservation: Reservation) -> None:
        """Close a reservation that needs no more; what it has spent stays spent."""
        await self._store.awrite(lambda tx: self.release_in(tx, reservation))

    @staticmethod
    def release_in(tx: Transaction, reservation: Reservation) -> None:
        """`release` inside a transaction."""
        if books.reservation_row(tx, reservation.id).status == "open":
            books.close(tx, reservation.id, "released")

    def expire(self) -> int:
        """Free what is held by reservations past their time or of dead processes; how many."""
        dead = self._store.dead_processes()
        return self._store.write(lambda tx: self.expire_in(tx, dead))

    def expire_in(self, tx: Transaction, dead: Sequence[str] = ()) -> int:
        """`expire` inside a transaction; ``dead`` are processes found dead before it."""
        holder = reservations.c.process_id
        ended = select(processes.c.id).where(processes.c.ended_at.is_not(None))
        past = reservations.c.expires_at <= stamp(self._clock())
        stale = select(reservations.c.id).where(
            reservations.c.status == "open",
            or_(past, holder.in_(list(dead)), holder.in_(ended)),
        )
        ids = tx.conn.scalars(stale).all()
        for id_ in ids:
            books.close(tx, id_, "expired")
        return len(ids)

    def history(self, limit: int = 50) -> list[LedgerRow]:
        """The last lines of the ledger, newest first."""
        newest = select(ledger).order_by(ledger.c.seq.desc()).limit(limit)
        rows = self._store.read(lambda conn: conn.execute(newest).all())
        return [books.ledger_row(row) for row in rows]


class TokenEconomy:
    """One budget, in three calls; what is behind it is an `Economy`.

    >>> economy = TokenEconomy(budget_usd=10.0)
    >>> economy.check_budget(0.50)
    True
    >>> economy.deduct(0.45, "Learn: Create script")
    >>> economy.balance
    9.55

    Args:
        budget_usd: What may be spent in all.
        store: Where the ledger is kept; in memory when left out.
        scope: Which budget of that store this is.
    """

    def __init__(
        self, budget_usd: float = 10.0, *, store: Store | None = None, scope: str = "system"
    ) -> None:
        self._store = store or Store.memory()
        self._economy = Economy(self._store)
        self._scope = scope
        self._economy.set_limit(scope, budget_usd)
        if store is None:
            weakref.finalize(self, self._store.close)

    @property
    def balance(self) -> float:
        """What is left, in US dollars; below zero when more was paid than there was."""
        left = self._economy.status(self._scope).left_usd
        assert left is not None  # set in __init__
        return left

    @property
    def history(self) -> list[LedgerRow]:
        """Everything that was paid from this budget, oldest first."""
        rows = self._economy.history(limit=2**31)
        return [r for r in reversed(rows) if r.kind == "spend" and self._scope in r.scopes]

    def check_budget(self, usd: float) -> bool:
        """True if ``usd`` can be spent.

        Raises:
            LowBatteryError: It is more than is left.
        """
        amount = micro(usd)
        wanted = select(scopes).where(scopes.c.name == self._scope)
        books.require(self._store.read(lambda conn: conn.execute(wanted).one()), amount)
        return True

    def deduct(self, usd: float, note: str = "") -> None:
        """Write down that ``usd`` was paid. Paid is paid: the balance may go below zero."""

        def pay(tx: Transaction) -> None:
            nothing = self._economy.reserve_in(tx, [self._scope], 0, note=note)
            self._economy.settle_in(tx, nothing, usd)

        self._store.write(pay)
