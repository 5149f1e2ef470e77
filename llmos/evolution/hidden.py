"""What must be so again before a tool writes, though nothing that it does looks at it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain
from random import Random

from llmos.evolution import cues, guards
from llmos.evolution.evaluate import Abstain, Env, evaluate
from llmos.evolution.example import Example, NoProgram
from llmos.evolution.holes import asks
from llmos.evolution.ir import (
    Call,
    Candidates,
    Const,
    Expr,
    Loop,
    Program,
    Read,
    Seen,
    Write,
    call,
    const,
    every_candidate,
    is_call,
    nodes_of,
    parts,
    slots_of,
    tables_of,
)
from llmos.evolution.naming import akin_words
from llmos.evolution.pool import Pool, same
from llmos.evolution.rows import Rows
from llmos.values import Json

_ONE_SIDED = 4
"""Runs without which a condition that always came out the same is not taken for understood."""

_MOST_LETTERS = 500
"""Of a text that is asked for word by word."""


def check(program: Program, examples: Sequence[Example]) -> None:
    """Refuse a program of which too little was seen to tell what it depends on.

    Raises:
        NoProgram: Why.
    """
    used = _used(program)
    last = max((k for k, n in enumerate(program.nodes) if isinstance(n, Write)), default=0)
    if any(isinstance(n, Read) and n.guard and n.id not in used for n in program.nodes[:last]):
        # What it was for may be what a constant hides.
        raise NoProgram("a read in a branch that nothing uses")
    if is_one_sided(program, examples) and len(examples) < _ONE_SIDED:
        raise NoProgram(f"a condition of which only one outcome was seen, in {len(examples)} runs")


@dataclass(frozen=True)
class Before:
    """What is said of what was read before the first write of a program.

    Attributes:
        program: It writes something.
        examples: All its traces.
        envs: What each of them has read.
        pool: What can be said where the first write is made.
        collections: Its rows.
        idle: Slots that vary and that nothing looks at.
    """

    program: Program
    examples: Sequence[Example]
    envs: Sequence[Env]
    pool: Pool
    collections: Sequence[Rows]
    idle: Collection[str]

    def conditions(self) -> Candidates:
        """What was so in every trace: of reads that nothing uses, and of what may be a condition.

        Raises:
            NoProgram: Nothing can be said that the writes may depend on.
        """
        one_sided = is_one_sided(self.program, self.examples)
        used = _used(self.program)
        unused = {r.id for r in self.program.reads() if r.guard == "" and r.id not in used}
        found: Candidates = ()
        if unused or one_sided:
            said = [
                (e, t)
                for e, t in guards.conditions(self.pool, self.collections)
                if _tells(e, t) and self._is_before(e) and (one_sided or nodes_of(e) & unused)
            ]
            found = guards.always(said)
        found += tuple(filter(self._is_before, self._same_texts(unused)))
        mute = {n for n in unused if self._is_prose(n) and (one_sided or self._may_hide(n))}
        nothing_said = {call("exists", call("rows", Seen(n))) for n in mute}
        looked = {n for e in found if not set(parts(e)) & nothing_said for n in nodes_of(e)}
        if unused - self._later - looked:
            raise NoProgram("a read that nothing uses, and of which nothing can be said")
        if one_sided and not (found and all(self._is_told(slot, found) for slot in self.idle)):
            # What the goals name and nothing looks at is what the condition may be about.
            raise NoProgram("a condition of which only one outcome was seen")
        as_ever = (*self._as_ever(whole=one_sided), *self._last_pages())
        return found + tuple(e for e in as_ever if self._is_before(e) and e not in found)

    def _is_told(self, slot: str, found: Candidates) -> bool:
        """Whether it is no coincidence that conditions with a slot hold: a permutation test.

        With the words of other runs there they would hold as well if they said nothing of them.
        What a goal plainly compares with needs no such test.
        """
        about = [e for e in found if slot in slots_of(e)]
        if not about or cues.is_limit(self.pool.said, slot):
            return bool(about)
        envs = [env for env in self.pool.envs if slot in env.slots]
        here = [env.slots[slot] for env in envs]
        rng, explained, others = Random(0), 0, 0
        for words in (rng.sample(here, len(here)) for _ in range(guards.WAYS)):
            if words == here:
                continue
            swapped = [
                Env({**env.slots, slot: word}, env.now, env.seen)
                for env, word in zip(envs, words, strict=True)
            ]
            others += 1
            explained += any(all(map(partial(_holds, e), swapped)) for e in about)
        return not guards.may_be_chance(explained, others)

    @cached_property
    def _later(self) -> frozenset[str]:
        """Nodes from the first write on: what is asked before it cannot speak of them."""
        first = next(self.program.writes())
        return frozenset(n.id for n in self.program.nodes[self.program.nodes.index(first) :])

    def _is_before(self, expr: Expr) -> bool:
        return not nodes_of(expr) & self._later

    def _as_ever(self, *, whole: bool) -> Iterator[Expr]:
        """What fields never were other than, that a condition names and nothing looks at.

        Args:
            whole: Only one outcome was seen: the condition may be about any field, and about the
                states that it was in.

        Raises:
            NoProgram: Too few runs tell whether a field is a state.
        """
        decides = _branches(self.program) or any(e.conditional for e in self.examples)
        wordings = [re.sub(r"\{\w+\}", " ", e.said) for e in self.examples]
        looked = {p for some in every_candidate(self.program) for e in some for p in parts(e)}
        for record in self.pool.records if decides else ():
            values = self.pool.values(record)
            named = all(akin_words(w, _name(record)) for w in wordings)
            if values is None or record in looked or not (named or whole):
                continue
            if all(v is None or v == "" for v in values):
                yield call("missing", record)
            elif all(same(v, values[0]) and isinstance(v, (str, bool)) for v in values):
                yield call("test", record, "==", values[0])
            elif whole and all(map(guards.is_state, values)):
                states = set(values)
                if 2 * len(states) <= len(values):
                    yield call("among", record, const(sorted(states)), const([]))
                elif len(states) < len(values):
                    raise NoProgram("a condition of which only one outcome was seen")

    def _last_pages(self) -> Iterator[Expr]:
        """That there is no further page after those that were read, as it was in every trace.

        The next page is a field that a read of the same tool takes, and that the last one lacks.
        """
        tools = {r.id: r.tool for r in self.program.reads()}
        several = chain.from_iterable(r.arguments.values() for r in self.program.reads())
        fields = (p for e in chain.from_iterable(several) for p in parts(e) if is_call(p, "get"))
        leads_on = {(tools.get(n), _name(f)) for f in fields for n in nodes_of(f)}
        for record in self.pool.records:
            (node,), values = nodes_of(record), self.pool.values(record)
            if (tools.get(node), _name(record)) in leads_on and values and not any(values):
                yield call("missing", record)

    def _same_texts(self, unused: Collection[str]) -> Iterator[Expr]:
        """Texts that were the same in every trace, and out of which what was written may come.

        Raises:
            NoProgram: Such a text is too long to be asked for word by word.
        """
        for node in sorted(unused):
            if not self._is_prose(node) and self._may_hide(node):
                text = str(self.envs[0].seen[node])
                if len(text) > _MOST_LETTERS:
                    raise NoProgram("a read that nothing uses, and of which nothing can be said")
                yield call("test", Seen(node), "==", text)

    def _is_prose(self, node: str) -> bool:
        """Whether a read gave texts, and not always the same: that it is no list says nothing."""
        texts = [env.seen.get(node) for env in self.envs]
        return all(isinstance(t, str) for t in texts) and len(set(map(str, texts))) > 1

    def _may_hide(self, node: str) -> bool:
        """Whether what was written may have come out of texts that nothing looks at.

        Many a file is looked at before another is written. But a table of what the goals' words
        stood for, or a value that never changed and that the texts hold, may be what was read.
        """
        texts = [env.seen.get(node) for env in self.envs]
        if not all(isinstance(t, str) for t in texts):
            return False
        shapes = chain.from_iterable(w.shapes for w in self.program.writes())
        several = chain.from_iterable(s.arguments.values() for s in shapes)
        return any(
            any(tables_of(expr))
            or (isinstance(expr, Const) and _is_in_all(expr.value, map(str, texts)))
            for expr in chain.from_iterable(several)
        )


def _holds(condition: Expr, env: Env) -> bool:
    try:
        return evaluate(condition, env) is True
    except Abstain:
        return False


def _name(field: Expr) -> str:
    assert isinstance(field, Call)
    name = field.arguments[1]
    return str(name.value) if isinstance(name, Const) else ""


def is_one_sided(program: Program, examples: Sequence[Example]) -> bool:
    """Whether the goals name a condition, and only one outcome of it was seen."""
    return all(e.conditional for e in examples) and not _branches(program)


def _is_in_all(value: Json, texts: Iterable[str]) -> bool:
    said = "" if isinstance(value, bool) or value is None else str(value)
    return len(said) > 1 and all(said in t for t in texts)


def _used(program: Program) -> set[str]:
    """Steps whose observation some candidate looks at, or a model that is asked for a value."""
    looked = {n for several in every_candidate(program) for n in nodes_of(*several)}
    last = max((program.nodes.index(read) for read in asks(program)), default=0)
    return looked | {n.id for n in program.nodes[:last] if isinstance(n, Read)}


def _tells(condition: Expr, truth: Sequence[bool]) -> bool:
    """Whether a condition says something by the goal or the clock, or of a result's emptiness.

    That a field is not the text of a slot says nothing.
    """
    inside = list(parts(condition))
    if is_call(condition, "missing"):
        return False
    if guards.is_of_text(condition):
        return any(truth)
    return guards.grounded(condition) or not any(is_call(p, "test") for p in inside)


def _branches(program: Program) -> bool:
    if any(g.conditions for g in program.guards.values()):
        return True
    return any(isinstance(s, Loop) for w in program.writes() for s in w.shapes)
