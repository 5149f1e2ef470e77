"""Audits: now and then the model does what would have been free, and the two are compared.

What the free run would have written is known before the model begins, by its reads alone. Compared
is what was written: tools, arguments, and the state of files. The wording of answers is not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from llmos.config import LLMOSConfig
from llmos.cortex.foresight import foresee
from llmos.cortex.modes import Outcome, Task, learn
from llmos.cortex.modes.base import within_wall_clock
from llmos.errors import BugError, LLMOSError
from llmos.evolution.tool import TOOL, Reading
from llmos.kernel.admission import complete
from llmos.kernel.envelope import is_free
from llmos.kernel.observe import fully_observed
from llmos.plugins import Registry
from llmos.replay.compare import Mismatch, Renames, compare
from llmos.replay.engine import Ahead, Replay
from llmos.store.schema import REPLAY
from llmos.values import (
    Audit,
    AuditOutcome,
    Effect,
    Json,
    Mode,
    RunResult,
    Step,
    Trace,
    Verdict,
)

MEANS = 2.0
"""How many times the usual cost a run must be allowed, to be made by a model without need."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a free run would write."""

    source: str
    """Of the free run: ``tool:name@digest`` or ``replay:<trace id>``."""
    writes: tuple[Step, ...] = ()
    """In order; those of a trace with what came back and what they changed."""
    unknown: str = ""
    """Why there is nothing to compare with; "" if there is."""

    @property
    def looked(self) -> Outcome:
        """How the run is recorded that made the reads for it."""
        mode = Mode.CRYSTALLIZED if self.source.startswith(TOOL) else Mode.FOLLOWER
        told = f"Only looked ahead for an audit, nothing was written. {self.unknown}".strip()
        return Outcome(mode, Verdict.COMPLETED, told, source=self.source)


def rate_of(
    config: LLMOSConfig, registry: Registry, readings: Sequence[Reading], trace: Trace | None
) -> float:
    """Chance that a free run is audited; 0 where it writes nothing.

    Answers are worded differently every time: a run that only answers could not be compared.

    Args:
        config: With the rates.
        registry: The tools that there are.
        readings: Learned tools that would run, the chosen one first.
        trace: The trace that would be followed where no tool is.
    """
    if readings:
        tool = readings[0].tool
        effects = {registry.get(n).effect for n in tool.tools}
        effects = effects if any(True for _ in tool.program.writes()) else set()
    else:
        effects = {s.effect for s in trace.steps} if trace is not None else set()
    if Effect.EXTERNAL in effects:
        return config.audit_rate_external
    return config.audit_rate if Effect.WRITE in effects else 0.0


def affordable(task: Task) -> bool:
    """Whether there is a model, and so much money that it will not lack it in the midst."""
    try:
        if is_free(task.processor()):
            return True
    except LLMOSError:
        return False
    source, readings = task.source, task.readings
    usual = readings[0].tool.mean_cost_usd if readings else source.cost_usd if source else 0.0
    available = task.envelope.available(task.limits.max_cost_usd)
    return available > 0 and available >= MEANS * usual


# --- before: what would the free run write -----------------------------------------------------


async def expect(task: Task) -> Expected:
    """Look ahead through the free run of a task; what it would write.

    Args:
        task: With a reading or a source. Its calls are not those of the model's run.
    """
    if not task.readings:
        return await _expect_trace(task)
    seen = await foresee(task)
    source = f"{TOOL}{seen.reading.tool.label}"
    writes = tuple(Step(w.tool, w.arguments, effect=w.effect) for w in seen.writes)
    unknown = f"the free run would have stopped: {seen.stopped}" if seen.stopped else ""
    if not unknown and not seen.whole:
        unknown = "some of its writes are known only after others"
    return Expected(source, writes, unknown)


def without(task: Task, why: str) -> Expected:
    """Nothing to compare a task with, and why."""
    trace = task.source.id if task.source is not None else ""
    source = f"{TOOL}{task.readings[0].tool.label}" if task.readings else f"{REPLAY}{trace}"
    return Expected(source, unknown=why)


async def _expect_trace(task: Task) -> Expected:
    trace = task.source
    if trace is None:
        raise BugError("a free run to be audited has neither tool nor trace")
    replay = Replay(trace, task.moved, task.calls, task.observer, task.blobs)
    ahead = await within_wall_clock(task.watchdog, _held(task, replay))
    ahead = ahead or Ahead(stopped="it took too long")
    source = f"{REPLAY}{trace.id}"
    unknown = f"the free run would have stopped: {ahead.stopped}" if ahead.stopped else ""
    return Expected(source, ahead.writes, unknown)


