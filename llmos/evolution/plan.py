"""Runs a program: asks for one call after the other, and stops where the version space disagrees.

The runner makes no call itself. It is a generator: it yields what is to be called and is sent what
came back. `foresee` goes through the whole program before anything is written, so that whatever can
stop a run stops it before its first write.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from llmos.evolution.evaluate import Abstain, Env, evaluate
from llmos.evolution.ir import (
    Arguments,
    Candidates,
    Expr,
    Guard,
    Loop,
    Node,
    Program,
    Read,
    Seen,
    Single,
    Write,
    parts,
)
from llmos.evolution.pool import same
from llmos.evolution.runtime import union
from llmos.values import Json, Step


class Stop(Exception):
    """The program does not know what is right here; the message says why."""


class Unrecorded(Stop):
    """The program calls something that a recorded run did not."""

    def __init__(self, request: Request) -> None:
        super().__init__(f"{request.tool}({_short(dict(request.arguments))}) was not recorded")
        self.request = request


@dataclass(frozen=True, slots=True)
class Request:
    """One call that the program makes."""

    node: str
    tool: str
    arguments: Mapping[str, Json]
    writes: bool


Run = Generator[Request, Json, str]
"""Yields calls, is sent their observations, returns the answer."""

_LATER = object()
"""In place of what a write that is not made yet will return."""


class Runner:
    """One run of one program.

    Args:
        program: What to run.
        slots: What the goal says.
        now: The wall clock of the run, naive.
        strict: Ask all candidates, not only the simplest.
        stages: Reads that follow each other and do not look at each other.
    """

    def __init__(
        self,
        program: Program,
        slots: Mapping[str, str],
        now: datetime,
        *,
        strict: bool = True,
        stages: Iterable[Sequence[str]] = (),
    ) -> None:
        self._program = program
        self._strict = strict
        self._stages = {stage[0]: frozenset(stage) for stage in stages}
        self._ready: dict[str, Request] = {}
        """Reads of a stage that are prepared and not yet asked for."""
        self.together: list[Request] = []
        """Reads that do not wait for each other, as `foresee` will ask for them; whoever is asked
        for the first may make all of them."""
        self.env = Env(dict(slots), now)
        self._open: dict[str, bool] = {"": True}
        self._checked: set[str] = set()
        """Guards of which the hidden part has been asked, before their first write."""
        self.empty: list[str] = []
        """Nodes of writes for every row, where there was none."""
        self.later: list[Write] = []
        """Writes that `run` could not foresee: they need what an earlier one returns."""
        self._foresee = False

    @property
    def open(self) -> list[str]:
        """Nodes of writes that may be made or not, as far as is known."""
        return [*(node.id for node in self.later), *self.empty]

    def run(self, *, foresee: bool = False) -> Run:
        """Go through the program.

        Args:
            foresee: Writes are yielded too, but what they return is not known.

        Raises:
            Stop: Candidates disagree, or a result has another shape than any trace had.
        """
        self._foresee = foresee
        for node in self._program.nodes:
            if foresee and node.id in self._stages:
                self._prepare(self._stages[node.id])
            if not self._reached(node.guard):
                continue
            if isinstance(node, Read):
                yield from self._read(node)
            else:
                yield from self._write(node)
        if not self._program.answer:
            return ""
        return str(self._agreed(self._program.answer, "the answer"))

    # --- nodes ---------------------------------------------------------------------------------

    def _read(self, node: Read) -> Generator[Request, Json, None]:
        if self._foresee and self._waits(node):
            self.env.saw(node.id, _LATER)
            return
        request = self._ready.pop(node.id, None) or self._request(node)
        tool, arguments = request.tool, dict(request.arguments)
        observation = yield request
        pages: list[Json] = []
        while node.cap and isinstance(observation, list) and len(observation) >= node.cap:
            if node.content and len(observation) == node.cap:
                break
            if node.paging is None or len(observation) > node.paging.cap:
                raise Stop(f"{tool} gave {len(observation)} results, there may be more")
            pages.append(observation)
            arguments = self._next_page(node, arguments, observation)
            observation = yield Request(node.id, tool, arguments, False)
        if pages:
            last = observation if isinstance(observation, list) else []
            observation = union(*pages, last)
        self.env.saw(node.id, observation)

    def _request(self, node: Read) -> Request:
        tool = self._agreed(node.tool, f"the tool of {node.id}")
        return Request(node.id, tool, self._values(node.arguments, node.id), False)

    def _prepare(self, stage: Collection[str]) -> None:
        """Work out the calls of a stage; what stops one of them is told when it is its turn."""
        self.together = []
        for node in self._program.reads():
            if node.id not in stage:
                continue
            try:
                if self._reached(node.guard) and not self._waits(node):
                    self._ready[node.id] = self._request(node)
                    self.together.append(self._ready[node.id])
            except Stop:
                return

    def _next_page(
        self, node: Read, arguments: dict[str, Json], page: list[Any]
    ) -> dict[str, Json]:
        assert node.paging is not None
        last = page[-1]
        moved = last.get(node.paging.field) if isinstance(last, dict) else None
        if moved is None or arguments.get(node.paging.argument) == moved:
            raise Stop(f"{node.id} cannot be asked for more")
        return {**arguments, node.paging.argument: moved}

    def _write(self, node: Write) -> Generator[Request, Json, None]:
        if node.guard not in self._checked:
            self._checked.add(node.guard)
            self._check_hidden(self._program.guards.get(node.guard, Guard()))
        if self._foresee and self._waits(node):
            self.env.saw(node.id, _LATER)
            self.later.append(node)
            return
        tool = self._agreed(node.tool, f"the tool of {node.id}")
        ways = [self._calls(node, shape) for shape in node.shapes]
        if any(way != ways[0] for way in ways[1:]):
            raise Stop(f"{tool} may be meant once or for several rows")
        if not ways[0]:
            self.empty.append(node.id)
        for arguments in ways[0]:
            observation = yield Request(node.id, tool, arguments, True)
            self.env.saw(node.id, _LATER if self._foresee else observation)

    def _calls(self, node: Write, shape: Single | Loop) -> list[dict[str, Json]]:
        if isinstance(shape, Single):
            return [self._values(shape.arguments, node.id)]
        rows = self._agreed(shape.rows, f"the rows of {node.id}")
        found = []
        for row in rows:
            self.env.row = row
            found.append(self._values(shape.arguments, node.id))
        self.env.row = None
        return found

    def _waits(self, node: Node) -> bool:
        """Whether it needs what an earlier write returns."""
        later = {name for name, value in self.env.seen.items() if value is _LATER}
        return bool(later) and any(
            isinstance(p, Seen) and p.node in later for e in _simplest(node) for p in parts(e)
        )

    # --- branches and values -------------------------------------------------------------------

    def _reached(self, name: str) -> bool:
        if name not in self._open:
            guard = self._program.guards[name]
            reached = self._reached(guard.after)
            if reached and guard.conditions:
                reached = bool(self._agreed(guard.conditions, "whether a condition holds"))
            self._open[name] = reached
        return self._open[name]

    def _check_hidden(self, guard: Guard) -> None:
        for condition in guard.hidden if self._strict else ():
            try:
                holds = bool(evaluate(condition, self.env))
            except Abstain:
                holds = False
            if not holds:
                raise Stop("something is not as it was in every trace, though nothing used it")

    def _values(self, arguments: Arguments, node: str) -> dict[str, Json]:
        return {n: self._agreed(c, f"{node}.{n}") for n, c in arguments.items()}

    def _agreed(self, candidates: Candidates, what: str) -> Any:
        """What all candidates that do not abstain say; the simplest must say something."""
        try:
            value = evaluate(candidates[0], self.env)
        except Abstain as e:
            raise Stop(f"{what} is not known: {e}") from e
        for rival in candidates[1:] if self._strict else ():
            try:
                other = evaluate(rival, self.env)
            except Abstain as e:
                if str(e) == "too few":
                    raise Stop(f"{what}: no result has what the goal says") from e
                continue
            if not same(other, value):
                raise Stop(f"{what} could be {_short(value)} or {_short(other)}")
        return value


def _simplest(node: Node) -> Iterator[Expr]:
    """The simplest candidates of a step, in every shape."""
    shapes = [node] if isinstance(node, Read) else node.shapes
    for shape in shapes:
        yield from (candidates[0] for candidates in shape.arguments.values())
        if isinstance(shape, Loop):
            yield shape.rows[0]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a program does with what a recorded run saw."""

    made: tuple[Request, ...]
    """Its calls."""
    steps: Mapping[str, tuple[Step, ...]]
    """For each step of the program, those of the record that it is."""
    answer: str

    @property
    def writes(self) -> list[tuple[str, Mapping[str, Json]]]:
        """What it writes: tool and arguments."""
        return [(r.tool, r.arguments) for r in self.made if r.writes]


