"""Asks exams of a model, and a few questions, within the budget that one cycle has for a new text.

Every call is paid from the cron's budget like any other one. What is used up ends it all
(`UsedUp`), and so does a model that does not work (`NotWorking`): neither says anything of a text.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmos.cortex.agents.exams import Exam, RecordedWorld, Same, Sat
from llmos.errors import LLMOSError, LowBatteryError, RunStopped
from llmos.evolution.asking import Model, NoAnswer
from llmos.kernel.admission import complete
from llmos.kernel.envelope import Envelope, is_free
from llmos.kernel.places import Places
from llmos.plugins import Registry
from llmos.store.schema import dumps
from llmos.values import (
    Context,
    Done,
    Event,
    Json,
    Limits,
    Processor,
    Spent,
    ToolSpec,
    Usage,
)

WALL_S = 900.0
"""For all exams and questions of one cycle: those of others wait for it."""

_EXAM_S, _TURNS = 120.0, 30
_ANSWER, _BYTES = 1_500, 3
"""Tokens that one answer may have, as `Model` asks for it, and bytes of one token, as estimated."""


class UsedUp(Exception):
    """The budget does not allow one call more; the message says which."""


class NotWorking(Exception):
    """The model gives no answers; the message says why."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """What one cycle may use."""

    tokens: int
    cost_usd: float


class Examiner:
    """Who asks.

    Args:
        processor: The model.
        envelope: Pays.
        model: The same as somebody who is asked questions, paid by the same envelope.
        specs: The tools that the agent is shown.
        same: Tells equal calls.
        wanted: The model that the agent wants.
        allowed: What may be used.
    """

    def __init__(
        self,
        processor: Processor,
        envelope: Envelope,
        model: Model,
        specs: Sequence[ToolSpec],
        same: Same,
        wanted: str,
        allowed: Allowed,
    ) -> None:
        self._processor = processor
        self._envelope = envelope
        self._model = model
        self._specs = specs
        self._same = same
        self._wanted = wanted
        self._allowed = allowed
        self._usage = Usage()
        self._until = time.monotonic() + WALL_S
        self._known: dict[tuple[str, str], Sat] = {}

    @property
    def tokens(self) -> int:
        """What was used so far."""
        return self._usage.total_tokens + self._model.usage.total_tokens

    @property
    def exams(self) -> int:
        """How many were sat."""
        return len(self._known)

    async def sit(self, exam: Exam, prompt: str) -> Sat:
        """What becomes of an exam under a prompt; one that was sat is not sat again.

        Raises:
            UsedUp: The budget is.
            NotWorking: The model is not.
        """
        key = prompt, exam.id
        if key not in self._known:
            self._check()
            self._known[key] = await self._sit(exam, prompt)
        return self._known[key]

    async def ask(self, question: str) -> str:
        """The answer to a question; see `sit`."""
        self._check(len(question.encode()) // _BYTES + _ANSWER)
        try:
            return await self._model.ask(question)
        except NoAnswer as e:
            raise NotWorking(str(e)) from e

    async def _sit(self, exam: Exam, prompt: str) -> Sat:
        world = RecordedWorld(exam, self._specs, self._same)
        context = Context(exam.now, Path(exam.places.cwd), prompt, model=self._wanted)
        left = max(0.0, self._allowed.cost_usd - self._envelope.spent_usd)
        limits = Limits(left, max_turns=_TURNS, wall_s=_EXAM_S)
        events = self._processor.run(exam.goal, context, world, limits)
        try:
            async with asyncio.timeout(_EXAM_S):
                done = await self._hear(events)
        except RunStopped as e:
            return world.judged("", e.message)
        except TimeoutError:
            return world.judged("", f"it took longer than {_EXAM_S:g} s")
        except LowBatteryError as e:
            raise UsedUp(e.message) from e
        except LLMOSError as e:
            raise NotWorking(e.message) from e
        except (UsedUp, NotWorking):
            raise
        except Exception as e:  # a processor is foreign code
            told = f"{self._processor.name} broke: {type(e).__name__}: {str(e)[:200]}"
            raise NotWorking(told) from e
        if world.left:
            return world.judged("")  # a processor that makes an end of it by itself
        if done is None or done.stop == "error":
            raise NotWorking((done and done.error) or f"{self._processor.name} gave no result")
        stopped = done.error or ("" if done.stop == "end" else "the model stopped early")
        return world.judged(done.output, stopped)

    async def _hear(self, events: AsyncIterator[Event]) -> Done | None:
        before, paid, done = self._envelope.spent_usd, Usage(), None
        try:
            async for event in events:
                if isinstance(event, Spent):
                    paid += event.usage
                    await self._envelope.spend(event.cost_usd)
                    if self.tokens + paid.total_tokens > self._allowed.tokens:
                        raise UsedUp(self._told())
                elif isinstance(event, Done):
                    done = event
        finally:
            self._usage += done.usage if done else paid
            close = getattr(events, "aclose", None)
            if close is not None:
                await close()
        if done is not None:
            await self._envelope.settle(before + done.cost_usd)
        return done

    def _check(self, tokens: int = 1) -> None:
        if self.tokens + tokens > self._allowed.tokens:
            raise UsedUp(self._told())
        spent = self._envelope.spent_usd
        if spent >= self._allowed.cost_usd and not is_free(self._processor):
            raise UsedUp(f"${spent:.4f} of the ${self._allowed.cost_usd:.4f} of a cycle are spent")
        if time.monotonic() > self._until:
            raise UsedUp(f"the {WALL_S:g} s of a cycle are over")

    def _told(self) -> str:
        return f"{self.tokens:,} of the {self._allowed.tokens:,} tokens of a cycle are used"


def telling_calls(registry: Registry) -> Same:
    """What is equal for equal calls: defaults filled in, paths as they are in stored runs."""

    def same(tool: str, arguments: Mapping[str, Json], places: Places) -> str:
        known = complete(registry.get(tool), arguments) if tool in registry else dict(arguments)
        return f"{tool} {dumps(places.relative(known)).replace('$CWD/', '')}"

    return same
