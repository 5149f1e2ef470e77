"""What LLM OS learns in a warehouse that it was not built with.

    python -m bench.depot [--seeds 5] [--goals 30] [--drift 2] [--near-misses] [--per-family]

Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from bench.depot.goals import FAMILIES
from bench.depot.protocol import Plan, run_seed
from bench.depot.report import report


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser("python -m bench.depot", description=__doc__)
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    add = made.add_argument
    add("--seeds", type=int, default=5, metavar="N", help="seeds 0 … N-1; default 5")
    add("--first", type=int, default=0, metavar="SEED", help="begin with this seed; default 0")
    add("--goals", type=int, default=30, metavar="N", help="goals of each family; default 30")
    add("--families", nargs="*", default=[], choices=sorted(FAMILIES), help="only these")
    add("--drift", type=int, default=0, metavar="N", help="ask in N other worlds as well")
    add("--near-misses", action="store_true", help="ask goals with one critical word changed")
    add("--per-family", action="store_true", help="a row for each family")
    add("--json", type=Path, metavar="FILE", help="write every run there")
    return made


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    given = parser().parse_args(arguments)
    plan = Plan(given.goals, given.drift, given.near_misses, tuple(given.families))
    results = []
    for seed in range(given.first, given.first + given.seeds):
        began = time.perf_counter()
        results.append(run_seed(plan, seed))
        print(f"… seed {seed} done after {time.perf_counter() - began:.0f} s", file=sys.stderr)
    if given.json:
        given.json.write_text(json.dumps([asdict(result) for result in results]), encoding="utf-8")
    print(report(results, per_family=given.per_family))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