def rehearse(
    program: Program,
    slots: Mapping[str, str],
    now: datetime,
    recorded: Sequence[Step],
    *,
    strict: bool = True,
) -> list[Request]:
    """What a program would call, given what a recorded run saw; see `rehearsal`."""
    return list(rehearsal(program, slots, now, recorded, strict=strict).made)


def rehearsal(
    program: Program,
    slots: Mapping[str, str],
    now: datetime,
    recorded: Sequence[Step],
    *,
    strict: bool = True,
) -> Rehearsal:
    """Go through a program, given what a recorded run saw.

    Args:
        program: What to run.
        slots: What the goal of the recorded run says.
        now: Its clock, naive.
        recorded: Its steps, with observations.
        strict: Ask all candidates, not only the simplest.

    Raises:
        Stop: It does not know what is right.
        Unrecorded: It calls something that was not recorded.
    """
    left = list(recorded)
    made: list[Request] = []
    steps: dict[str, tuple[Step, ...]] = {}
    run = Runner(program, slots, now, strict=strict).run()
    try:
        request = next(run)
        while True:
            made.append(request)
            step = _recorded(request, left)
            steps[request.node] = (*steps.get(request.node, ()), step)
            request = run.send(step.observation)
    except StopIteration as e:
        return Rehearsal(tuple(made), steps, e.value)


def foretell(
    program: Program, slots: Mapping[str, str], now: datetime, recorded: Sequence[Step]
) -> tuple[list[Request], Runner]:
    """What a program would have announced before its first write, given what a run saw.

    Returns:
        Its calls, and what made them.

    Raises:
        Stop: It reads something that was not recorded, or does not know what is right.
    """
    left = list(recorded)
    made: list[Request] = []
    runner = Runner(program, slots, now)
    run = runner.run(foresee=True)
    try:
        request = next(run)
        while True:
            made.append(request)
            request = run.send(None if request.writes else _recorded(request, left).observation)
    except StopIteration:
        return made, runner


def _recorded(request: Request, left: list[Step]) -> Step:
    """The next of the recorded steps that is a call, taken from them."""
    for k, step in enumerate(left):
        if step.tool == request.tool and dict(step.arguments) == dict(request.arguments):
            return left.pop(k)
    raise Unrecorded(request)
