"""What the trace compiler did in a night, as the report of a cycle."""

from __future__ import annotations

from llmos.crons.cycle import CronLevel, CycleReport, CycleTask
from llmos.evolution.compiler import Compiler, LearnReport


def learning_cycle(compiler: Compiler, owner: str) -> CycleReport:
    """Learn from what is new in a user's traces."""
    report = compiler.learn()
    tasks = tuple(_tasks(report))
    why = "" if tasks else "nothing new" if not report.traces else "no tool came of it"
    return CycleReport(
        CronLevel.USER,
        owner,
        tasks=tasks,
        why=why,
        looked_at=report.traces,
        seconds=report.seconds,
        tokens=report.usage.total_tokens,
        cost_usd=report.cost_usd,
    )


def _tasks(report: LearnReport) -> list[CycleTask]:
    done = (
        ("learnt {}", report.created),
        ("learnt {} anew", report.evolved),
        ("took {} out of use", report.retired),
        ("put {} in use", report.released),
    )
    return [CycleTask("tool", name, say.format(name)) for say, names in done for name in names]
