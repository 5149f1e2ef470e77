"""What the gate keeps away when a model rewrites the instructions of agents.

    python -m bench rewriting

A simulation with counts and no times: the exams, the search (`gepa`) and the gate are the real
ones, the model is a script. It does a goal right where the instructions hold the hint for its kind,
or the goal itself. What it says when it reflects is one of these:

- **teaches**: the hint for a kind that went wrong;
- **learns by heart**: the very goals that went wrong, so that it fits these alone;
- **trades**: the same, and it drops the hint for the kind that was done right;
- **guesses**: empty phrases, where the model is right or wrong by chance (1 in 2) under every text.

A text is **wrong** where goals that nobody has seen are not done right more often under it. Without
the gate every text that does better on the goals to learn from would be suggested.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, cast

from llmos.cortex.agents import Agent, compose
from llmos.cortex.agents.exams import Exam
from llmos.cortex.agents.rewriting import is_held_out
from llmos.crons.examining import Allowed, Examiner
from llmos.crons.rewriting_exams import Material
from llmos.crons.rewriting_search import QUESTION
from llmos.crons.rewriting_try import examined
from llmos.evolution.asking import Model
from llmos.kernel.envelope import Envelope
from llmos.kernel.places import Places
from llmos.store.schema import dumps
from llmos.values import (
    Context,
    Done,
    Effect,
    Event,
    Limits,
    Spent,
    Step,
    Syscalls,
    ToolSpec,
    Usage,
)

WORLDS = 40
UNSEEN = 200
HINTS = {
    "invoice": "Write the sum of an invoice in words.",
    "letter": "Begin a letter with the date.",
    "ledger": "Close a ledger with its balance.",
}
KINDS = tuple(HINTS)
TEXT = "\n".join(["You are a clerk.", HINTS["invoice"], "Be brief.", "Say what you have done."])

_NOW = datetime(2026, 3, 2, tzinfo=UTC)
_GOAL = re.compile(r"Put the (\w+) (\d+) into its folder")
_TOOL = ToolSpec("Write", "Writes a file.", {"type": "object"}, Effect.WRITE)


def goal_of(kind: str, number: int) -> str:
    return f"Put the {kind} {number} into its folder"


def is_right(system: str, goal: str) -> bool:
    """Whether the scripted model does a goal right under some instructions."""
    kind = cast(re.Match[str], _GOAL.match(goal))[1]
    return HINTS[kind] in system or goal in system


def by_chance(seed: int) -> Callable[[str, str], bool]:
    """A model that is right half of the time, whatever it is told."""

    def right(system: str, goal: str) -> bool:
        return hashlib.sha256(f"{seed}/{system}/{goal}".encode()).digest()[0] % 2 == 1

    return right


def teaches(told: Mapping[str, Any]) -> dict[str, Any]:
    have = "\n".join(told["instructions"].values())
    kinds = [_GOAL.match(goal)[1] for goal in _wrong(told)]  # type: ignore[index]
    new = [HINTS[kind] for kind in dict.fromkeys(kinds) if HINTS[kind] not in have]
    return {"add": [{"after": 1, "text": new[0]}]} if new else {"drop": [], "add": []}


def by_heart(told: Mapping[str, Any]) -> dict[str, Any]:
    return {"add": [{"after": 1, "text": f"Remember: {goal}."} for goal in _wrong(told)]}


def trades(told: Mapping[str, Any]) -> dict[str, Any]:
    lines: Mapping[str, str] = told["instructions"]
    drop = [int(n) for n, line in lines.items() if line == HINTS["invoice"]]
    goals = [run["goal"] for run in told["runs"]]
    return {"drop": drop, "add": [{"after": 1, "text": f"Remember: {g}."} for g in goals]}


def guesses(told: Mapping[str, Any]) -> dict[str, Any]:
    said = hashlib.sha256(dumps(told).encode()).hexdigest()[:8]
    return {"add": [{"after": 1, "text": f"Take care, as in case {said}."}]}


def _wrong(told: Mapping[str, Any]) -> list[str]:
    return [run["goal"] for run in told["runs"] if not run["right"]]


class Script:
    """The model: works as it is told to, and reflects in one of the ways above."""

    name, free = "script", True

    def __init__(
        self,
        reflects: Callable[[Mapping[str, Any]], dict[str, Any]],
        right: Callable[[str, str], bool] = is_right,
    ) -> None:
        self._reflects = reflects
        self.right = right

    async def run(
        self, goal: str, context: Context, syscalls: Syscalls, limits: Limits
    ) -> AsyncIterator[Event]:
        output = json.dumps(self._reflects(told_in(goal))) if goal.startswith(QUESTION) else ""
        usage = Usage(len(goal + context.system) // 4, len(output or goal) // 4)
        yield Spent(usage, 0.0)
        if not output:
            path = f"{hashlib.sha256(goal.encode()).hexdigest()[:8]}.txt"
            content = "right" if self.right(context.system, goal) else "wrong"
            await syscalls.call("Write", {"file_path": path, "content": content})
            output = "Done."
        yield Done(output, usage, model="script-1")

    async def aclose(self) -> None:
        """Nothing to release."""


def told_in(question: str) -> dict[str, Any]:
    """The data of a question."""
    data = re.search(r"<(data-\w+)>\n(.*)\n</\1>", question, re.DOTALL)
    return cast(dict[str, Any], json.loads(cast(re.Match[str], data)[2]))


def exam(goal: str) -> Exam:
    path = f"{hashlib.sha256(goal.encode()).hexdigest()[:8]}.txt"
    step = Step("Write", {"file_path": path, "content": "right"}, "written")
    return Exam(goal, goal, _NOW, (step,), "Done.", Places("/work", "/home", "/tmp"))


def material_of(rng: Random) -> Material:
    """Ten goals to learn from and ten that are held out, of all kinds."""
    goals = [goal_of(kind, n) for kind in KINDS for n in rng.sample(range(1000), 20)]
    rng.shuffle(goals)
    sides = [[g for g in goals if is_held_out(g) is side][:10] for side in (False, True)]
    learn, held_out = (tuple(exam(goal) for goal in side) for side in sides)
    return Material(learn, held_out, ())


@dataclass(frozen=True)
class Result:
    """What came of one world."""

    found: bool
    """A text did better on the goals to learn from."""
    suggested: bool
    wrong: bool
    """It is not better on goals that nobody has seen."""
    unseen: tuple[float, float]
    """Share of those that are right, under the old text and under what is in use after it."""
    tokens: int
    exams: int
    why: str


async def world(script: Script, seed: int) -> Result:
    """One agent, its exams, one try."""
    rng = Random(seed)
    agent = compose("clerk", "Keeps papers.", TEXT)
    envelope = Envelope(cast(Any, None), [], "bench", "bench")  # a free model asks for no money
    model = Model(script, envelope, _NOW, Path("/"))
    allowed = Allowed(1_000_000, 0.0)
    same = lambda tool, arguments, places: f"{tool} {dumps(dict(arguments))}"  # noqa: E731
    examiner = Examiner(script, envelope, model, [_TOOL], same, "", allowed)
    came = await examined(examiner, agent, material_of(rng))
    new = came.found.agent if came.found else None
    unseen = [goal_of(rng.choice(KINDS), rng.randrange(1000, 10**6)) for _ in range(UNSEEN)]

    def share(one: Agent) -> float:
        return sum(script.right(one.prompt, goal) for goal in unseen) / UNSEEN

    # Under chance no text is better than another, whatever a sample says.
    wrong = new is not None and (script.right is not is_right or share(new) <= share(agent))
    after = share(came.agent) if came.agent else share(agent)
    used = examiner.tokens, examiner.exams
    return Result(
        new is not None, came.agent is not None, wrong, (share(agent), after), *used, came.why
    )


def main(worlds: int = WORLDS) -> list[dict[str, Any]]:
    rows = []
    for name, reflects in (
        ("teaches", teaches),
        ("learns by heart", by_heart),
        ("trades", trades),
        ("guesses", guesses),
    ):
        blind = reflects is guesses
        count = 10 * worlds if blind else worlds  # what happens seldom needs many
        results = [
            asyncio.run(world(Script(reflects, by_chance(n) if blind else is_right), n))
            for n in range(count)
        ]
        suggested = sum(r.suggested for r in results)
        before, after = (sum(r.unseen[k] for r in results) / count for k in (0, 1))
        rows.append(
            {
                "what": f"new texts by a model that {name}, {count} agents",
                "found": sum(r.found for r in results),
                "of them wrong": sum(r.wrong for r in results),
                "suggested": suggested,
                "suggested and wrong": sum(r.suggested and r.wrong for r in results),
                "unseen goals right": f"{before:.0%} → {after:.0%}",
                "tokens each": sum(r.tokens for r in results) // count,
                "exams each": sum(r.exams for r in results) // count,
                "target": "suggested and wrong at most 6 %; where it teaches all are suggested",
            }
        )
    return rows
