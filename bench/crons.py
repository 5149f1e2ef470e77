"""Kill a daemon of crons a hundred times at random moments.

``python -m bench.crons [TIMES] [--postgres]``: on SQLite, or on a PostgreSQL server of its own,
there with daemons of two homes in turn. Also says what a daemon that waits takes.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path

from tests.crons.killing import kill_again_and_again, what_is_left
from tests.support.databases import Database, running_server


def idle_megabytes(home: Path) -> float:
    """Resident memory of a daemon whose crons have nothing to do."""
    command = [sys.executable, "-m", "llmos", "--home", str(home), "daemon"]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    child.stderr.readline()
    time.sleep(5.0)
    told = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(child.pid)], capture_output=True, check=True
    )
    child.terminate()
    child.wait()
    return int(told.stdout) * 1024 / 1e6


def main() -> None:
    asked = ArgumentParser(description=__doc__)
    asked.add_argument("times", nargs="?", type=int, default=100)
    asked.add_argument("--postgres", action="store_true")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as served:
        url = served.enter_context(running_server()).empty() if given.postgres else None
        database = Database(Path(folder, "killed"), url)
        began = time.monotonic()
        kill_again_and_again(database, given.times)
        took = time.monotonic() - began
        left = asyncio.run(what_is_left(database))
        print(f"{given.times} kills on {database.kind} in {took:.0f} s: {left}")
        print(f"a daemon that waits: {idle_megabytes(Path(folder, 'idle')):.0f} MB")


if __name__ == "__main__":
    main()
