"""One try of a new text: the present one is judged, another one looked for, that judged."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from llmos.cortex.agents import Agent
from llmos.cortex.agents.exams import Exam
from llmos.cortex.agents.rewriting import MARGIN, Judgement, gate
from llmos.crons.examining import Examiner
from llmos.crons.rewriting_exams import Material
from llmos.crons.rewriting_search import Found, search


@dataclass(slots=True)
class Came:
    """What came of a try."""

    why: str
    agent: Agent | None = None
    """As it is suggested; None where nothing is."""
    judgement: Judgement | None = None
    found: Found | None = None


async def examined(examiner: Examiner, agent: Agent, material: Material) -> Came:
    """Judge the present text of an agent, look for another one, judge that.

    Args:
        examiner: Asks exams and questions.
        agent: As it is.
        material: Its exams.

    Raises:
        UsedUp: The budget is, before anything can be said.
        NotWorking: The model does not work.
    """
    right = [await _right(examiner, exam, agent) for exam in material.held_out]
    # Those that are right come first: one of them that is lost is enough to refuse a text.
    both = sorted(zip(material.held_out, right, strict=True), key=lambda one: not one[1])
    exams, before = [exam for exam, _ in both], [was for _, was in both]
    wrong = before.count(False)
    if wrong < MARGIN:
        told = f"{len(before) - wrong} of {len(before)} held-out goals are right as it is"
        return Came(f"{told}, which leaves too little to gain", judgement=gate(before, before))
    loop = asyncio.get_running_loop()
    found = await asyncio.to_thread(search, examiner, agent, material, loop)
    if found.agent is None:
        return Came(_nothing_better(found), judgement=gate(before, before), found=found)
    after: list[bool] = []
    for exam, was in zip(exams, before, strict=True):
        after.append(await _right(examiner, exam, found.agent))
        if was and not after[-1]:
            break
    judgement = gate(before, after)
    return Came(judgement.why, found.agent if judgement.passed else None, judgement, found)


async def _right(examiner: Examiner, exam: Exam, agent: Agent) -> bool:
    return (await examiner.sit(exam, agent.prompt)).right


def _nothing_better(found: Found) -> str:
    used = f"; {found.used_up}" if found.used_up else ""
    if not found.tried and found.refused:
        return f"none that a model said could be taken: {found.refused[-1]}{used}"
    return f"none of {found.tried} that a model said did better on the goals to learn from{used}"
