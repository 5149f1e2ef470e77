"""A processor that answers questions from a script, by their first line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from llmos.values import Context, Done, Event, Limits, Spent, Syscalls, Usage

Answer = str | BaseException | Done | Callable[[str], str]


class Scripted:
    """Says the next answer that it has for a question.

    Args:
        answers: First line of a question to what is said to such ones, in order; the last again.
        cost_usd: What each answer costs.
    """

    name = "scripted"

    def __init__(self, answers: dict[str, list[Answer]], cost_usd: float = 0.01) -> None:
        self._answers = {first: list(several) for first, several in answers.items()}
        self._cost_usd = cost_usd
        self.asked: list[str] = []
        self.limits: list[Limits] = []

    async def run(
        self, goal: str, context: Context, syscalls: Syscalls, limits: Limits
    ) -> AsyncIterator[Event]:
        """Answer once."""
        self.asked.append(goal)
        self.limits.append(limits)
        left = self._answers.get(goal.partition("\n")[0], ["{}"])
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, BaseException):
            raise answer
        usage = Usage(100, 20)
        yield Spent(usage, self._cost_usd)
        if isinstance(answer, Done):
            yield answer
            return
        said = answer if isinstance(answer, str) else answer(goal)
        yield Done(said, usage, self._cost_usd, model="small-1")

    async def aclose(self) -> None:
        """Nothing to release."""
