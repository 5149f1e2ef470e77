"""Kill a daemon of crons a hundred times at random moments: ``python -m bench.crons [TIMES]``.

Also says what a daemon that waits takes.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.crons.killing import kill_again_and_again, what_is_left


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
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "killed")
        kill_again_and_again(home, times)
        left = asyncio.run(what_is_left(home))
        print(f"{times} kills: {left}")
        print(f"a daemon that waits: {idle_megabytes(Path(folder, 'idle')):.0f} MB")


if __name__ == "__main__":
    main()
