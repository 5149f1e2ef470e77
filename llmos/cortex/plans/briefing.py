"""What a model is told that takes a goal apart: one piece for each thing, for the assembly.

Each thing is a line of the question. Which of them have room says the same assembly that puts
together what any other model sees; the question is then made of what it has let in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from llmos.cortex.assembly import Assembled
from llmos.cortex.processors.prompts import signature
from llmos.cortex.tool_search.offer import WHY, Offer
from llmos.evolution.asking import question_of
from llmos.evolution.templates import plain
from llmos.evolution.tool import LearntTool
from llmos.kernel.fence import clip
from llmos.memory.pieces import Piece
from llmos.values import Context, Json

SYSTEM = (
    "You take goals apart for workers who do not know of each other. There are no tools here: "
    "answer in JSON."
)
"""What the model is told before the rules."""

KNOWN = 20
"""Known jobs that the model is shown."""

_SHOWN = 300
"""Characters of what is said of one tool or agent."""
_WRONG = 500
"""Characters of what was wrong with the last answer."""
_MOST = 1 << 20
"""Characters of a question: what is in it was chosen under a budget already."""


class Thing(NamedTuple):
    """One thing that the model may be told."""

    source: str
    """``job``, ``tool`` or ``worker``: an agent that a part may name."""
    name: str
    text: str
    why: str

    @property
    def piece(self) -> Piece:
        """It as the line that it is in the question, not let in yet."""
        said = json.dumps(self.text, ensure_ascii=False)
        if self.source == "worker":
            said = f"{json.dumps(self.name, ensure_ascii=False)}: {said}"
        return Piece(self.source, self.name, f"  {said},\n", False, self.why)


@dataclass(frozen=True, slots=True)
class Briefing:
    """All that a model may be told of a goal that it is to take apart.

    Args:
        goal: The whole goal.
        first: First line of the question.
        rules: What is asked, and how the answer looks.
        things: The most useful first.
        tools: How many tools there are, told of or not.
        seen: What there is room for, once that is known.
    """

    goal: str
    first: str
    rules: str
    things: tuple[Thing, ...]
    tools: int
    seen: Assembled | None = None

    def pieces(self) -> list[Piece]:
        """For the assembly: the question without the goal, and each thing."""
        bare = replace(self, goal="", things=()).question("")
        planning = Piece("planning", "", f"{SYSTEM}\n{bare}", True, "how a goal is taken apart")
        return [planning, *(thing.piece for thing in self.things)]

    def context(self) -> Context:
        """What the model sees beside the question."""
        assert self.seen is not None
        context = self.seen.context
        return replace(context, system=f"{context.system}\n\n{SYSTEM}".strip())

    def question(self, wrong: str) -> str:
        """The question.

        Args:
            wrong: What was wrong with the last answer; "" for nothing.
        """
        jobs, tools, workers = (self._shown(source) for source in ("job", "tool", "worker"))
        told: dict[str, Json] = {
            "goal": self.goal,
            "known jobs": [thing.text for thing in jobs],
            "tools": [thing.text for thing in tools],
            "tools that are not named here": self.tools - len(tools),
            "agents": {thing.name: thing.text for thing in workers},
        }
        if wrong:
            told["what was wrong with your last answer"] = clip(wrong, _WRONG)
        return question_of(self.first, self.rules, told, _MOST)

    def _shown(self, source: str) -> list[Thing]:
        pieces = self.seen.pieces if self.seen is not None else ()
        shown = {piece.name for piece in pieces if piece.source == source and piece.shown}
        return [thing for thing in self.things if thing.source == source and thing.name in shown]


def things_of(
    goal: str, jobs: Iterable[LearntTool], offer: Offer, agents: Mapping[str, str]
) -> tuple[Thing, ...]:
    """What a model may be told, the most useful first.

    Args:
        goal: The whole goal.
        jobs: Learned tools.
        offer: The tools that the goal seems to need.
        agents: Agents that a part may name, with what they are for.
    """
    return (*_jobs(goal, jobs), *_tools(offer), *_workers(agents))


def _jobs(goal: str, tools: Iterable[LearntTool]) -> list[Thing]:
    """How the learned tools are asked for that have most words in common with a goal."""
    words = _words(goal)
    ranked: list[tuple[int, str, str]] = []
    for tool in tools:
        for number, template in enumerate(tool.templates, 1):
            shared = len(words & _words(" ".join(template.literals)))
            if shared:
                ranked.append((-shared, str(template), f"{tool.label}#{number}"))
    why = "a part that is worded like it costs nothing"
    return [Thing("job", name, text, why) for _, text, name in sorted(ranked)[:KNOWN]]


def _tools(offer: Offer) -> Iterator[Thing]:
    for tool in offer.given:
        why = WHY[offer.why[tool.name]] if tool.name in offer.why else "there are few tools"
        yield Thing("tool", tool.name, clip(signature(tool), _SHOWN), why)


def _workers(agents: Mapping[str, str]) -> Iterator[Thing]:
    for name, description in agents.items():
        yield Thing("worker", name, clip(description, _SHOWN), "a part may name it")


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]{3,}", plain(text).lower()))
