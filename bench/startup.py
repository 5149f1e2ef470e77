"""How long the command line takes to say what it can do.

    python -m bench startup [--json]

Compared with a bare Python in the same minute, pair by pair.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from typing import Any

PAIRS = 11


def seconds(*arguments: str) -> float:
    """Wall clock of one Python process."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def main() -> list[dict[str, Any]]:
    """Measure and return the row."""
    seconds("-m", "llmos", "--help")  # compiles what is not yet compiled
    pairs = [(seconds("-m", "llmos", "--help"), seconds("-c", "")) for _ in range(PAIRS)]
    return [
        {
            "what": "llmos --help",
            "ms": round(statistics.median(a for a, _ in pairs) * 1e3),
            "bare_ms": round(statistics.median(b for _, b in pairs) * 1e3),
            "ratio": round(statistics.median(a / b for a, b in pairs), 1),
            "target": "<= 200 ms",
        }
    ]
