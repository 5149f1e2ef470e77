"""Everything that the documents claim about speed, measured here and now.

python -m bench [agents] [audits] [decide] [events] [facts] [kernel] [parsing] [plans] [reads]
                [replays] [report] [rewriting] [startup] [telemetry] [tools [PATH]] [--json]

PATH is the folder of the office benchmark, which the part ``tools`` asks for recall.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path

PARTS = (
    "kernel",
    "reads",
    "decide",
    "replays",
    "audits",
    "events",
    "report",
    "startup",
    "parsing",
    "plans",
    "agents",
    "rewriting",
    "facts",
    "telemetry",
    "tools",
)


def main(arguments: list[str]) -> int:
    """Measure the named parts, or all."""
    as_json = "--json" in arguments
    named = [a for a in arguments if not a.startswith("-")]
    folder = _folder(named)
    unknown = set(named) - set(PARTS)
    if unknown:
        print(f"error: no such part: {', '.join(sorted(unknown))}; parts: {', '.join(PARTS)}")
        return 2
    rows = []
    for part in named or PARTS:
        given = [folder] if folder is not None and part == "tools" else []
        rows += importlib.import_module(f"bench.{part}").main(*given)
        if not as_json:
            print(f"… {part} done, load average {os.getloadavg()[0]:.1f}", file=sys.stderr)
    if as_json:
        print(json.dumps(rows, indent=2))
        return 0
    print("| what | measured | target |\n| --- | --- | --- |")
    for row in rows:
        what, target = row.pop("what"), row.pop("target", "")
        print(f"| {what} | {', '.join(f'{k} {v}' for k, v in row.items())} | {target} |")
    return 0


def _folder(named: list[str]) -> Path | None:
    """Take the folder after the one part that takes one."""
    if named[-2:-1] == ["tools"] and named[-1] not in PARTS and Path(named[-1]).is_dir():
        return Path(named.pop())
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
