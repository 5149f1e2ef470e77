"""Families: wordings that ask for the same thing, with the program that all their traces follow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from llmos.evolution.coherent import coherent
from llmos.evolution.columns import ToolHabits
from llmos.evolution.example import Example, NoProgram, distinct
from llmos.evolution.group import Group
from llmos.evolution.holes import Hole
from llmos.evolution.ir import (
    Call,
    Const,
    Expr,
    Program,
    Single,
    Slot,
    call,
    mapped_program,
    tables_of,
)
from llmos.evolution.lexer import FIGURES
from llmos.evolution.narrow import Anew, narrow
from llmos.evolution.plan import Request, Runner, Stop, Unrecorded, foretell, rehearse
from llmos.evolution.prove import MINIMUM, Proof, simplest, writes_of
from llmos.evolution.roles import Around, around, correspond
from llmos.evolution.synthesize import chooses_row, synthesize
from llmos.evolution.templates import SlotSpec, Template, plain
from llmos.values import Json, Trace

_SHOWN = 5
"""Runs that show what a program is for, so that it is known again in other words."""


@dataclass
class Family:
    """Groups that one program serves."""

    program: Program
    groups: list[Group]
    names: list[dict[str, str]]
    """For each group, its slots' names in the program."""
    templates: list[Template] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)
    of: list[int] = field(default_factory=list)
    """For each example, the number of its group."""
    holes: tuple[Hole, ...] = ()
    """Values that a model fills in."""
    agreed: int = 0
    """Later runs that did what the program had said of them."""
    disagreed: int = 0

    def __post_init__(self) -> None:
        self.refresh()

    def refresh(self) -> None:
        """Bring templates and examples up to what the groups hold."""
        self.templates, self.examples, self.of = [], [], []
        for k, (group, names) in enumerate(zip(self.groups, self.names, strict=True)):
            template, examples = group.named(names, k, self.holes)
            self.templates.append(template)
            self.examples += examples
            self.of += [k] * len(examples)
        # A word that one wording knows is known to all, and one that a table tells the meaning of.
        known = self.slots
        words = {n: s.seen | self._told(n) for n, s in known.items()}
        kinds: dict[str, set[str]] = {}
        for slot in (s for t in self.templates for s in t.slots):
            kinds.setdefault(slot.name, set()).add(slot.kind)

        def shared(slot: SlotSpec) -> SlotSpec:
            if len(kinds[slot.name]) > 1 and kinds[slot.name] <= FIGURES | {"figure"}:
                slot = replace(slot, kind="figure")
            open_to = _open_to(slot, known[slot.name])
            return replace(slot, seen=words[slot.name]) if open_to else slot

        self.templates = [Template(t.literals, tuple(map(shared, t.slots))) for t in self.templates]

    def _told(self, slot: str) -> frozenset[str]:
        """Words that the program knows the meaning of at a slot."""
        tables = [
            frozenset(table)
            for expr in simplest(self.program)
            for name, table in tables_of(expr)
            if name == slot
        ]
        return frozenset.intersection(*tables) if tables else frozenset()

    def own(self, slot: str, table: Mapping[str, Json]) -> dict[str, Json]:
        """What the family's own runs show of a table that it uses at a slot."""
        said = {example.slots.get(slot) for example in self.examples}
        return {word: meant for word, meant in table.items() if word in said}

    @property
    def slots(self) -> dict[str, SlotSpec]:
        """All slots, with what was seen at each."""
        found: dict[str, SlotSpec] = {}
        for template in self.templates:
            for slot in template.slots:
                old = found.get(slot.name)
                found[slot.name] = replace(slot, seen=slot.seen | old.seen) if old else slot
        return found

    @property
    def _near(self) -> Around:
        near: dict[str, set[tuple[str, str]]] = {}
        for template in self.templates:
            for name, words in around(template).items():
                near.setdefault(name, set()).add(words)
        return near

    @property
    def traces(self) -> list[Trace]:
        """The traces, in the order of the examples."""
        return [t for g in self.groups for t in g.traces]

    def may_ask(self, group: Group) -> bool:
        """Whether a wording with other words may ask for what the program does.

        It must name the same things at slots that vary, and do what many runs have shown: more
        than one run of it where the program chooses or decides.
        """
        names = _fitting(self.slots, group, self._near)
        if names is None or len(self.examples) < _SHOWN:
            return False
        if any(group.calls != g.calls for g in self.groups):
            return False
        varied = {n for n, s in self.slots.items() if len(s.seen) > 1}
        straight = not self.program.guards and all(
            isinstance(s, Single) and not any(chooses_row(c[0]) for c in s.arguments.values())
            for w in self.program.writes()
            for s in w.shapes
        )
        enough = 1 if straight and len(varied) > 1 else 2
        return varied <= set(names.values()) and len(group.traces) >= enough

    def attach(self, group: Group, known: ToolHabits) -> bool:
        """Take in a wording that the program explains as it is; whether it does."""
        if any(group is g for g in self.groups):
            return False
        before = group.wording
        _mark_alike(self.groups, [group])
        program = self._narrowed(group, known)
        if program is None:
            group.unmark(before)
            return False
        names = _fitting(self.slots, group, self._near)
        assert names is not None
        self.program = program
        self.groups.append(group)
        self.names.append(names)
        self.refresh()
        return True

    def _narrowed(self, group: Group, known: ToolHabits) -> Program | None:
        """The program, narrowed by the runs of a wording; None where it does not explain them."""
        names = _fitting(self.slots, group, self._near)
        if names is None:
            return None
        program = self.program
        try:
            for example in group.named(names, len(self.groups), self.holes)[1]:
                program = narrow(program, example, known)
                check_reproduces(program, example)
        except (Anew, Stop):
            return None
        return program

    def widen(self, meanings: Sequence[Mapping[str, Json]]) -> bool:
        """Let tables say what its own runs and `meanings` that agree with them say; if that is new.

        What others taught before, and teach no more, is taken back.

        Args:
            meanings: What words stand for, by the own runs of every family.
        """

        def told(expr: Expr) -> Expr:
            match expr:
                case Call("mapped", (Slot() as slot, Const() as table)):
                    own = self.own(slot.name, table.value)
                    more = (m for m in meanings if own and own.items() <= m.items())
                    return call("mapped", slot, dict(next(more, own)))
                case Call(function, arguments):
                    return Call(function, tuple(map(told, arguments)))
            return expr

        program = mapped_program(self.program, lambda found: tuple(map(told, found)))
        if program == self.program:
            return False
        self.program = program
        self.refresh()
        return True

    def absorb(self, number: int, known: ToolHabits, proof: Proof | None = None) -> bool:
        """Narrow the program by the newest trace of a group; False if it contradicts it.

        Args:
            number: Of the group.
            known: How tools cut off their results.
            proof: What the program was served by until now.
        """
        template = self.templates[number] if number < len(self.templates) else None
        self.refresh()
        last = max(i for i, k in enumerate(self.of) if k == number)
        example = self.examples[last]
        if all(e.fingerprint != example.fingerprint for e in self.examples if e is not example):
            self._count(example, template, proof)
        try:
            program = narrow(self.program, example, known)
            check_reproduces(program, example)
        except (Anew, Stop):
            return False
        self.program = program
        return True

    def _count(self, example: Example, template: Template | None, proof: Proof | None) -> None:
        """Hold the program against a run that it has not seen.

        What it would have done otherwise counts only where it would have run free.
        """
        try:
            made, runner = foretell(self.program, example.slots, example.now, example.steps)
        except Stop:
            return  # it would have gone to the model before anything was written
        agreed = self._agrees(made, runner, example)
        if agreed:
            self.agreed += 1
        elif (
            agreed is False
            and proof is not None
            and template is not None
            and proof.refusal(template, example.slots) is None
            and proof.knows_way(example.slots, writes_of(made), runner.open)
        ):
            self.disagreed += 1

    def _agrees(self, made: Sequence[Request], runner: Runner, example: Example) -> bool | None:
        """Whether what was foretold is what the run wrote; None where that cannot be said."""
        try:
            if runner.later:
                made = rehearse(self.program, example.slots, example.now, example.steps)
        except Unrecorded as e:
            return False if e.request.writes else None
        except Stop:
            return None
        return writes(made) == wrote(example)


