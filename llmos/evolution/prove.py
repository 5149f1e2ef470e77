"""What must hold before a learned tool runs without a model: what its traces say of goals to come.

The risk of serving is counted evidence, spike and slab: a candidate is exact with probability π of
its class, else wrong at a uniformly distributed rate. After n clean agreements the chance that the
next run is wrong is ((1−π)/((n+1)(n+2))) / (π + (1−π)/(n+1)).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from llmos.evolution.example import Example, distinct
from llmos.evolution.holes import asks
from llmos.evolution.ir import Expr, Loop, Program, Read, slots_of, tables_of
from llmos.evolution.lexer import SENSES
from llmos.evolution.plan import Request, rehearse
from llmos.evolution.templates import Template
from llmos.values import Json

MINIMUM = 3
"""Good traces without which nothing is served."""

WAY_MINIMUM = 2
"""Traces that must have made the same set of writes."""

UNANIMOUS = (49, 1)
"""Starting point of π (Beta) where all candidates that fit the traces agree on every run.

What became of a user's own tools is counted on top of it: `Proof.peers`.
"""


OTHERS = (7, 3)
"""Starting point of π for a program that rests on what somebody proposed."""


@dataclass(frozen=True)
class Proof:
    """The evidence of one tool."""

    runs: int = 0
    """Good traces that the program reproduces."""
    agreed: int = 0
    """Later runs of the model that did what the program said before it had seen them."""
    disagreed: int = 0
    """Later runs that did something else."""
    used: frozenset[str] = frozenset()
    """Slots that the simplest program looks at."""
    seen: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """For each slot, what stood there, and in how many traces."""
    together: tuple[tuple[tuple[str, ...], Mapping[str, str]], ...] = ()
    """Slots that vary and are not looked at, as they stood together, with the set of writes."""
    repeats: tuple[tuple[str, str], ...] = ()
    """Slots that always said what another one says: (slot, the other)."""
    ways: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    """Sets of writes that were made, and how often."""
    targets: Mapping[str, str] = field(default_factory=dict)
    """For each write, whether the files that it changed were ``absent`` or ``present`` before."""
    peers: tuple[int, int] = (0, 0)
    """Other tools that were put to the test when this was proven: exact ones, and others."""
    prior: tuple[float, float] = UNANIMOUS
    """Starting point of π (Beta)."""
    chosen: Mapping[tuple[str, ...], Mapping[str, str]] = field(default_factory=dict)
    """For each set of writes, the slots that choose by a table and were always the same there:
    what looks constant in those writes may be chosen too."""

    @property
    def risk(self) -> float:
        """Chance that the next run is wrong, given that all candidates agree on it."""
        good, bad = (start + met for start, met in zip(self.prior, self.peers, strict=True))
        exact = good / (good + bad + self.disagreed)
        n = self.agreed
        return ((1 - exact) / ((n + 1) * (n + 2))) / (exact + (1 - exact) / (n + 1))

    def knows_way(
        self, slots: Mapping[str, str], sure: Collection[str], open_: Collection[str] = ()
    ) -> bool:
        """Whether runs made just these writes together, more than one of them.

        What a single run wrote may all be chance: its constants explain everything. That once
        there was nothing to do is enough to do nothing again.

        One of them had the same words where nothing looks at them: in another branch they may
        be what matters.

        Args:
            slots: What the goal says.
            sure: Nodes of the writes that will be made.
            open_: Nodes of writes that may be made too: it is known only after others, or they
                are made for every row and there is none.
        """
        fitting = {
            way
            for way, n in self.ways.items()
            if n >= (WAY_MINIMUM if way else 1) and set(sure) <= set(way) <= {*sure, *open_}
        }
        return any(
            way in fitting
            and all(slots.get(n) == v for n, v in idle.items() if n in slots)
            and all(slots.get(n, v) == v for n, v in self.chosen.get(way, {}).items())
            for way, idle in self.together
        )

    def refusal(self, template: Template, slots: Mapping[str, str]) -> str | None:
        """Why a goal is not served, or None. All of it is known before anything is called.

        Args:
            template: The template that the goal is of.
            slots: What it says at the slots.
        """
        if self.runs < MINIMUM:
            return f"only {self.runs} good runs, {MINIMUM} are needed"
        idle: dict[str, str] = {}
        for slot in template.slots:
            value, seen = slots[slot.name], self.seen[slot.name]
            if len(seen) > 1 and (slot.name in self.used or self._repeated(slot.name, slots)):
                continue
            if value not in seen:
                return f"{value!r} was never seen there, and nothing explains it"
            if len(seen) > 1:
                idle[slot.name] = value
                senses = {SENSES.get(word.lower(), word) for word in seen}
                if slot.kind == "polar" and len(senses) > 1:
                    return f"{value!r} turns things round, and nothing looks at it"
        if idle and not any(all(t.get(n) == v for n, v in idle.items()) for _, t in self.together):
            return "its words were not seen together"
        return None

    def _repeated(self, name: str, slots: Mapping[str, str]) -> bool:
        return any(
            one == name and slots.get(other, "").lower() == slots[name].lower()
            for one, other in self.repeats
        )

    def as_json(self) -> dict[str, Json]:
        """The proof as JSON."""
        return {
            "runs": self.runs,
            "agreed": self.agreed,
            "disagreed": self.disagreed,
            "used": sorted(self.used),
            "seen": {name: dict(counts) for name, counts in self.seen.items()},
            "together": [[list(way), dict(t)] for way, t in self.together],
            "repeats": [list(pair) for pair in self.repeats],
            "targets": dict(self.targets),
            "prior": list(self.prior),
            "chosen": [[list(way), dict(slots)] for way, slots in self.chosen.items()],
            "ways": [[list(way), n] for way, n in sorted(self.ways.items())],
            "peers": list(self.peers),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Proof:
        """The proof that `as_json` wrote; older ones know of no peers."""
        exact, other = data.get("peers", (0, 0))
        return cls(
            data["runs"],
            data["agreed"],
            data["disagreed"],
            frozenset(data["used"]),
            data["seen"],
            tuple((tuple(way), t) for way, t in data["together"]),
            tuple((one, other) for one, other in data["repeats"]),
            {tuple(way): n for way, n in data["ways"]},
            data["targets"],
            (exact, other),
            tuple(data.get("prior", UNANIMOUS)),
            {tuple(way): slots for way, slots in data.get("chosen", ())},
        )


def prove(
    program: Program,
    examples: Sequence[Example],
    *,
    agreed: int = 0,
    disagreed: int = 0,
    peers: tuple[int, int] = (0, 0),
    prior: tuple[float, float] = UNANIMOUS,
) -> Proof:
    """Look at what the traces of a tool hold.

    Args:
        program: What they all did.
        examples: The traces.
        agreed: Later runs that did what the program said.
        disagreed: Those that did not.
        peers: Other tools that were put to the test: exact ones, and others.
        prior: Starting point of π (Beta).

    Raises:
        Stop: The program does not reproduce one of them.
    """
    examples = distinct(examples)
    # What hidden guards look at is checked in every run: another value must hold there too.
    hidden = (e for guard in program.guards.values() for e in guard.hidden)
    used = slots_of(*simplest(program), *hidden)
    seen: dict[str, Counter[str]] = {}
    for example in examples:
        for name, value in example.slots.items():
            seen.setdefault(name, Counter())[value] += 1
    if asks(program):
        used |= seen.keys()  # who fills in a value is told the whole goal
    idle = [n for n, counts in seen.items() if len(counts) > 1 and n not in used]
    # A candidate is kept only where it was right on every trace, so here the simplest speaks for
    # all of them.
    rehearsed = [rehearse(program, e.slots, e.now, e.steps, strict=False) for e in examples]
    made = [writes_of(requests) for requests in rehearsed]
    repeats = tuple(_repeats(examples, idle, used))
    own = set(idle) - {name for name, _ in repeats}
    together = {
        (way, tuple(sorted((n, e.slots[n]) for n in own if n in e.slots))): None
        for way, e in zip(made, examples, strict=True)
    }
    return Proof(
        len(examples),
        agreed,
        disagreed,
        used,
        {name: dict(counts) for name, counts in seen.items()},
        tuple((way, dict(t)) for way, t in together),
        repeats,
        Counter(made),
        _targets(rehearsed, examples),
        peers,
        prior,
        _chosen(program, examples, made),
    )


def _targets(rehearsed: Sequence[Sequence[Request]], examples: Sequence[Example]) -> dict[str, str]:
    """How the files were that each write changed, where they always were the same way."""
    found: dict[str, set[str]] = {}
    for made, example in zip(rehearsed, examples, strict=True):
        requests = [r for r in made if r.writes]
        steps = [s for s in example.steps if s.effect.writes]
        for request, step in zip(requests, steps, strict=True):
            for change in step.footprint.writes:
                was = "absent" if change.before is None else "present"
                found.setdefault(request.node, set()).add(was)
    return {node: min(ways) for node, ways in found.items() if len(ways) == 1}


def _chosen(
    program: Program, examples: Sequence[Example], made: Sequence[tuple[str, ...]]
) -> dict[tuple[str, ...], dict[str, str]]:
    """For each set of writes, the slots that choose by a table and had one value there."""
    tables = {
        name
        for expr in simplest(program)
        for name, table in tables_of(expr)
        if not set(table.values()) <= {"<", ">"}
    }
    found: dict[tuple[str, ...], dict[str, str]] = {}
    for way in {w for w in made if w}:
        own = [e.slots for e, w in zip(examples, made, strict=True) if w == way]
        for name in sorted(tables):
            values = {slots[name] for slots in own if name in slots}
            if len(values) == 1:
                found.setdefault(way, {})[name] = min(values)
    return found


def writes_of(made: Iterable[Request]) -> tuple[str, ...]:
    """The nodes of the writes among some calls, each named once."""
    return tuple(sorted({r.node for r in made if r.writes}))


def _repeats(
    examples: Sequence[Example], idle: Sequence[str], used: Iterable[str]
) -> Iterator[tuple[str, str]]:
    for name in idle:
        own = [e for e in examples if name in e.slots]
        for other in sorted(used):
            if all(e.slots.get(other, "").lower() == e.slots[name].lower() for e in own):
                yield name, other


def simplest(program: Program) -> Iterator[Expr]:
    """The simplest candidate of every place."""
    for node in program.nodes:
        yield node.tool[0]
        if isinstance(node, Read):
            yield from (c[0] for c in node.arguments.values())
            continue
        shape = node.shapes[0]
        yield from (c[0] for c in shape.arguments.values())
        if isinstance(shape, Loop):
            yield shape.rows[0]
    for guard in program.guards.values():
        yield from guard.conditions[:1]
    yield from program.answer[:1]
