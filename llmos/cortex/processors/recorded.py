"""Plays a recorded trace through the system calls: for demos, tests and evaluation.

Not a replay: nothing is guarded or compared beyond success. It stands in for the model that made
the recording, and every report names it ``recorded:<model>``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping

from llmos.values import (
    Context,
    Done,
    Event,
    Json,
    Limits,
    Spent,
    Stop,
    Syscalls,
    Text,
    ToolCall,
    ToolResult,
    Trace,
)

Expand = Callable[[Json, Context], Json]
"""Puts the run's folders in place of ``$CWD``, ``$HOME`` and ``$TMP`` in a JSON value."""


class RecordedProcessor:
    """A processor that does what a model once did.

    Args:
        recordings: Goal to the trace that is played for it. The exact goal is looked up first,
            then the folded one.
        fold: Which goals are the same; outer and repeated whitespace is ignored when left out.
        expand: Applied to recorded arguments and output before use; nothing when left out.
    """

    name = "recorded"
    free = False
    """It costs what the recording cost, so that budgets and bills are those of a real run."""

    def __init__(
        self,
        recordings: Mapping[str, Trace],
        *,
        fold: Callable[[str], str] | None = None,
        expand: Expand | None = None,
    ) -> None:
        self._exact = dict(recordings)
        self._fold = fold or _squeeze
        self._folded = {self._fold(goal): trace for goal, trace in recordings.items()}
        self._expand = expand or _as_recorded

    async def run(
        self, goal: str, context: Context, syscalls: Syscalls, limits: Limits
    ) -> AsyncIterator[Event]:
        """Make the recorded calls that are not yet in ``context.prefix``, in order.

        Usage and cost are those of the whole recording, and told at the start: nobody measured
        its parts. A recording that cost more than the limit makes no call at all.
        """
        trace = self._exact.get(goal) or self._folded.get(self._fold(goal))
        if trace is None:
            yield Done("", stop="error", model=self.name, error=self._unknown(goal))
            return
        if trace.cost_usd > limits.max_cost_usd:
            yield _too_dear(trace, limits)
            return
        yield Spent(trace.usage, trace.cost_usd)
        for made, (k, arguments) in enumerate(self._todo(trace, context)):
            if made >= limits.max_turns:
                yield _done(trace, "limit", f"stopped after {made} calls, the most allowed")
                return
            call = ToolCall(f"step-{k}", trace.steps[k].tool, arguments)
            yield call
            result = await syscalls.call(call.tool, call.arguments)
            yield ToolResult(call.id, call.tool, result.observation, result.is_error)
            if result.is_error and not trace.steps[k].is_error:
                what = f"step {k} ({call.tool}) failed: {_one_line(result.text)}"
                yield _done(trace, "error", f"the recording does not fit this world: {what}")
                return
        for event in self._ending(trace, context):
            yield event

    async def aclose(self) -> None:
        """Nothing to release."""

    def _todo(self, trace: Trace, context: Context) -> list[tuple[int, Mapping[str, Json]]]:
        """Index and arguments of the recorded steps that are not done yet."""
        # What failed is not done: the recording's own step is still to be made.
        done = [
            (step.tool, self._expand(dict(step.arguments), context))
            for step in context.prefix
            if not step.is_error
        ]
        todo: list[tuple[int, Mapping[str, Json]]] = []
        for k, step in enumerate(trace.steps):
            arguments = self._expand(dict(step.arguments), context)
            if (step.tool, arguments) in done:
                # In order: what was done before this step cannot stand for a later one.
                del done[: done.index((step.tool, arguments)) + 1]
            else:
                todo.append((k, arguments))
        return todo

    def _ending(self, trace: Trace, context: Context) -> list[Event]:
        if trace.error:
            return [_done(trace, "error", _one_line(trace.error))]
        output = str(self._expand(trace.output, context))
        return [*([Text(output)] if output else []), _done(trace, "end", output=output)]

    def _unknown(self, goal: str) -> str:
        known = ", ".join(repr(_one_line(g, 60)) for g in list(self._exact)[:5]) or "none at all"
        more = f" and {len(self._exact) - 5} more" if len(self._exact) > 5 else ""
        return f"no recording of the goal {_one_line(goal, 60)!r}; there are: {known}{more}"


def _squeeze(goal: str) -> str:
    return " ".join(goal.split())


def _as_recorded(value: Json, context: Context) -> Json:
    return value


def _one_line(text: str, limit: int = 200) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _done(trace: Trace, stop: Stop, error: str = "", output: str = "") -> Done:
    return Done(output, trace.usage, trace.cost_usd, stop, f"recorded:{trace.model}", error)


def _too_dear(trace: Trace, limits: Limits) -> Done:
    cost, allowed = f"${trace.cost_usd:.4f}", f"${limits.max_cost_usd:.4f}"
    error = f"the recording cost {cost}, more than the {allowed} this run may cost"
    return Done("", stop="limit", model=f"recorded:{trace.model}", error=error)
