"""How long it takes to find what a goal means among 10,000 templates.

    python -m bench parsing [--json]

The peer matches the same goals against every template, in the same run.
"""

from __future__ import annotations

import itertools
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

from llmos.evolution.templates import Index, SlotSpec, Template, plain

TEMPLATES = 10_000
GOALS = 2_000
SCANNED = 20

_VERBS = """
    add archive assign book cancel check close compare count create delete draft export file find
    fix forward import invite label list merge move open pay plan plot print publish remind rename
    reply reserve review schedule send share sort summarise sync tag translate update upload verify
"""
_NOUNS = """
    account address agenda album alert article backlog badge banner bill board booking branch budget
    build calendar campaign card chart claim client clip comment contact contract course customer
    deal deck delivery device document draft event expense feed file flight folder form graph guest
    handbook image invoice issue job journal key label lead lease lesson letter licence list log
    map meeting member memo message model note notice offer order page parcel patch payment photo
    plan policy post price product profile project prompt query quote receipt record refund release
    report request review room rota route sample schedule script sheet shift site slide sprint stock
    story survey table task team template ticket topic trial trip update user vendor video visit
"""
_JOINTS = "to from for about in under after against with beside"
VERBS, NOUNS, JOINTS = _VERBS.split(), _NOUNS.split(), _JOINTS.split()
NAMES = frozenset({"alice", "bob"})
SLOTS = {
    "quote": "Weekly review",
    "date": "next friday",
    "number": "12",
    "duration": "30 minutes",
    "address": "bob@example.com",
    "text": "alice",
}


def templates(rng: random.Random) -> list[Template]:
    """Different templates of three or four slots each, as goals of office work have them."""
    made: dict[tuple[str, ...], Template] = {}
    while len(made) < TEMPLATES:
        kinds = rng.sample(sorted(SLOTS), rng.choice((3, 4)))
        literals = [f"{rng.choice(VERBS)} the {rng.choice(NOUNS)} {rng.choice(JOINTS)} "]
        for before, kind in itertools.pairwise([*kinds, ""]):
            told = f" {rng.choice(JOINTS)} the {rng.choice(NOUNS)} " if kind else " please"
            literals.append(f"{_mark(before)}{told}{_mark(kind)}")
        literals[0] += _mark(kinds[0])
        specs = (
            SlotSpec(f"s{i}", k, NAMES if k == "text" else frozenset({SLOTS[k]}))
            for i, k in enumerate(kinds)
        )
        made[tuple(literals)] = Template(tuple(literals), tuple(specs))
    return list(made.values())


def _mark(kind: str) -> str:
    return "'" if kind == "quote" else ""


def goal_of(template: Template) -> str:
    """A goal of a template."""
    told = [template.literals[0].capitalize()]
    for slot, literal in zip(template.slots, template.literals[1:], strict=True):
        told += [SLOTS[slot.kind], literal]
    return "".join(told)


def taken_us(goals: list[str], once: Callable[[str], object]) -> tuple[int, int]:
    """Median and 99th percentile of one call, in microseconds."""
    taken = []
    for goal in goals:
        began = time.perf_counter()
        once(goal)
        taken.append((time.perf_counter() - began) * 1e6)
    return round(statistics.median(taken)), round(statistics.quantiles(taken, n=100)[98])


def main() -> list[dict[str, Any]]:
    """Measure and return the row."""
    rng = random.Random(7)
    known = templates(rng)
    index = Index.of({f"tool-{k}": [t] for k, t in enumerate(known)})
    # Half of the goals are of a template; the others differ from one in a word.
    goals = [goal_of(t) for t in rng.sample(known, GOALS)]
    goals = [g if k % 2 else g.replace(" the ", " no ", 1) for k, g in enumerate(goals)]

    def scan(goal: str) -> list[dict[str, str]]:
        text = plain(goal)
        return [bound for t in known for bound in t.match(text)]

    assert all(len(index.parse(g)) == len(scan(g)) for g in goals[:SCANNED])
    p50, p99 = taken_us(goals, index.parse)
    scan50, scan99 = taken_us(goals[:SCANNED], scan)
    return [
        {
            "what": f"parse a goal, {TEMPLATES:,} templates",
            "p50_us": p50,
            "p99_us": p99,
            "scan_p50_ms": round(scan50 / 1e3, 1),
            "scan_p99_ms": round(scan99 / 1e3, 1),
            "target": "<= 200 us",
        }
    ]
