"""How crons and their cycles are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llmos.crons import CycleReport
from llmos.crons.claim import Holder
from llmos.crons.states import summary
from llmos.crons.status import CronStatus
from llmos.surfaces.cli.output import duration, one_line, print_table, to_json, when
from llmos.values import Json


@dataclass(frozen=True, slots=True)
class Shown:
    """The crons of a home, and who runs them."""

    holder: Holder | None
    crons: Sequence[CronStatus]
    limit: int

    def as_dict(self) -> dict[str, Json]:
        """Both as JSON."""
        listed = [c.as_dict() for c in self.crons[: self.limit]]
        return {"run_by": to_json(self.holder), "crons": listed, "all": len(self.crons)}


def show_crons(shown: Shown) -> None:
    """Print who runs the crons, and a line for each."""
    if shown.holder is not None:
        print(f"run by the {shown.holder}")
    else:
        print("nobody runs the crons; say: llmos crons start")
    if not shown.crons:
        return
    print()
    header = ("LEVEL", "OWNER", "STATE", "LAST", "NEXT", "WHAT IT DID")
    print_table(header, [_cells(c) for c in shown.crons[: shown.limit]])
    more = len(shown.crons) - shown.limit
    if more > 0:
        print(f"and {more} more: --limit N")


def show_report(report: CycleReport) -> None:
    """Print what a cycle did, one line a task."""
    for task in report.tasks:
        print(f"+ {one_line(task.title, 200)}" + (f" ({one_line(task.why)})" if task.why else ""))
        if task.worded:
            print(f"  in a model's words: {one_line(task.worded, 500)}")
    if report.tasks and report.why:
        print(f"  {one_line(report.why, 500)}")
    print(cycle_line(report))


def cycle_line(report: CycleReport) -> str:
    """What a cycle did, in one line."""
    failed = "failed: " if report.error else ""
    what = one_line(summary(report), 200)
    return f"{report.level.value} {report.owner}: {failed}{what} ({duration(report.seconds)})"


def _cells(cron: CronStatus) -> tuple[str, ...]:
    state = f"{cron.status} x{cron.failures}" if cron.failures > 1 else cron.status
    last = cron.began_at if cron.running else cron.ended_at
    return (
        cron.level.value,
        cron.owner,
        f"paused ({state})" if cron.paused else state,
        when(last) if last else "never",
        when(cron.next_at) if cron.next_at and not cron.paused else "",
        one_line(cron.told, 200),
    )
