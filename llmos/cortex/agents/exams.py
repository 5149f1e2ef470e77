"""A goal whose right way is known, asked again in a world that is the record and nothing else.

`RecordedWorld` are the system calls of such a run. No tool is behind them: a call that the record
holds is answered from it, and any other one ends the run, since nobody knows what would have come
back. So a run may be made under any instructions, and touches nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from llmos.errors import RunStopped
from llmos.kernel.observe import acted
from llmos.kernel.places import Places
from llmos.memory.paths import absolute
from llmos.values import CallResult, Json, Step, ToolSpec, Trace

Same = Callable[[str, Mapping[str, Json], Places], str]
"""What is equal for equal calls, however they are spelled in the folders of their run."""

_CALLS_MORE = 20
"""Calls that a run may make beyond those that the record holds, before it is a loop."""


@dataclass(frozen=True, slots=True)
class Exam:
    """A goal, and the run that did it right."""

    id: str
    """Of that run."""
    goal: str
    now: datetime
    steps: tuple[Step, ...]
    """With absolute paths."""
    output: str
    places: Places
    """The folders of that run: the goal may name them."""

    @classmethod
    def of(cls, trace: Trace, places: Places) -> Exam:
        """The exam that a good run makes.

        Args:
            trace: The run, as it is stored.
            places: The folders of now.
        """
        then = replace(places, cwd=trace.cwd or places.cwd)
        whole = absolute(trace, then)
        return cls(whole.id, whole.goal, whole.now, whole.steps, whole.output, then)

    @property
    def writes(self) -> tuple[Step, ...]:
        """What has to be written, in this order."""
        return tuple(step for step in self.steps if _writes(step))

    @property
    def can_be_judged(self) -> bool:
        """Whether there is something to compare."""
        return bool(self.writes or self.output.strip())


@dataclass(frozen=True, slots=True)
class Sat:
    """What became of an exam."""

    right: bool
    why: str
    """Why it was not right; ``""`` if it was."""
    calls: tuple[tuple[str, Mapping[str, Json]], ...] = ()
    """What was called, in order."""
    output: str = ""


@dataclass(slots=True)
class RecordedWorld:
    """The system calls of one exam (`llmos.values.Syscalls`).

    Reads are answered as they were at that point of the record, between the same two writes; writes
    are answered in the order of the record. A write that failed there may be left out.

    Args:
        exam: The record.
        specs: The tools that the agent is shown.
        same: Tells equal calls.
    """

    exam: Exam
    specs: Sequence[ToolSpec]
    same: Same
    calls: list[tuple[str, Mapping[str, Json]]] = field(default_factory=list)
    """What was called, in order."""
    left: str = ""
    """Why the run is over; ``""`` while it keeps to the record."""
    _written: int = 0
    _parts: list[dict[str, Step]] = field(default_factory=list)

    def __post_init__(self) -> None:
        part: dict[str, Step] = {}
        for step in self.exam.steps:
            if _writes(step):
                self._parts.append(part)
                part = {}
            else:
                part.setdefault(self._key(step.tool, step.arguments), step)
        self._parts.append(part)

    @property
    def complete(self) -> bool:
        """Whether all that was written then is written."""
        return self._written == len(self.exam.writes)

    def tools(self) -> Sequence[ToolSpec]:
        """The tools that the agent is shown."""
        return self.specs

    async def call(self, tool: str, arguments: Mapping[str, Json]) -> CallResult:
        """Answer a call from the record.

        Raises:
            RunStopped: The record does not hold it.
        """
        if self.left:
            raise RunStopped(self.left)
        self.calls.append((tool, arguments))
        if len(self.calls) > len(self.exam.steps) + _CALLS_MORE:
            self._leave("it went round in circles")
        if tool not in {spec.name for spec in self.specs}:
            # As in a real run: the model is told, and may go on.
            return CallResult(f"{tool} was denied: this agent does not use it", is_error=True)
        key = self._key(tool, arguments)
        step = self._parts[self._written].get(key)
        writes = self.exam.writes
        if step is None and not self.complete:
            due = writes[self._written]
            if self._key(due.tool, due.arguments) == key:
                step = due
                self._written += 1
        if step is None:
            self._leave(f"it left the record with a call of {tool}")
        assert step is not None
        return CallResult(step.observation, step.is_error, len(self.calls) - 1)

    def judged(self, output: str, error: str = "") -> Sat:
        """What became of it.

        Right is a run that ended by itself, kept to the record and wrote all that was written then;
        where nothing was written, one whose answer is the same but for space, case and final marks.

        Args:
            output: The answer.
            error: Why the run did not end by itself.
        """
        why = self.left or error
        if not why and not self.complete:
            missing = self.exam.writes[self._written]
            why = f"it ended without the call of {missing.tool} that was due"
        if not why and not self.exam.writes and _plain(output) != _plain(self.exam.output):
            why = "its answer is another one"
        return Sat(not why, why, tuple(self.calls), output)

    def _key(self, tool: str, arguments: Mapping[str, Json]) -> str:
        return self.same(tool, arguments, self.exam.places)

    def _leave(self, why: str) -> None:
        self.left = why
        raise RunStopped(why)


def _writes(step: Step) -> bool:
    return step.effect.writes and acted(step) and not step.is_error


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold().rstrip(".!")