def _open_to(slot: SlotSpec, known: SlotSpec) -> bool:
    """Whether a slot takes the words that other wordings have at it."""
    return slot.kind == "word" or (slot.kind == known.kind and slot.kind in ("polar", "text"))


def _fitting(slots: Mapping[str, SlotSpec], group: Group, near: Around) -> dict[str, str] | None:
    own = group.roles
    names = correspond(slots, group.template, own, near) if slots else dict(own)
    return names if names is not None and len(set(names.values())) == len(names) else None


def grow(
    seed: Group, others: Sequence[Group], known: ToolHabits, *, seconds: float
) -> tuple[Family | None, str]:
    """A family of a group and of those of the others that the same program explains.

    Returns:
        The family, or None and what is not explained.
    """
    why = f"only {len(seed.traces)} good runs, {MINIMUM} are needed"
    together = [seed]
    for group in others:
        if _named([*together, group]) is not None:
            together.append(group)
    # Others that are less like it may ask for something else after all.
    sizes = dict.fromkeys((len(together), max(2, len(together) // 2), 2))
    tries = [together[:n] for n in sizes if n <= len(together)] if len(together) > 1 else []
    if len(seed.traces) >= MINIMUM:
        tries.append([seed])
    for groups in tries:
        family, why = solve(groups, known, seconds=seconds)
        if family is not None:
            return family, ""
    for group in coherent(seed, known, seconds=seconds):
        family, _ = solve([group], known, seconds=seconds)
        if family is not None and not _belied(family, seed):
            return family, ""
    return None, why


def _belied(family: Family, whole: Group) -> bool:
    """Whether a run that was left out, and that somebody vouched for, did something else.

    The rest may be explained by less than was asked for: without a condition that only it met.
    """
    kept = {id(t) for t in family.traces}
    left_out = [t for t in whole.traces if id(t) not in kept and t.verdict.evidence]
    if left_out and not whole.only(left_out).outcomes <= whole.only(family.traces).outcomes:
        return True
    return any(_contradicts(family, trace) for trace in left_out)


def _contradicts(family: Family, trace: Trace) -> bool:
    """Whether the program would have written something else than a run of the first wording."""
    bound = family.templates[0].match(plain(trace.goal))
    if len(bound) != 1:
        return False
    try:
        made = rehearse(family.program, bound[0], trace.now.replace(tzinfo=None), trace.steps)
    except Unrecorded as e:
        return e.request.writes
    except Stop:
        return False
    return writes(made) != [(s.tool, dict(s.arguments)) for s in trace.steps if s.effect.writes]


def _named(groups: Sequence[Group]) -> list[dict[str, str]] | None:
    slots: dict[str, SlotSpec] = {}
    found: list[dict[str, str]] = []
    near: dict[str, set[tuple[str, str]]] = {}
    for group in groups:
        names = _fitting(slots, group, near)
        if names is None:
            return None
        found.append(names)
        template = group.template.renamed(names)
        for name, words in around(template).items():
            near.setdefault(name, set()).add(words)
        for slot in template.slots:
            old = slots.get(slot.name)
            slots[slot.name] = replace(slot, seen=slot.seen | old.seen) if old else slot
    return found


def _mark_alike(groups: Sequence[Group], marked: Sequence[Group]) -> None:
    """Make slots of words of some wordings that are slots in others and never varied there.

    A run in which there was nothing to do does not show that a word of its goal is an argument.
    """
    fixed = {
        min(slot.seen): slot.kind
        for group in groups
        for slot in group.template.slots
        if slot.kind == "text" and len(slot.seen) == 1
    }
    for text, kind in fixed.items():
        for group in marked:
            if not any(text in slot.seen for slot in group.template.slots):
                group.mark(text, kind)


def solve(
    groups: Sequence[Group],
    known: ToolHabits,
    *,
    seconds: float,
    holes: tuple[Hole, ...] = (),
) -> tuple[Family | None, str]:
    """One program for all the traces of some groups, or None and why there is none.

    Args:
        groups: The wordings.
        known: How tools cut off their results.
        seconds: After so long the search gives up.
        holes: Values that are left to a model.
    """
    before = [g.wording for g in groups]
    _mark_alike(groups, groups)
    family, why = _solved(groups, known, seconds=seconds, holes=holes)
    if family is None:
        for group, wording in zip(groups, before, strict=True):
            group.unmark(wording)
    return family, why


def _solved(
    groups: Sequence[Group], known: ToolHabits, *, seconds: float, holes: tuple[Hole, ...]
) -> tuple[Family | None, str]:
    names = _named(groups)
    if names is None:
        return None, "the slots of the wordings do not correspond"
    if _at_odds(groups):
        return None, "the wordings change things by other tools"
    numbered = enumerate(zip(groups, names, strict=True))
    examples = distinct(e for k, (g, n) in numbered for e in g.named(n, k, holes)[1])
    if len(examples) < MINIMUM:
        return None, f"only {len(examples)} good runs, {MINIMUM} are needed"
    try:
        program = synthesize(examples, known, seconds=seconds)
        for example in examples:
            check_reproduces(program, example)
    except (NoProgram, Stop) as e:
        return None, str(e)
    return Family(program, list(groups), names, holes=holes), ""


def _at_odds(groups: Sequence[Group]) -> bool:
    """Whether two wordings, neither with a condition, have no tool in common that changes things.

    Runs without a write are of either of them: what they saw would seem to tell which is meant.
    """
    made = [g.changes for g in groups if not g.conditional and g.changes]
    return any(one.isdisjoint(two) for one, two in combinations(made, 2))


def check_reproduces(program: Program, example: Example) -> None:
    """Check that a program writes what a trace wrote, given what that saw.

    Raises:
        Stop: It does not.
    """
    made = rehearse(program, example.slots, example.now, example.steps)
    if writes(made) != wrote(example):
        raise Stop("it would write other things than a trace did")


def writes(made: Iterable[Request]) -> list[tuple[str, dict[str, Json]]]:
    """The writes among some calls: tool and arguments."""
    return [(r.tool, dict(r.arguments)) for r in made if r.writes]


def wrote(example: Example) -> list[tuple[str, dict[str, Json]]]:
    """The writes of a recorded run: tool and arguments."""
    return [(s.tool, dict(s.arguments)) for s in example.steps if s.effect.writes]
