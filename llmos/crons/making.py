"""Makes the engine of an object that may be forgotten while its crons run."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TypeVar

from llmos.config import LLMOSConfig
from llmos.crons.cycle import CronLevel, CycleReport
from llmos.crons.engine import CronEngine
from llmos.errors import StoreError
from llmos.store import Store
from llmos.values import Clock

T = TypeVar("T")


def engine_of(
    owner: T,
    run_cycle: Callable[[T, CronLevel, str], CycleReport],
    store: Store,
    config: LLMOSConfig,
    clock: Clock,
) -> CronEngine:
    """An engine with the configured intervals, which ends soon when ``owner`` is forgotten.

    Args:
        owner: Whose crons they are. The engine does not keep it alive.
        run_cycle: Does a cycle; given the owner.
        store: Of the home.
        config: The settings.
        clock: Returns the present.
    """
    reference = weakref.ref(owner)

    def run(level: CronLevel, whose: str) -> CycleReport:
        found = reference()
        if found is None:
            raise StoreError("LLM OS was let go while its crons ran", "await os.shutdown() first")
        return run_cycle(found, level, whose)

    intervals = {
        CronLevel.USER: config.user_cron_interval,
        CronLevel.TEAM: config.team_cron_interval,
        CronLevel.SYSTEM: config.system_cron_interval,
    }
    engine = CronEngine(store, run, intervals=intervals, clock=clock)
    # Not at the end of the program: nothing could be waited for there.
    weakref.finalize(owner, engine.abandon).atexit = False
    return engine
