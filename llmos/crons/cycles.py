"""Runs one cycle of a cron: the right kind, under a budget of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from llmos.crons.context import CronContext
from llmos.crons.cycle import CronLevel, CycleReport
from llmos.crons.system import SystemCycle
from llmos.crons.team import TeamCycle
from llmos.crons.user import UserCycle


def run_cycle(
    context: CronContext,
    level: CronLevel,
    owner: str,
    progress: Callable[[str], None] = lambda told: None,
) -> CycleReport:
    """One cycle: what is new since the last one. Blocks; nothing of it is stored if it raises.

    What the compiler has learnt is stored before the rest: a cycle that dies after it finds that
    done.

    Args:
        context: What all cycles share.
        level: Which kind of cron.
        owner: Whose: a user, a team, or ``system``.
        progress: Told the goal that is being looked at.
    """
    began = time.perf_counter()
    if level is CronLevel.USER:
        report = UserCycle(context, owner, progress).run()
    elif level is CronLevel.TEAM:
        report = TeamCycle(context, owner).run()
    else:
        report = SystemCycle(context).run()
    return replace(report, seconds=time.perf_counter() - began)
