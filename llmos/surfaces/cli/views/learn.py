"""How an import is shown."""

from __future__ import annotations

from collections import Counter
from types import TracebackType
from typing import TYPE_CHECKING, Self

from llmos.surfaces.cli.output import duration, err, one_line, print_table

if TYPE_CHECKING:
    from rich.progress import Progress

    from llmos.memory.importers import Report


_REFUSED = 20
"""Refused files that are named, each with its reason."""


class Bar:
    """How far an import is, on standard error; only on a terminal.

    Args:
        total: Bytes that there are to deal with.
        silent: Show nothing.
    """

    def __init__(self, total: int, *, silent: bool = False) -> None:
        self._total = total
        self._console = err()
        self._silent = silent or not self._console.is_terminal
        self._progress: Progress | None = None

    def __enter__(self) -> Self:
        if not self._silent:
            from rich.progress import (
                BarColumn,
                DownloadColumn,
                Progress,
                TimeRemainingColumn,
                TransferSpeedColumn,
            )

            columns = BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
            self._progress = Progress(*columns, console=self._console, transient=True)
            self._task = self._progress.add_task("", total=self._total)
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def advance(self, size: int) -> None:
        """Note that ``size`` more bytes have been dealt with."""
        if self._progress is not None:
            self._progress.advance(self._task, size)


def show_report(report: Report) -> None:
    """Print what an import found, learnt and left out."""
    verb = "would be stored" if report.dry_run else "stored"
    rows = [
        (f"{report.sessions:,}", "sessions", _sessions(report)),
        (f"{report.goals:,}", "goals", _listed(report.left_out, "left out")),
        (f"{report.traces:,}", f"traces {verb}", _traces(report)),
        (f"{report.steps.total():,}", "steps", _listed(report.steps)),
        (f"{report.redactions.total():,}", "secrets taken out", _listed(report.redactions)),
        (f"{report.not_understood.total():,}", "not understood", _listed(report.not_understood)),
        (f"{report.ignored.total():,}", "of no matter", _listed(report.ignored)),
        (duration(report.seconds), "", f"{report.bytes / 1e6:,.1f} MB read"),
    ]
    print_table((">COUNT", "WHAT", "OF WHICH"), rows)
    for refused in report.refused[:_REFUSED]:
        err().print(f"not learnt: {one_line(refused, 500)}")
    if len(report.refused) > _REFUSED:
        err().print(f"and {len(report.refused) - _REFUSED:,} more: --json names all")


def _sessions(report: Report) -> str:
    told = {
        "new": report.new,
        "gone on since": report.continued,
        "known": report.known,
        "without a finished goal": report.empty,
        "unreadable": report.unreadable,
    }
    return _listed(Counter(told))


def _traces(report: Report) -> str:
    told = {
        "failed": report.failed,
        "never replayed, since a secret is missing": report.incomplete,
    }
    return _listed(Counter(told))


def _listed(counts: Counter[str], what: str = "") -> str:
    """``12 Read, 3 Bash``, the most frequent first."""
    parts = [f"{n:,} {name}" for name, n in counts.most_common() if n]
    told = one_line(", ".join(parts), 500)
    return f"{what}: {told}" if what and told else told
