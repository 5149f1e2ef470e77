"""Asks a model, at night, what the compiler does not find by itself: names, and expressions.

Nothing of an answer is believed. An expression becomes one more candidate of its place and has to
reproduce every run like all others; a name has to be one. Whatever the model does wrong is told in
the report, and what was learnt before stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace

from llmos.errors import LLMOSError
from llmos.evolution.asking import Model, NoAnswer
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

MOST_QUESTIONS = 20
"""Questions of one night; the rest is asked in the next."""

_MORE = 2
"""A wording is asked about again when it has so many times the runs that it had."""


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
            stopped = "another night has stored something meanwhile: no proposal is kept"
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
        self._asked = 0
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
            if self._asked == MOST_QUESTIONS:
                return f"more than {MOST_QUESTIONS} questions: the next night asks the others"
            self._asked += 1
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
