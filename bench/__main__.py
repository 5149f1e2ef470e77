"""Everything that the documents claim about speed, measured here and now.

python -m bench [agents] [audits] [events] [kernel] [parsing] [plans] [reads]
                [report] [startup] [telemetry] [--json]
"""

from __future__ import annotations

import importlib
import json
import os
import sys

PARTS = (
    "kernel",
    "reads",
    "audits",
    "events",
    "report",
    "startup",
    "parsing",
    "plans",
    "agents",
    "telemetry",
)


def main(arguments: list[str]) -> int:
    """Measure the named parts, or all."""
    as_json = "--json" in arguments
    named = [a for a in arguments if not a.startswith("-")]
    unknown = set(named) - set(PARTS)
    if unknown:
        print(f"error: no such part: {', '.join(sorted(unknown))}; parts: {', '.join(PARTS)}")
        return 2
    rows = []
    for part in named or PARTS:
        rows += importlib.import_module(f"bench.{part}").main()
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
