"""Runs one cycle of a cron: the right kind, under a budget of its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace

from llmos.crons.context import CronContext
from llmos.crons.cycle import CronLevel, CycleReport
from llmos.crons.system import SystemCycle
from llmos.crons.team import TeamCycle
from llmos.crons.user import UserCycle
from llmos.volumes import Caller, Mirror

_log = logging.getLogger(__name__)


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
    volume = context.volume(level.place(owner), _caller(level, owner))
    if context.rewriting is not None and level is CronLevel.USER:
        report = context.rewriting.rewrite(report, volume)
    if context.wording is not None:
        report = context.wording.word(report, volume)
    if report.tasks and context.config.mirror:
        _show(context, level, owner)
    return replace(report, seconds=time.perf_counter() - began)


def _caller(level: CronLevel, owner: str) -> Caller:
    """Who a cron is."""
    if level is CronLevel.USER:
        return Caller.user_cron(owner)
    return Caller.team_cron(owner) if level is CronLevel.TEAM else Caller.system_cron()


def _show(context: CronContext, level: CronLevel, owner: str) -> None:
    """Bring the files of the cron's volume up to date, after all is stored.

    Trouble with files hurts no cycle: it is in the mirror's report, for `llmos volumes mirror`.
    """
    mirror = Mirror(context.store.home, context.store, _caller(level, owner))
    for note in mirror.refresh(level.place(owner)).problems:
        _log.warning("%s: %s", note.path, note.told)
