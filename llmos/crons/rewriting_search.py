"""The search for a better text: `gepa` on the exams that are not held out.

GEPA (Agrawal et al., 2025, arXiv 2507.19457) keeps the texts that are best at some exam, lets a
model reflect on what went wrong under one of them, and tries what it says on a few exams before on
all. Its loop is used as it is; exams, questions and what may be changed are ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from llmos.cortex.agents import Agent
from llmos.cortex.agents.exams import Exam, Sat
from llmos.cortex.agents.rewriting import (
    KEPT,
    LONGEST_LINE,
    MOST_ADDED,
    edited,
    instructions_of,
    with_instructions,
)
from llmos.crons.examining import Examiner, NotWorking, UsedUp
from llmos.crons.rewriting_exams import Failure, Material
from llmos.errors import UserError
from llmos.evolution.asking import question_of, shown
from llmos.evolution.hints import Refused
from llmos.values import Json

if TYPE_CHECKING:
    from gepa.core.adapter import EvaluationBatch

T = TypeVar("T")

QUESTION = "Improve the instructions of an agent."
"""First line of the question."""
ROUNDS = 8
"""Times that a model is asked to reflect."""

_AT_ONCE = 3
"""Exams that are reflected on together."""
_TEXT, _CALLS = 240, 6
_PART = "instructions"
_RULES = (
    'Answer {"drop": [NUMBER, …], "add": [{"after": NUMBER, "text": "…"}, …]}: lines of the '
    "instructions to leave out, and lines to put after one, by the numbers that they have below "
    f"(0: before the first). Change little: at least {KEPT:.0%} of the lines must stay, at most "
    f"{MOST_ADDED} may be new, of at most {LONGEST_LINE} characters each; plain text without "
    "addresses, secrets, markup or front matter. Say how to work on all goals of this kind: what "
    "fits one goal alone is refused by goals that you do not see."
)


@dataclass(slots=True)
class Found:
    """What a search has brought."""

    agent: Agent | None = None
    """With the best text; None if none was better."""
    tried: int = 0
    """Texts that were proposed and could be taken."""
    refused: list[str] = field(default_factory=list)
    """Why others could not."""
    used_up: str = ""
    """What was used up before the end."""


def missing() -> str:
    """Why there can be no search; ``""`` if there can."""
    from importlib.util import find_spec

    if find_spec("gepa") is not None:
        return ""
    return "the package gepa is not installed: pip install 'llmos[gepa]'"


def search(
    examiner: Examiner,
    agent: Agent,
    material: Material,
    loop: asyncio.AbstractEventLoop,
) -> Found:
    """Look for a better text. Blocks, in another thread than that of ``loop``.

    Args:
        examiner: Asks exams and questions, in ``loop``.
        agent: As it is.
        material: Its exams; those that are held out are not looked at.
        loop: A running loop.

    Raises:
        NotWorking: The model does not work.
        UserError: `gepa` is not installed.
    """
    if problem := missing():
        raise UserError(problem)
    from gepa.api import optimize

    adapter = _Adapter(examiner, agent, material.failures, loop)
    own = instructions_of(agent)
    result: Any = optimize(
        seed_candidate={_PART: own},
        trainset=list(material.learn),
        adapter=cast(Any, adapter),
        perfect_score=1.0,
        reflection_minibatch_size=min(_AT_ONCE, len(material.learn)),
        max_metric_calls=(2 * ROUNDS + 1) * len(material.learn),
        stop_callbacks=cast(Any, adapter.is_over),
        logger=_Quiet(),
        raise_on_exception=True,
        seed=0,
    )
    if adapter.broken is not None:
        raise adapter.broken
    best = str(result.best_candidate[_PART])
    better = result.val_aggregate_scores[result.best_idx] > result.val_aggregate_scores[0]
    if best != own and better:
        adapter.found.agent = with_instructions(agent, best)
    return adapter.found


class _Adapter:
    """What gepa asks: how good a text is, what went wrong under it, and a new one."""

    def __init__(
        self,
        examiner: Examiner,
        agent: Agent,
        failures: Sequence[Failure],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._examiner = examiner
        self._agent = agent
        self._own = instructions_of(agent)
        self._failures = failures
        self._loop = loop
        self.found = Found()
        self.broken: NotWorking | None = None
        self._asked = 0

    def is_over(self, state: Any) -> bool:
        """Whether to stop; gepa asks before every round."""
        perfect = max(state.program_full_scores_val_set, default=0.0) >= 1.0
        return perfect or self._over or self._asked >= ROUNDS or state.i >= 2 * ROUNDS

    def evaluate(
        self, batch: Sequence[Exam], candidate: Mapping[str, str], capture_traces: bool = False
    ) -> EvaluationBatch[tuple[Exam, Sat], Sat]:
        """Sit some exams under a text."""
        from gepa.core.adapter import EvaluationBatch

        prompt = self._prompt(candidate[_PART])
        sat = [self._sit(exam, prompt) for exam in batch]
        both = list(zip(batch, sat, strict=True)) if capture_traces else None
        return EvaluationBatch(sat, [float(one.right) for one in sat], both)

    def make_reflective_dataset(
        self,
        candidate: Mapping[str, str],
        eval_batch: EvaluationBatch[tuple[Exam, Sat], Sat],
        components_to_update: Sequence[str],
    ) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """What went wrong, and how it was done right."""
        told = [_told(exam, sat) for exam, sat in eval_batch.trajectories or []]
        return dict.fromkeys(components_to_update, told)

    def propose_new_texts(
        self,
        candidate: Mapping[str, str],
        reflective_dataset: Mapping[str, Sequence[Mapping[str, Any]]],
        components_to_update: Sequence[str],
    ) -> dict[str, str]:
        """A new text, or nothing where there is none that could be taken."""
        if self._over:
            return {}
        text = candidate[_PART]
        lines = {str(n): line for n, line in enumerate(text.split("\n"), 1)}
        failed = [
            {"goal": shown("goal", f.goal, _TEXT), "why": shown("why", f.why, _TEXT)}
            for f in self._failures
        ]
        data: dict[str, Json] = {
            "instructions": lines,
            "runs": [dict(one) for one in reflective_dataset.get(_PART, [])],
            "went wrong before": failed,
        }
        self._asked += 1
        question = question_of(QUESTION, _RULES, data)
        answer = self._do(self._examiner.ask, question)
        if answer is None:
            return {}
        try:
            made = edited(text, answer)
            with_instructions(self._agent, made)
        except Refused as e:
            self.found.refused.append(str(e))
            return {}
        self.found.tried += 1
        return {_PART: made}

    @property
    def _over(self) -> bool:
        return bool(self.found.used_up) or self.broken is not None

    def _prompt(self, text: str) -> str:
        return (self._agent if text == self._own else with_instructions(self._agent, text)).prompt

    def _sit(self, exam: Exam, prompt: str) -> Sat:
        sat = None if self._over else self._do(self._examiner.sit, exam, prompt)
        # Not sat counts as not right: by that no new text can look better than an older one.
        return sat or Sat(False, "it was not asked any more")

    def _do(self, work: Callable[..., Coroutine[Any, Any, T]], *given: Any) -> T | None:
        try:
            return asyncio.run_coroutine_threadsafe(work(*given), self._loop).result()
        except UsedUp as e:
            self.found.used_up = str(e)
        except NotWorking as e:
            self.broken = e
        return None


class _Quiet:
    """What gepa says of its rounds is nothing for a cron's log."""

    def log(self, message: str) -> None:
        """Say nothing."""


def _told(exam: Exam, sat: Sat) -> dict[str, Json]:
    told: dict[str, Json] = {
        "goal": shown("goal", exam.goal, _TEXT),
        "did": [_call(tool, arguments) for tool, arguments in sat.calls[:_CALLS]],
        "right": sat.right,
    }
    if sat.right:
        return told
    right = [_call(step.tool, step.arguments) for step in exam.steps[:_CALLS]]
    told |= {"why": sat.why, "would have been right": right}
    if not exam.writes:
        told["right answer"] = shown("answer", exam.output, _TEXT)
        told["answer"] = shown("answer", sat.output, _TEXT)
    return told


def _call(tool: str, arguments: Mapping[str, Json]) -> Json:
    return {"tool": tool, "arguments": shown("arguments", dict(arguments), _TEXT)}
