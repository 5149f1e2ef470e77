"""Families: wordings that ask for the same thing, with the program that all their traces follow."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from llmos.evolution.align import Wording, mask
from llmos.evolution.columns import ToolHabits
from llmos.evolution.ir import Program, Single
from llmos.evolution.narrow import Anew, narrow
from llmos.evolution.plan import Request, Stop, rehearse
from llmos.evolution.prove import MINIMUM
from llmos.evolution.roles import correspond, roles
from llmos.evolution.synthesize import Example, NoProgram, chooses_row, synthesize
from llmos.evolution.templates import SlotSpec, Template, plain
from llmos.values import Json, Step, Trace

CONDITION = re.compile(r"\b(?:if|whether|unless|otherwise|in case|provided)\b", re.IGNORECASE)

_NOTHING: Mapping[str, str] = {}


_ALL = re.compile(r"\b(?:all|every|each)\b", re.IGNORECASE)
_ONE = re.compile(r"\b(?:first|last|next|latest|earliest|newest|oldest)\b", re.IGNORECASE)
"""Words of a goal that speak of all of a kind, or of one of them by its place."""

_DOUBTED, _DOUBTED_EACH = 5, 12
"""Runs of one wording of which one may be left out, and up to which each is tried."""

_SHOWN = 5
"""Runs that show what a program is for, so that it is known again in other words."""

_SHORT = 3
"""Words that a name may have."""


def _is_name(text: str) -> bool:
    words = text.lower().split()
    return len(words) <= _SHORT and not any(w.strip("'") in _COMMON for w in words)


@dataclass
class Group:
    """The traces of one wording."""

    wording: Wording
    traces: list[Trace] = field(default_factory=list)
    sealed: bool = False
    """It was split off from others by a word that makes a difference."""
    why: str = ""
    """Why there is no program for it."""
    _template: Template | None = None

    @classmethod
    def of(cls, trace: Trace, phrases: Mapping[str, str] = _NOTHING) -> Group:
        """A group of one."""
        masked = mask(trace.goal, trace.steps, phrases)
        return cls(Wording(masked, [masked.goal]), [trace])

    @property
    def readable(self) -> bool:
        """Whether the template tells what every one of its goals means."""
        return all(len(self.template.match(g)) == 1 for g in self.wording.goals)

    @property
    def template(self) -> Template:
        """The template as the goals have it now."""
        if self._template is None:
            self._template = self.wording.template()
        return self._template

    def take(self, trace: Trace, phrases: Mapping[str, str] = _NOTHING) -> bool:
        """Add a trace if its goal is of this wording; whether it was."""
        masked = mask(trace.goal, trace.steps, phrases)
        if len(self.template.match(masked.goal)) == 1:
            self.wording.goals.append(masked.goal)
        elif not self.wording.add(masked, sealed=self.sealed):
            return False
        self.traces.append(trace)
        self._template = None
        return True

    def reset(self, traces: list[Trace]) -> None:
        """Hold these traces of the wording, and no others."""
        self.traces = traces
        self.wording = Wording(self.wording.shown, [plain(t.goal) for t in traces])
        self._template = None

    def only(self, traces: list[Trace]) -> Group:
        """The same wording with some of the traces."""
        group = self.copy()
        group.reset(traces)
        return group

    def copy(self) -> Group:
        """As it is now: what is taken in later is not in the copy."""
        wording = Wording(self.wording.shown, list(self.wording.goals))
        return Group(wording, list(self.traces), self.sealed, self.why)

    def join(self, other: Group) -> bool:
        """Take in another group whose wording is the same, seen with what is known now."""
        shown, goals = self.wording.shown, list(self.wording.goals)
        if self.sealed or other.sealed or not self.wording.add(other.wording.shown):
            return False
        self.wording.goals = [*goals, *other.wording.goals]
        template = self.wording.template()
        if any(len(template.match(g)) != 1 for g in self.wording.goals):
            self.wording.shown, self.wording.goals = shown, goals
            return False
        self.traces += other.traces
        self._template = None
        return True

    def split(self, phrases: Mapping[str, str] = _NOTHING) -> list[Group]:
        """Groups that are apart in the words of one slot, so that each does one kind of thing.

        Empty where no slot tells the ways apart that its traces went.
        """
        ways = [tuple(dict.fromkeys(_call(s) for s in t.steps)) for t in self.traces]
        bound = self.bound()
        for slot in self.template.slots:
            values = sorted(slot.seen)
            if slot.kind != "word" or not 1 < len(values) <= _SHORT:
                continue
            told = [
                {w for w, b in zip(ways, bound, strict=True) if b[slot.name] == v} for v in values
            ]
            if any(a & b for k, a in enumerate(told) for b in told[k + 1 :]):
                continue
            return [self._only(slot.name, value, phrases) for value in values]
        return []

    def _only(self, slot: str, value: str, phrases: Mapping[str, str]) -> Group:
        chosen = [t for t, b in zip(self.traces, self.bound(), strict=True) if b[slot] == value]
        group = Group.of(chosen[0], phrases)
        for trace in chosen[1:]:
            group.take(trace, phrases)
        group.sealed = True
        return group

    def phrases(self) -> Iterator[str]:
        """Words of the goals on which it depends which tool is called."""
        for slot in self.template.slots:
            if slot.kind != "word" or len(slot.seen) < 2 or not all(map(_is_name, slot.seen)):
                continue
            if self._chooses(slot.name):
                yield from slot.seen

    def _chooses(self, name: str) -> bool:
        """Whether the tool at some place is another for every word at a slot."""
        bound = self.bound()
        for place in range(min(len(t.steps) for t in self.traces)):
            table: dict[str, set[str]] = {}
            for values, trace in zip(bound, self.traces, strict=True):
                table.setdefault(values[name], set()).add(trace.steps[place].tool)
            tools = [t for t in table.values() if len(t) == 1]
            if len(tools) == len(table) and len({min(t) for t in tools}) == len(tools):
                return True
        return False

    def bound(self) -> list[dict[str, str]]:
        """The bindings of all goals, in the order of the traces."""
        template = self.template
        return [template.match(plain(t.goal))[0] for t in self.traces]

    def named(self, names: Mapping[str, str], number: int) -> tuple[Template, list[Example]]:
        """Template and examples with the slots named otherwise, as wording ``number``."""
        template = self.template.renamed(names)
        polar = (w for s in self.template.slots if s.kind == "polar" for w in s.seen)
        text = " ".join([*self.template.literals, *polar])
        conditional = bool(CONDITION.search(text))
        one, several = bool(_ONE.search(text)), bool(_ALL.search(text))
        many = several if one != several else None
        examples = [
            Example(
                {names[k]: v for k, v in bound.items()},
                trace.now.replace(tzinfo=None),
                trace.steps,
                trace.output,
                conditional,
                {s.name: s.kind for s in template.slots},
                number,
                many,
            )
            for bound, trace in zip(self.bound(), self.traces, strict=True)
        ]
        return template, examples


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
    agreed: int = 0
    """Later runs that did what the program had said of them."""
    disagreed: int = 0

    def __post_init__(self) -> None:
        self.refresh()

    def refresh(self) -> None:
        """Bring templates and examples up to what the groups hold."""
        self.templates, self.examples, self.of = [], [], []
        for k, (group, names) in enumerate(zip(self.groups, self.names, strict=True)):
            template, examples = group.named(names, k)
            self.templates.append(template)
            self.examples += examples
            self.of += [k] * len(examples)
        # A word that one wording knows is known to all.
        known = self.slots
        self.templates = [
            Template(
                t.literals,
                tuple(
                    known[s.name] if s.kind == known[s.name].kind == "word" else s for s in t.slots
                ),
            )
            for t in self.templates
        ]

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
    def traces(self) -> list[Trace]:
        """The traces, in the order of the examples."""
        return [t for g in self.groups for t in g.traces]

    def may_ask(self, group: Group) -> bool:
        """Whether a wording with other words may ask for what the program does.

        It must name the same things at slots that vary, and do what many runs have shown: more
        than one run of it where the program chooses or decides.
        """
        names = _fitting(self.slots, group)
        if names is None or len(self.examples) < _SHOWN:
            return False
        calls = set(_calls(group))
        if any(calls != set(_calls(g)) for g in self.groups):
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
        names = _fitting(self.slots, group)
        if names is None:
            return False
        program = self.program
        try:
            for example in group.named(names, len(self.groups))[1]:
                program = narrow(program, example, known)
                check_reproduces(program, example)
        except (Anew, Stop):
            return False
        self.program = program
        self.groups.append(group)
        self.names.append(names)
        self.refresh()
        return True

    def absorb(self, number: int, known: ToolHabits) -> bool:
        """Narrow the program by the newest trace of a group; False if it contradicts it."""
        self.refresh()
        last = max(i for i, k in enumerate(self.of) if k == number)
        example = self.examples[last]
        self._count(example)
        try:
            program = narrow(self.program, example, known)
            check_reproduces(program, example)
        except (Anew, Stop):
            return False
        self.program = program
        return True

    def _count(self, example: Example) -> None:
        """Hold the program against a run that it has not seen."""
        try:
            made = rehearse(self.program, example.slots, example.now, example.steps)
        except Stop:
            return
        if writes(made) == wrote(example):
            self.agreed += 1
        else:
            self.disagreed += 1


def _fitting(slots: Mapping[str, SlotSpec], group: Group) -> dict[str, str] | None:
    own = roles(group.template, group.bound(), [t.steps for t in group.traces])
    names = correspond(slots, group.template, own) if slots else own
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
    tries = [together] if len(together) > 1 else []
    if len(seed.traces) >= MINIMUM:
        tries.append([seed])
    for groups in tries:
        family, why = solve(groups, known, seconds=seconds)
        if family is not None:
            return family, ""
    for group in _coherent(seed):
        family, _ = solve([group], known, seconds=seconds)
        if family is not None:
            return family, ""
    return None, why


def _coherent(group: Group) -> Iterator[Group]:
    """The group with runs left out that may be wrong, though nobody said so.

    First those that looked at other things than most, then each of them by itself.
    """
    n = len(group.traces)
    if n < _DOUBTED:
        return
    plans = [frozenset(_call(s) for s in t.steps if not s.effect.writes) for t in group.traces]
    usual = Counter(plans).most_common(1)[0][0]
    alike = [t for t, plan in zip(group.traces, plans, strict=True) if plan == usual]
    if _DOUBTED - 1 <= len(alike) < n:
        yield group.only(alike)
    if n <= _DOUBTED_EACH:
        for k in range(n):
            yield group.only([t for i, t in enumerate(group.traces) if i != k])


def _named(groups: Sequence[Group]) -> list[dict[str, str]] | None:
    slots: dict[str, SlotSpec] = {}
    found = []
    for group in groups:
        names = _fitting(slots, group)
        if names is None:
            return None
        found.append(names)
        for slot in group.template.renamed(names).slots:
            old = slots.get(slot.name)
            slots[slot.name] = replace(slot, seen=slot.seen | old.seen) if old else slot
    return found


def solve(
    groups: Sequence[Group], known: ToolHabits, *, seconds: float
) -> tuple[Family | None, str]:
    """One program for all the traces of some groups, or None and why there is none."""
    names = _named(groups)
    if names is None:
        return None, "the slots of the wordings do not correspond"
    numbered = enumerate(zip(groups, names, strict=True))
    examples = [e for k, (g, n) in numbered for e in g.named(n, k)[1]]
    if len(examples) < MINIMUM:
        return None, f"only {len(examples)} good runs, {MINIMUM} are needed"
    try:
        program = synthesize(examples, known, seconds=seconds)
        for example in examples:
            check_reproduces(program, example)
    except (NoProgram, Stop) as e:
        return None, str(e)
    return Family(program, list(groups), names), ""


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


def akin(a: Group, b: Group) -> bool:
    """Whether two wordings may ask for the same: kinds of calls and words in common."""
    one, two = set(_calls(a)), set(_calls(b))
    if len(one & two) * 2 < len(one | two):
        return False
    mine, theirs = _telling(a.template), _telling(b.template)
    apart = min(len(mine - theirs), len(theirs - mine))
    return len(mine & theirs) * 2 >= min(len(mine), len(theirs)) > 0 and apart <= _APART


def _telling(template: Template) -> set[str]:
    return {w.lower() for w in template.words} - _COMMON


def _calls(group: Group) -> Iterator[tuple[bool, object]]:
    return (_call(step) for trace in group.traces for step in trace.steps)


def _call(step: Step) -> tuple[bool, object]:
    return (True, step.tool) if step.effect.writes else (False, frozenset(step.arguments))


_APART = 2
"""Words that each of two wordings may have for itself; more, and they speak of different things."""

_COMMON = frozenset(
    [
        "a",
        "an",
        "the",
        "to",
        "of",
        "in",
        "on",
        "at",
        "by",
        "for",
        "with",
        "from",
        "into",
        "over",
        "since",
        "during",
        "until",
        "my",
        "me",
        "i",
        "we",
        "us",
        "our",
        "you",
        "your",
        "it",
        "its",
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "being",
        "do",
        "does",
        "did",
        "has",
        "have",
        "had",
        "haven",
        "hasn",
        "isn",
        "don",
        "didn",
        "t",
        "s",
        "d",
        "m",
        "re",
        "ve",
        "ll",
        "and",
        "or",
        "but",
        "not",
        "no",
        "if",
        "so",
        "then",
        "than",
        "that",
        "this",
        "these",
        "those",
        "there",
        "here",
        "them",
        "they",
        "their",
        "his",
        "her",
        "he",
        "she",
        "as",
        "can",
        "could",
        "will",
        "would",
        "should",
        "might",
        "may",
        "must",
        "please",
        "need",
        "needs",
        "want",
        "make",
        "makes",
        "made",
        "get",
        "got",
        "any",
        "all",
        "some",
        "each",
        "every",
        "both",
        "more",
        "less",
        "most",
        "least",
        "much",
        "many",
        "one",
        "first",
        "last",
        "next",
        "when",
        "while",
        "what",
        "which",
        "who",
        "whose",
        "how",
        "case",
        "time",
    ]
)
"""Words that most goals have: they do not tell goals apart."""
