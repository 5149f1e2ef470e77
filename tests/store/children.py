"""What the other processes of the tests do. They are real ones, and some are killed."""

import multiprocessing
import os
from contextlib import suppress
from functools import partial
from multiprocessing.context import ForkServerProcess
from typing import Any

from sqlalchemy import select

from llmos.errors import LowBatteryError
from llmos.kernel.economy import Economy
from llmos.store import Transaction
from llmos.store.schema import scopes
from llmos.values import EventType
from tests.support.databases import Database

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])  # a child then starts in milliseconds


def start(function: Any, *args: Any) -> ForkServerProcess:
    """Run ``function`` in a new process; whoever starts it must join it."""
    child = _context.Process(target=function, args=args, daemon=True)
    child.start()
    return child


def pipe() -> tuple[Any, Any]:
    return _context.Pipe(duplex=False)


def increase(database: Database, times: int) -> None:
    """Read a number, write it back increased by one."""

    def once(tx: Transaction) -> None:
        was = tx.conn.scalar(select(scopes.c.spent_micro).where(scopes.c.name == "n"))
        tx.conn.execute(scopes.update().values(spent_micro=was + 1))

    with database.open() as store:
        for _ in range(times):
            store.write(once)


def open_and_close(database: Database) -> None:
    database.open().close()


def work_until_killed(database: Database, told: Any) -> None:
    """Pay and note it down in one transaction, for ever; say the event's id once committed."""
    store = database.open()
    economy = Economy(store)

    def once(tx: Transaction) -> str:
        held = economy.reserve_in(tx, ["system", "user:alice"], 0.02, note="work")
        economy.settle_in(tx, held, 0.01)
        return tx.event(EventType.TASK_COMPLETED, owner="alice", payload={"text": "x" * 500})

    store.write(lambda tx: economy.reserve_in(tx, ["system"], 1.0, note="held when it died"))
    while True:
        os.write(told.fileno(), store.write(once).encode() + b"\n")


def reserve_until_refused(database: Database) -> None:
    """Spend three cents of a budget at a time, then the single cents, until none is left."""
    with database.open() as store:
        economy = Economy(store)
        for usd in (0.03, 0.01):
            with suppress(LowBatteryError):
                while True:
                    reserve = partial(economy.reserve_in, scopes=["system"], usd=usd, note="work")
                    held = store.write(reserve)
                    store.write(partial(economy.settle_in, reservation=held, usd=usd))
