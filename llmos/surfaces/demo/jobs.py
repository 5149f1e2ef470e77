"""The jobs of the demo: a goal, the files it starts from, and a check of its result.

A check is one shell command that needs nothing but Python. What it expects is computed here, from
the job's own files, so neither a model nor a recording has a say in it.
"""

from __future__ import annotations

import csv
import hashlib
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from llmos.values import Json

Files = Mapping[str, str]
"""Relative path to content."""

_PRELUDE = """\
import hashlib, json, pathlib, re, subprocess, sys

def need(ok, otherwise):
    if not ok:
        sys.exit(otherwise)

def read(name):
    need(pathlib.Path(name).is_file(), f"there is no {name}")
    return pathlib.Path(name).read_text("utf-8")

def unittests(module, folder="."):
    command = [sys.executable, "-B", "-m", "unittest", module]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)

for name, digest in kept.items():
    need(hashlib.sha256(read(name).encode()).hexdigest() == digest, f"{name} was changed")
"""


@dataclass(frozen=True)
class Job:
    """One small job that a person might give to an agent."""

    name: str
    goal: str
    verify: str
    """Python that ends with an error unless the result is right; it may use ``expected`` and what
    the prelude defines."""
    files: Files = field(default_factory=dict)
    expect: Callable[[Files], Json] = lambda files: None
    """Computes ``expected`` from the files."""
    keeps: tuple[str, ...] = ()
    """Files that must come out as they went in."""
    edits: Files = field(default_factory=dict)
    """File to its content after somebody has edited it between two runs."""

    @property
    def check(self) -> str:
        """The shell command that says whether the result is right; runs in the job's folder."""
        source = (
            f"kept = { {name: digest_of(self.files[name]) for name in self.keeps}!r}\n"
            f"expected = {self.expect(self.files)!r}\n{_PRELUDE}\n{self.verify}"
        )
        return f"{shlex.quote(sys.executable)} -B -c {shlex.quote(source)}"

    def lay_out(self, folder: Path) -> Path:
        """Put the job's files into a new folder and return it."""
        return lay_out(self.files, folder)


def lay_out(files: Files, folder: Path) -> Path:
    """Put files into a new folder and return it."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    return folder


def digest_of(content: str) -> str:
    """SHA-256 of a text file's content, in hex."""
    return hashlib.sha256(content.encode()).hexdigest()


# --- what the checks expect ------------------------------------------------------------------


def _totals(files: Files) -> dict[str, float]:
    totals: dict[str, Decimal] = {}
    for row in csv.DictReader(files["sales.csv"].splitlines()):
        totals[row["region"]] = totals.get(row["region"], Decimal()) + Decimal(row["amount"])
    return {region: float(total) for region, total in totals.items()}


def _renamed(files: Files) -> dict[str, str]:
    new = {n.replace("notes/", "notes/2026-") if n.endswith(".txt") else n: n for n in files}
    return {name: files[old] for name, old in new.items()}


# --- the jobs --------------------------------------------------------------------------------

_SALES = """\
day,region,amount
3,North,120.50
4,South,80.00
5,North,99.45
7,East,45.25
9,South,20.35
11,East,4.75
12,North,310.00
"""

_CONFIG = """\
{
  "host": "localhost",
  "port": 8080,
  "debug": false,
  "workers": 4
}
"""

_STATS = '''\
def mean(values):
    """The arithmetic mean; 0 when there are no values."""
    return sum(values) / len(values)
'''

_TEST_STATS = """\
import unittest

from stats import mean


class TestMean(unittest.TestCase):
    def test_of_three_numbers(self):
        self.assertEqual(mean([1, 2, 6]), 3)

    def test_of_no_numbers(self):
        self.assertEqual(mean([]), 0)


if __name__ == "__main__":
    unittest.main()
"""

CALCULATOR = Job(
    "calculator",
    "Write calculator.py with add, subtract, multiply and divide (dividing by zero raises "
    "ValueError), and show what divide says to 6 and 3",
    verify="""\
import calculator as c
right = (c.add(2, 40), c.subtract(2, 40), c.multiply(-6, 7), c.divide(7, 2)) == (42, -38, -42, 3.5)
need(right, "calculator.py gives wrong results")
try:
    c.divide(1, 0)
except ValueError:
    pass
else:
    sys.exit("dividing by zero raises no ValueError")
""",
)

SALES = Job(
    "sales",
    "Read sales.csv and write summary.md with the total amount per region",
    verify="""\
text = read("summary.md")
for region, total in expected.items():
    # The first number after the region's name: in a list, a table or below a heading.
    found = re.search(region + r"\\D*([\\d,]*\\.?\\d+)", text)
    right = found and abs(float(found[1].replace(",", "")) - total) < 0.005
    need(right, f"summary.md does not say that {region} has {total}")
""",
    files={"sales.csv": _SALES},
    expect=_totals,
    keeps=("sales.csv",),
    edits={"sales.csv": f"{_SALES}14,East,1000.00\n"},
)

RENAME = Job(
    "rename",
    "Give every .txt file in notes the prefix 2026-",
    verify="""\
found = {str(p): p.read_text() for p in pathlib.Path("notes").rglob("*") if p.is_file()}
need(found == expected, f"in notes are {sorted(found)}")
""",
    files={
        "notes/garden.txt": "Water the tomatoes.\n",
        "notes/ideas.txt": "A kettle that sings in tune.\n",
        "notes/index.md": "# Notes\n",
        "notes/meeting.txt": "alice and bob, on the roof.\n",
    },
    expect=_renamed,
)

PORT = Job(
    "port",
    "In config.json change the port to 9090 and keep everything else",
    verify="""\
found = read("config.json")
need(json.loads(found) == json.loads(expected), f"config.json holds {found}")
""",
    files={"config.json": _CONFIG},
    expect=lambda files: files["config.json"].replace("8080", "9090"),
    edits={"config.json": _CONFIG.replace("8080", "9090").replace('"workers": 4', '"workers": 16')},
)

STATS = Job(
    "stats",
    "A test in test_stats.py fails. Fix stats.py so that all tests pass",
    verify="""\
from stats import mean
need((mean([2, 4, 9]), mean([5]), mean([])) == (5, 5, 0), "stats.py gives wrong results")
need(unittests("test_stats").returncode == 0, "the tests do not pass")
""",
    files={"stats.py": _STATS, "test_stats.py": _TEST_STATS},
    keeps=("test_stats.py",),
)

JOBS = (CALCULATOR, SALES, RENAME, PORT, STATS)
"""In the order in which the demo does them."""
