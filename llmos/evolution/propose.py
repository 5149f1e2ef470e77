"""Asks a model, at night, what the compiler does not find by itself: names, and expressions.

Nothing of an answer is believed. An expression becomes one more candidate of its place and has to
reproduce every run like all others; a name has to be one. Whatever the model does wrong is told in
the report, and what was learnt before stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from llmos.errors import LLMOSError
from llmos.evolution.compiler import Compiler, LearnReport, Overtaken, Proposal
from llmos.evolution.hints import Refused
from llmos.evolution.learner import Learner
from llmos.evolution.prove import MINIMUM
from llmos.evolution.questions import (
    Further,
    NameQuestion,
    Question,
    ValueQuestion,
    unexplained,
)
from llmos.kernel.envelope import Envelope
from llmos.values import (
    CallResult,
    Context,
    Done,
    Json,
    Limits,
    Processor,
    Spent,
    ToolSpec,
    Usage,
)

MOST_QUESTIONS = 20
"""Questions of one night; the rest is asked in the next."""

_WALL_S = 60.0
_MOST_TOKENS = 1_500
"""Of one answer."""
_MORE = 2
"""A wording is asked about again when it has so many times the runs that it had."""

_SYSTEM = "You help to describe small programs. There are no tools here: answer at once, in JSON."


class NoAnswer(Exception):
    """The model gave none, and is not asked again tonight; the message says why."""


class Model:
    """The processor as somebody who is asked short questions, within one budget.

    Args:
        processor: Who is asked.
        envelope: Pays.
        now: The clock, for the model.
        cwd: The working directory, for the model.
    """

    def __init__(self, processor: Processor, envelope: Envelope, now: datetime, cwd: Path) -> None:
        self._processor = processor
        self._envelope = envelope
        self._context = Context(now, cwd, _SYSTEM)
        self._allowed_usd = 0.0
        self.usage = Usage()
        self.by = processor.name
        """The processor, and its model once it has answered."""

    @property
    def cost_usd(self) -> float:
        """What the answers have cost."""
        return self._envelope.spent_usd

    @asynccontextmanager
    async def paid(self, max_cost_usd: float) -> AsyncIterator[None]:
        """Have up to so much for all questions together.

        Raises:
            LowBatteryError: Nothing is left.
        """
        async with self._envelope.open(max_cost_usd, self._processor) as self._allowed_usd:
            yield

    async def ask(self, prompt: str) -> str:
        """The answer to one question.

        Raises:
            NoAnswer: There is none: the processor failed, or the budget is used up.
        """
        before = self.cost_usd
        if before and before >= self._allowed_usd:
            raise NoAnswer("the budget of this night is used up")
        try:
            async with asyncio.timeout(_WALL_S):
                done = await self._done(prompt, self._allowed_usd - before)
        except TimeoutError as e:
            raise NoAnswer(f"{self._processor.name} took longer than {_WALL_S:g} s") from e
        except LLMOSError as e:
            raise NoAnswer(e.message) from e
        except Exception as e:  # a processor is foreign code: what it raises ends no night
            name = self._processor.name
            raise NoAnswer(f"{name} broke: {type(e).__name__}: {str(e)[:200]}") from e
        if done is None:
            raise NoAnswer(f"{self._processor.name} gave no result")
        await self._envelope.settle(before + done.cost_usd)
        if done.stop != "end" or done.error:
            raise NoAnswer(done.error or f"the model stopped early: {done.stop}")
        name = self._processor.name
        self.by = done.model if done.model.startswith(name) else f"{name}:{done.model}".rstrip(":")
        return done.output

    async def _done(self, prompt: str, left_usd: float) -> Done | None:
        limits = Limits(left_usd, max_turns=1, max_output_tokens=_MOST_TOKENS, wall_s=_WALL_S)
        paid, done = Usage(), None
        try:
            async for event in self._processor.run(prompt, self._context, _NoTools(), limits):
                if isinstance(event, Spent):
                    paid += event.usage
                    await self._envelope.spend(event.cost_usd)
                elif isinstance(event, Done):
                    done = event
        finally:
            self.usage += done.usage if done else paid
        return done


class _NoTools:
    """System calls for a model that may make none."""

    def tools(self) -> Sequence[ToolSpec]:
        return ()

    async def call(self, tool: str, arguments: Mapping[str, Json]) -> CallResult:
        return CallResult("there are no tools here: answer with JSON", is_error=True)


async def propose(
    compiler: Compiler,
    model: Model,
    report: LearnReport,
    *,
    max_cost_usd: float,
    seconds: float,
    asking: Callable[[str], None],
) -> LearnReport:
    """Ask a model about what a night has learnt and what it has not.

    Args:
        compiler: Has learnt, and keeps what comes of it.
        model: Who is asked.
        report: What the night did; it is completed.
        max_cost_usd: What all questions together may cost.
        seconds: Search time for one program.
        asking: Told what is asked about.
    """
    learner = await asyncio.to_thread(compiler.known)
    if learner is None:
        return report
    night = _Night(compiler, learner, report, seconds)
    stopped = ""
    try:
        async with model.paid(max_cost_usd):
            stopped = await night.work(model, asking)
    except LLMOSError as e:
        stopped = e.message
    kept = LearnReport(0)
    if night.told:
        try:
            kept = await asyncio.to_thread(compiler.keep, learner, night.told, model.by)
        except Overtaken:
            stopped = "another night has learnt meanwhile: nothing of what was proposed is kept"
            night.lose()
    return replace(
        night.completed(kept),
        proposer=model.by,
        usage=model.usage,
        cost_usd=model.cost_usd,
        stopped=stopped,
    )


class _Night:
    """The questions of one night, and what came of them."""

    def __init__(
        self, compiler: Compiler, learner: Learner, report: LearnReport, seconds: float
    ) -> None:
        self._compiler = compiler
        self._learner = learner
        self._report = report
        self._seconds = seconds
        self._before = dict(learner.merged)
        self._done: set[str] = set()
        """Wordings that had no program and have one now."""
        self.told: list[Proposal] = []

    async def work(self, model: Model, asking: Callable[[str], None]) -> str:
        """Ask all there is to ask; why it ended before that, or ``""``."""
        left = self._questions()
        further: Question | None = None
        while True:
            question = further or await asyncio.to_thread(next, left, None)
            if question is None:
                return ""
            if len(self.told) >= MOST_QUESTIONS:
                return f"more than {MOST_QUESTIONS} questions: the next night asks the others"
            asking(question.about)
            try:
                answer = await model.ask(question.prompt)
            except NoAnswer as e:
                return str(e)
            further = await asyncio.to_thread(self._take, question, answer, model.by)

    def _questions(self) -> Iterator[Question]:
        learner = self._learner
        for group in sorted(learner.loose, key=lambda g: -len(g.traces)):
            runs, key = len(group.traces), str(group.template)
            if runs < MINIMUM or runs < _MORE * learner.asked.get(key, 0):
                continue
            it = unexplained(group, learner.habits(), self._seconds)
            if it is not None and any(group is g for g in learner.loose):
                yield ValueQuestion(group, it, self._seconds)
        new = {*self._report.created, *self._report.evolved, *learner.changed}
        unnamed = sorted(learner.families.keys() - learner.named.keys())
        for name in sorted(unnamed, key=lambda n: n not in new):
            yield NameQuestion(name, learner.families[name], self._compiler.unused(name))

    def _take(self, question: Question, answer: str, by: str) -> Question | None:
        """Take an answer in, whatever it is; what has to be asked next because of it."""
        question.mark(self._learner)
        try:
            told = question.take(self._learner, answer, by)
        except Refused as e:
            self._tell(question, False, str(e))
        except RecursionError:
            self._tell(question, False, "the answer is nested too deeply")
        except Further as e:
            self._tell(question, True, "it fits every run; the next value is asked for")
            return e.question
        else:
            self._tell(question, True, told)
            if isinstance(question, ValueQuestion):
                self._done.add(str(question.group.template))
        return None

    def _tell(self, question: Question, accepted: bool, told: str) -> None:
        self.told.append(Proposal(question.about, accepted, told))

    def lose(self) -> None:
        """Nothing of it is kept."""
        self.told = [replace(p, accepted=False) for p in self.told]
        self._learner.merged, self._done = self._before, set()

    def completed(self, kept: LearnReport) -> LearnReport:
        """The night's report, with what came of the questions."""
        report, renamed = self._report, self._learner.merged
        made = dict.fromkeys(renamed.get(n, n) for n in (*report.created, *kept.created))
        evolved = dict.fromkeys(renamed.get(n, n) for n in (*report.evolved, *kept.evolved))
        return replace(
            report,
            created=tuple(made),
            evolved=tuple(n for n in evolved if n not in made),
            unlearnt=tuple(u for u in report.unlearnt if u[0] not in self._done),
            proposals=tuple(self.told),
        )
