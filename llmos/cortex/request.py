"""What was asked of LLM OS, checked, and how the run for it begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from llmos.cortex.agents import StoredAgent
from llmos.cortex.plans.orders import DonePart
from llmos.cortex.plans.plan import Part, Plan
from llmos.kernel.checks import Check
from llmos.kernel.runs import Beginning
from llmos.memory.fold import fold, goal_key
from llmos.memory.goals import check_goal, context_digest
from llmos.memory.injection import told_of
from llmos.memory.pieces import Piece
from llmos.values import Mode, Turn


@dataclass(frozen=True, slots=True)
class Chosen:
    """That nobody named the agent of a request, and why it is this one."""

    why: str
    explored: bool = False
    """Another is the best known, and this may be better."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked, checked."""

    goal: str
    user_id: str
    team_id: str | None
    cwd: Path
    mode: Mode | None = None
    """The mode that the user insists on; None leaves it to the dispatcher."""
    check: Check | None = None
    max_cost_usd: float = 5.0
    project: str | None = None
    turns: tuple[Turn, ...] = ()
    agent: StoredAgent | None = None
    """What the model works as; None: the default."""
    auto: bool = False
    """Its agent, and those of its parts, are chosen."""
    chosen: Chosen | None = None
    """Why it is this agent, where it was chosen."""
    plan: Plan | None = None
    """The goal taken apart already."""
    done: Mapping[str, DonePart] = field(default_factory=dict)
    """Parts of the plan that need not be done again."""
    part_of: str = ""
    """Id of the run of the plan that it is a part of."""
    within: tuple[str, ...] = ()
    """Goal keys of the plans that it is a part of, the outermost first."""
    memory: tuple[Piece, ...] = ()
    """Facts, and what hooks add: what the model is told, and what was left out."""
    warnings: tuple[str, ...] = ()
    """What went wrong with hooks."""
    session_id: str = ""
    """The prompt's session that it is a turn of."""

    @property
    def scopes(self) -> list[str]:
        """Who pays, from the widest to the narrowest."""
        team = [f"team:{self.team_id}"] if self.team_id else []
        return ["system", *team, f"user:{self.user_id}"]

    @property
    def context_digest(self) -> str:
        """Digest of what the model sees beside the goal."""
        agent = self.agent.label if self.agent else ""
        return context_digest(self.turns, agent, told_of(self.memory))

    def part(self, part: Part, goal: str, max_cost_usd: float, run_id: str = "") -> Request:
        """The request for a part of it, which is like any other goal.

        What bears on it is left to whoever dispatches it.

        Args:
            part: The part.
            goal: Its goal, with the answers of other parts in it.
            max_cost_usd: What it may cost.
            run_id: The plan's run.
        """
        return replace(
            self,
            goal=check_goal(goal),
            mode=None,
            check=part.check,
            max_cost_usd=max_cost_usd,
            turns=(),
            memory=(),
            warnings=(),
            session_id="",
            chosen=None,
            plan=None,
            done={},
            part_of=run_id,
            within=(*self.within, goal_key(self.goal)),
        )

    def beginning(self, run_id: str, now: datetime) -> Beginning:
        """The run for it, as it is stored when it begins.

        Args:
            run_id: Its id.
            now: The clock when the goal came.
        """
        return Beginning(
            id=run_id,
            goal=self.goal,
            folded=fold(self.goal),
            goal_key=goal_key(self.goal),
            user_id=self.user_id,
            team_id=self.team_id,
            project=self.project,
            context_digest=self.context_digest,
            now=now,
            cwd=str(self.cwd),
            check=self.check if isinstance(self.check, str) else None,
            agent=self.agent.label if self.agent else "",
            part_of=self.part_of,
            session_id=self.session_id,
        )
