"""Refuse text that must not be committed: ``make check``.

Paths of one machine, package indexes (each user's pip knows its own), and unfinished code.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent

# Character classes like [i] keep the patterns from matching themselves.
INVENTED = "(?:alice|bob|me|you|user)"


class Rule(NamedTuple):
    """Text that files whose path matches ``where`` must not hold."""

    where: re.Pattern[str]
    what: re.Pattern[str]
    why: str


RULES = (
    Rule(
        re.compile(""),
        re.compile(rf"/[r]oot/|/(?:home|Users)/(?!{INVENTED}\b)\w"),
        "a path of one machine",
    ),
    Rule(
        re.compile(""),
        re.compile(r"[i]ndex-url|[I]NDEX_URL|[f]ind-links|https?://[^ ]*/[s]imple\b"),
        "a package index",
    ),
    Rule(
        re.compile(r"(^|/)(constraints|requirements)[^/]*\.txt$|^requirements/"),
        re.compile(r"://"),
        "an address among the pins",
    ),
    Rule(
        re.compile(r"^llmos/.*\.py$"),
        re.compile(r"\bTODO\b|\bFIXME\b|\bXXX\b|\braise NotImplementedError"),
        "unfinished code",
    ),
)


def files() -> list[str]:
    """Paths of all files that are, or are about to be, committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return [name for name in listed.stdout.decode().split("\0") if name]


def findings(name: str, text: str) -> Iterator[str]:
    """One line for each broken rule: ``path:line: why: text``."""
    rules = [rule for rule in RULES if rule.where.search(name)]
    for number, line in enumerate(text.splitlines(), 1):
        for rule in rules:
            found = rule.what.search(line)
            if found:
                yield f"{name}:{number}: {rule.why}: {found.group()}"


def main() -> int:
    broken: list[str] = []
    for name in files():
        path = ROOT / name
        if path.is_file():
            broken += findings(name, path.read_text("utf-8", errors="replace"))
    print("\n".join(broken) or "no forbidden text")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