async def _held(task: Task, replay: Replay) -> Ahead:
    async with task.calls.lease.held():
        return await replay.foresee()


# --- the run -----------------------------------------------------------------------------------


async def instead(task: Task, free: Callable[[Task], Awaitable[Outcome]]) -> Outcome:
    """Let the model do it. Where it fails before any write, the free run is made after all.

    Nobody asked for the audit: a goal must not fail of it.

    Args:
        task: The goal.
        free: What would have been done without the audit.
    """
    try:
        outcome = await learn(task)
    except LLMOSError as e:
        outcome = Outcome(Mode.LEARNER, Verdict.FAILED, error=e.message)
    wrote = any(s.effect.writes for s in task.calls.steps)
    if outcome.verdict.good or wrote or task.watchdog.stopped is not None:
        return outcome
    made = await free(task)
    usage = outcome.usage + made.usage
    return replace(made, usage=usage, cost_usd=task.envelope.spent_usd)


# --- after: did it do the same -----------------------------------------------------------------


def judged(
    expected: Expected, result: RunResult, refused: Sequence[str], registry: Registry
) -> Audit:
    """How a model's run compares with what the free run would have written.

    Args:
        expected: From before the run.
        result: Of the run, checked.
        refused: Tools that the model called and was not let run.
        registry: The tools that there are.
    """
    unknown = expected.unknown
    if not unknown and result.mode is not Mode.LEARNER:
        unknown = "the model's run failed, and the free run was made after all"
    if not unknown and not result.success:
        unknown = f"the model's run failed: {result.error}"
    if not unknown and refused:
        unknown = f"the model was not let call {refused[0]}"
    if unknown:
        return Audit(expected.source, AuditOutcome.INCOMPARABLE, unknown)
    made = [s for s in result.steps if s.effect.writes and not s.is_error]
    differs = _difference(expected.writes, made, registry)
    if not differs or (expected.source.startswith(REPLAY) and _same_state(expected.writes, made)):
        return Audit(expected.source, AuditOutcome.AGREED)
    return Audit(expected.source, AuditOutcome.DISAGREED, differs)


def _difference(expected: Sequence[Step], made: Sequence[Step], registry: Registry) -> str:
    """The first write in which two runs differ; "" where there is none."""
    renames = Renames()
    for k, (then, now) in enumerate(zip(expected, made, strict=False), 1):
        if then.tool != now.tool:
            return f"write {k} would have been {then.tool}, the model's was {now.tool}"
        tool = registry.get(now.tool)
        wanted = complete(tool, renames.apply(dict(then.arguments), tool.ids))
        given = complete(tool, now.arguments)
        if wanted != given:
            odd = next(n for n in {**wanted, **given} if wanted.get(n) != given.get(n))
            said, told = _brief(wanted, odd), _brief(given, odd)
            return f"{odd} of write {k} ({now.tool}) would have been {said}, the model's was {told}"
        try:
            # What came back may differ; ids that are new in it are those of what follows.
            compare(tool, then.observation, now.observation, renames, fresh=True)
        except Mismatch:
            continue
    if len(expected) != len(made):
        return f"it would have made {_writes(len(expected))}, the model made {_writes(len(made))}"
    return ""


def _same_state(expected: Sequence[Step], made: Sequence[Step]) -> bool:
    """Whether both leave the same files alike, and nothing else can have been changed."""
    if not all(fully_observed(s) for s in (*expected, *made)):
        return False
    return _left(expected) == _left(made)


def _left(steps: Sequence[Step]) -> dict[str, str | None]:
    """What was changed on balance, with what it is like after."""
    first: dict[str, str | None] = {}
    last: dict[str, str | None] = {}
    for change in (c for s in steps for c in s.footprint.writes):
        first.setdefault(change.resource, change.before)
        last[change.resource] = change.after
    return {resource: after for resource, after in last.items() if after != first[resource]}


def _brief(arguments: Mapping[str, Json], name: str) -> str:
    text = repr(arguments[name]) if name in arguments else "left out"
    return text if len(text) <= 80 else f"{text[:79]}…"


def _writes(count: int) -> str:
    return "1 write" if count == 1 else f"{count} writes"
