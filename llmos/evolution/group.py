"""The traces of one wording."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import is_

from llmos.evolution.align import Masked, Span, Wording, mask
from llmos.evolution.example import Example
from llmos.evolution.holes import Hole, filled
from llmos.evolution.kept import Kept
from llmos.evolution.roles import roles
from llmos.evolution.slots import FREE
from llmos.evolution.templates import Template, plain
from llmos.evolution.words import COMMON
from llmos.values import Step, Trace

CONDITION = re.compile(
    r"\b(?:if|whether|unless|otherwise|in case|provided|should (?:it|they|there|he|she))\b"
    r"|\?\s+then\b",
    re.IGNORECASE,
)
_QUESTION = re.compile(
    r"(?:(?:about|at|by|for|from|in|of|on|to|until|with) )?"
    r"(?:which|what|when|where|who|whom|whose|why|how)\b",
    re.IGNORECASE,
)
"""What a goal that asks for an answer begins with."""

_ALL = re.compile(r"\b(?:all|every|each)\b", re.IGNORECASE)
_ONE = re.compile(r"\b(?:first|last|next|latest|earliest|newest|oldest)\b", re.IGNORECASE)
"""Words of a goal that speak of all of a kind, or of one of them by its place."""

_SHORT = 3
"""Words that a name may have."""

_NOTHING: Mapping[str, str] = {}


def kind_of_call(step: Step) -> tuple[bool, object]:
    """What calls of one place in different traces share: a write's tool, a read's arguments."""
    return (True, step.tool) if step.effect.writes else (False, frozenset(step.arguments))


def _is_name(text: str) -> bool:
    words = text.lower().split()
    return len(words) <= _SHORT and not any(w.strip("'") in COMMON for w in words)


@dataclass(frozen=True, slots=True)
class _Made:
    """What some traces have done; worked out once, for groups are compared with many others."""

    traces: tuple[Trace, ...]
    calls: frozenset[tuple[bool, object]]
    outcomes: frozenset[frozenset[str]]

    @classmethod
    def by(cls, traces: Sequence[Trace]) -> _Made:
        outcomes = (frozenset(s.tool for s in t.steps if s.effect.writes) for t in traces)
        calls = (kind_of_call(step) for trace in traces for step in trace.steps)
        return cls(tuple(traces), frozenset(calls), frozenset(outcomes))

    def of(self, traces: Sequence[Trace]) -> bool:
        return len(traces) == len(self.traces) and all(map(is_, traces, self.traces))


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
    _roles: tuple[Template, dict[str, str]] | None = None
    _made: _Made | None = None
    _bound: Kept[dict[str, str]] = field(default_factory=Kept, compare=False)
    _examples: Kept[Example] = field(default_factory=Kept, compare=False)

    @classmethod
    def of(cls, trace: Trace, phrases: Mapping[str, str] = _NOTHING) -> Group:
        """A group of one.

        Args:
            trace: Its trace.
            phrases: Words that are slots in every goal: words to kind.
        """
        masked = mask(trace.goal, trace.steps, phrases)
        return cls(Wording(masked, [masked.goal], set(masked.told)), [trace])

    @property
    def readable(self) -> bool:
        """Whether the template tells what every one of its goals means."""
        return all(len(self.template.match(g)) == 1 for g in self.wording.goals)

    @property
    def conditional(self) -> bool:
        """Whether the goals ask for something under a condition."""
        polar = (w for s in self.template.slots if s.kind == "polar" for w in s.seen)
        return bool(CONDITION.search(" ".join([*self.template.literals, *polar])))

    @property
    def only_asks(self) -> bool:
        """Whether the goals are questions, and no run has changed anything."""
        return not self.changes and bool(_QUESTION.match(self.wording.shown.goal))

    @property
    def changes(self) -> set[str]:
        """Tools by which its runs have changed something."""
        return set[str]().union(*self.outcomes)

    @property
    def outcomes(self) -> frozenset[frozenset[str]]:
        """The sets of tools by which single runs have changed something."""
        return self._of_traces().outcomes

    @property
    def calls(self) -> frozenset[tuple[bool, object]]:
        """The kinds of calls that its runs make."""
        return self._of_traces().calls

    def _of_traces(self) -> _Made:
        if self._made is None or not self._made.of(self.traces):
            self._made = _Made.by(self.traces)
        return self._made

    @property
    def template(self) -> Template:
        """The template as the goals have it now."""
        if self._template is None:
            self._template = self.wording.template()
        return self._template

    def take(self, alone: Group) -> bool:
        """Add the trace of a group of one if its goal is of this wording; whether it was."""
        masked = alone.wording.shown
        bound = self.template.match(masked.goal)
        if len(bound) == 1 and not self._swallows(masked, bound[0]):
            self.wording.goals.append(masked.goal)
            self.wording.told |= masked.told
        elif not self.wording.add(masked, sealed=self.sealed):
            return False
        self.traces += alone.traces
        self._template = None
        return True

    def _swallows(self, masked: Masked, bound: Mapping[str, str]) -> bool:
        """Whether an open slot would hold more than what is known to be the argument there."""
        held = (bound[s.name] for s in self.template.slots if s.kind in FREE)
        return any(text != value and text in value for value in held for text in masked.told)

    def mark(self, text: str, kind: str) -> bool:
        """Make a slot of words that are one in other wordings; whether they stand here once."""
        shown = self.wording.shown
        found = list(re.finditer(rf"(?<!\w){re.escape(text)}(?!\w)", shown.goal, re.IGNORECASE))
        if len(found) != 1:
            return False
        start, end = found[0].span()
        if any(s.start < end and start < s.end for s in shown.spans):
            return False
        spans = sorted((*shown.spans, Span(start, end, kind)), key=lambda s: s.start)
        marked = Wording(
            Masked(shown.goal, tuple(spans)), self.wording.goals, self.wording.told | {text}
        )
        template = marked.template()
        if any(len(template.match(g)) != 1 for g in marked.goals):
            return False
        self.wording, self._template = marked, template
        return True

    def unmark(self, wording: Wording) -> None:
        """Go back to the wording as it was before `mark`."""
        if self.wording is not wording:
            self.wording, self._template = wording, None

    def reset(self, traces: list[Trace]) -> None:
        """Hold these traces of the wording, and no others."""
        self.traces = traces
        goals = [plain(t.goal) for t in traces]
        self.wording = Wording(self.wording.shown, goals, self.wording.told)
        self._template = None

    def only(self, traces: list[Trace]) -> Group:
        """The same wording with some of the traces."""
        group = self.copy()
        group.reset(traces)
        return group

    def copy(self) -> Group:
        """As it is now: what is taken in later is not in the copy."""
        return replace(self, wording=self.wording.copy(), traces=list(self.traces))

    def join(self, other: Group) -> bool:
        """Take in another group whose wording is the same, seen with what is known now."""
        shown, goals = self.wording.shown, list(self.wording.goals)
        told = set(self.wording.told)
        if self.sealed or other.sealed or not self.wording.add(other.wording.shown):
            return False
        self.wording.goals = [*goals, *other.wording.goals]
        self.wording.told |= other.wording.told
        template = self.wording.template()
        if any(len(template.match(g)) != 1 for g in self.wording.goals):
            self.wording.shown, self.wording.goals, self.wording.told = shown, goals, told
            return False
        self.traces += other.traces
        self._template = None
        return True

    def split(self, phrases: Mapping[str, str] = _NOTHING, *, anyhow: bool = False) -> list[Group]:
        """Groups that are apart in the words of one slot, so that each does one kind of thing.

        Args:
            phrases: Words that made a difference in other goals.
            anyhow: Split by words even if they do not tell the ways apart that the traces went.

        Returns:
            The groups; none where no slot tells them apart.
        """
        ways = [tuple(dict.fromkeys(kind_of_call(s) for s in t.steps)) for t in self.traces]
        bound = self.bound()
        for slot in self.template.slots:
            values = sorted(slot.seen)
            if slot.kind != "word" or not 1 < len(values) <= _SHORT:
                continue
            told = [
                {w for w, b in zip(ways, bound, strict=True) if b[slot.name] == v} for v in values
            ]
            if not anyhow and any(a & b for k, a in enumerate(told) for b in told[k + 1 :]):
                continue
            return [self._only(slot.name, value, phrases) for value in values]
        return []

    def _only(self, slot: str, value: str, phrases: Mapping[str, str]) -> Group:
        chosen = [t for t, b in zip(self.traces, self.bound(), strict=True) if b[slot] == value]
        group = Group.of(chosen[0], phrases)
        for trace in chosen[1:]:
            group.take(Group.of(trace, phrases))
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
        self._bound = self._bound.upto(
            template.reading, self.traces, lambda k: template.match(plain(self.traces[k].goal))[0]
        )
        return list(self._bound.of)

    @property
    def roles(self) -> dict[str, str]:
        """What each slot is used for, as `llmos.evolution.roles.roles` tells it."""
        template = self.template
        if self._roles is None or self._roles[0] is not template:
            own = roles(template, self.bound(), [t.steps for t in self.traces])
            self._roles = template, own
        return self._roles[1]

    def named(
        self, names: Mapping[str, str], number: int, holes: Sequence[Hole] = ()
    ) -> tuple[Template, list[Example]]:
        """Template and examples with the slots named otherwise, as wording ``number``.

        Where there are holes, the runs are as if they had asked a model for what stands there.
        """
        template = self.template.renamed(names)
        polar = {s.name: " ".join(sorted(s.seen)) for s in template.slots if s.kind == "polar"}
        text = template.told(polar).lower()
        conditional = self.conditional
        one, several = bool(_ONE.search(text)), bool(_ALL.search(text))
        many = several if one != several else None
        kinds = {s.name: s.kind for s in template.slots}
        bound = self.bound()

        def example(k: int) -> Example:
            trace = self.traces[k]
            return Example(
                {names[slot]: v for slot, v in bound[k].items()},
                trace.now.replace(tzinfo=None),
                filled(trace.steps, holes),
                trace.output,
                conditional,
                kinds,
                number,
                many,
                text,
            )

        told = dict(names), number, tuple(holes), kinds, conditional, many, text
        self._examples = self._examples.upto((told, self.template.reading), self.traces, example)
        return template, list(self._examples.of)
