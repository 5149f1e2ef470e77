"""Let a day pass and tell what it did.

python -m bench.soak [--hours N] [--per-hour N] [--postgres] [--json] [--folder DIR] [--leaks]
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
import tracemalloc
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path

from bench.soak.day import Day, Hour, Options
from bench.soak.report import as_json, as_line, as_text
from tests.support.databases import running_server


def main() -> int:
    """Soak and print; 1 if a result was wrong or a goal failed that should not."""
    asked = ArgumentParser(prog="python -m bench.soak", description=__doc__)
    asked.add_argument("--hours", type=int, default=24, help="of the simulated clock")
    asked.add_argument("--per-hour", type=int, default=100, help="goals in each of them")
    asked.add_argument("--seed", type=int, default=1, help="of what is drawn by chance")
    asked.add_argument("--postgres", action="store_true", help="on a server of its own")
    asked.add_argument("--json", action="store_true", help="all samples, for programs")
    asked.add_argument("--folder", type=Path, help="a new folder for all that is made; it stays")
    asked.add_argument("--leaks", action="store_true", help="say which lines hold more and more")
    given = asked.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="llmos-soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    early: list[tracemalloc.Snapshot] = []

    def progress(hour: Hour, hours: int) -> None:
        if given.leaks and hour.number == max(1, hours // 3):
            early.append(tracemalloc.take_snapshot())
        print(as_line(hour, hours), file=sys.stderr, flush=True)

    with ExitStack() as stack:
        if given.folder is None:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        url = stack.enter_context(running_server(safe=True)).empty() if given.postgres else ""
        options = Options(given.hours, given.per_hour, given.seed, url, progress=progress)
        if given.leaks:
            tracemalloc.start(4)
        day = Day(folder.resolve(), options)
        day.at_end = lambda: _tell_leaks(early) if given.leaks else None
        told = asyncio.run(day.live())
    print(json.dumps(as_json(told), indent=2) if given.json else as_text(told))
    return 1 if told.wrong or told.failed else 0


def _tell_leaks(early: list[tracemalloc.Snapshot]) -> None:
    """Which lines hold more than after the first third."""
    late = tracemalloc.take_snapshot()
    for found in late.compare_to(early[0], "traceback")[:12]:
        print(found, *found.traceback.format(4), sep="\n", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
