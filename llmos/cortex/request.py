"""What was asked of LLM OS, checked, and how the run for it begins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from llmos.cortex.agents import StoredAgent
from llmos.kernel.checks import Check
from llmos.kernel.runs import Beginning
from llmos.memory.fold import fold, goal_key
from llmos.memory.goals import context_digest
from llmos.values import Mode, Turn


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

    @property
    def scopes(self) -> list[str]:
        """Who pays, from the widest to the narrowest."""
        team = [f"team:{self.team_id}"] if self.team_id else []
        return ["system", *team, f"user:{self.user_id}"]

    @property
    def context_digest(self) -> str:
        """Digest of what the model sees beside the goal."""
        return context_digest(self.turns, self.agent.label if self.agent else "")

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
        )
