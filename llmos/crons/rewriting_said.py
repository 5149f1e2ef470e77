"""What is said of a try of a new text: a suggestion where it was shown to be better, else why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from llmos.cortex.agents import Agent, StoredAgent
from llmos.cortex.agents.rewriting import FEWEST, instructions_of
from llmos.cortex.agents.selection import Record
from llmos.crons.agent_changes import REWRITE, change_of, what_of
from llmos.crons.findings import Finding, milestone
from llmos.crons.rewriting_exams import Material
from llmos.crons.rewriting_try import Came
from llmos.values import ArtifactType, Json

LONGEST = 8_000
"""Characters of instructions: a model that reflects is told all of them, and runs beside."""

_FEW = "few"


@dataclass(frozen=True, slots=True)
class Due:
    """An agent that often goes wrong, and what could be made of its runs."""

    stored: StoredAgent
    record: Record
    material: Material

    @property
    def hindered(self) -> str:
        """Why there can be no try; ``""`` if there can."""
        text = instructions_of(self.stored.agent)
        if len(text) > LONGEST:
            return f"its instructions have {len(text):,} characters, {LONGEST:,} can be changed"
        learn, held_out = len(self.material.learn), len(self.material.held_out)
        if min(learn, held_out) >= FEWEST:
            return ""
        return (
            f"too few runs: {learn} goals to learn from and {held_out} held out are known to be "
            f"done right, and {FEWEST} of each are needed"
        )

    @property
    def news(self) -> tuple[Json, ...]:
        """What makes another try worth it: another version, or plainly more to judge by."""
        known = len(self.material.learn) + len(self.material.held_out)
        so_far = _FEW if self.hindered else milestone(known)
        return "rewriting", so_far, self.stored.digest[:12]

    def name(self, kind: str) -> str:
        """Name of a finding of this version; as long as a name may be where the agent's is."""
        return f"{kind}-{self.stored.agent.name}-{self.stored.digest[:8]}"


@dataclass(frozen=True, slots=True)
class Used:
    """What a try has used."""

    tokens: int = 0
    cost_usd: float = 0.0
    exams: int = 0


def finding_of(user_id: str, due: Due, came: Came, used: Used) -> Finding:
    """What is said: the suggestion of a new text, or why there is none.

    Args:
        user_id: Whose agent it is.
        due: The agent and its exams.
        came: What came of the try.
        used: What that took.
    """
    evidence = {**_numbers(due, came), **asdict(used), "agent": due.stored.label}
    if came.agent is None:
        return _insight(due, came, evidence)
    return _suggestion(user_id, due, came, came.agent, evidence)


def _suggestion(
    user_id: str, due: Due, came: Came, agent: Agent, evidence: Mapping[str, Json]
) -> Finding:
    stored, name = due.stored, due.name("reword")
    change = change_of(stored, agent, REWRITE, came.why)
    # By these it is found, and goes, when a run is purged.
    change["made_from"] = list(due.material.ids)
    return Finding(
        ArtifactType.SUGGESTION,
        name,
        f"{what_of(user_id, stored)} {stored.agent.name}: under a new text {came.why}",
        "A model has changed a few lines of its instructions after reflecting on other runs; "
        f"see them: llmos suggestions {name}. To take it back: "
        f"llmos agents rollback {stored.agent.name}",
        evidence,
        due.news,
        change,
        tell="an agent of yours often goes wrong",
    )


def _insight(due: Due, came: Came, evidence: Mapping[str, Json]) -> Finding:
    agent, record = due.stored.agent.name, due.record
    return Finding(
        ArtifactType.INSIGHT,
        due.name("tried"),
        f"No new text is suggested for the agent {agent}: {came.why}",
        f"{record.bad} of {record.runs} runs under it went wrong. "
        "It is tried again when there are plainly more runs, or when the agent is changed.",
        evidence,
        due.news,
    )


def _numbers(due: Due, came: Came) -> dict[str, Json]:
    judged, found = came.judgement, came.found
    numbers: dict[str, Json] = {"held_out": len(due.material.held_out)}
    if judged is not None:
        numbers["right_before"] = judged.right_before
        numbers |= {} if judged.right_after is None else {"right_after": judged.right_after}
    if found is not None:
        numbers |= {"texts": found.tried, "refused": list(dict.fromkeys(found.refused))}
        numbers |= {"used_up": found.used_up} if found.used_up else {}
    return numbers
