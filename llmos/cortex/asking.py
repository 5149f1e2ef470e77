"""From what somebody typed to a request: names and places are checked where they enter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from llmos.cortex.agents import AUTO, Agents, StoredAgent
from llmos.cortex.request import Request
from llmos.errors import UserError
from llmos.kernel.checks import Check
from llmos.kernel.kernel import Kernel
from llmos.memory.facts.recall import Nearness
from llmos.memory.goals import check_goal
from llmos.memory.injection import Asked, MemoryInjection
from llmos.memory.projects import Projects
from llmos.memory.told import bearing_on
from llmos.values import Mode, Turn, check_name


@dataclass(frozen=True, slots=True)
class Asking:
    """Whoever asks, and what holds where they say nothing else."""

    kernel: Kernel
    user_id: str
    team_id: str | None = None
    cwd: Path | None = None
    project: str | None = None
    memory: Sequence[MemoryInjection] = ()
    near: Nearness | None = None
    """Finds facts that are near in meaning."""

    def request(
        self,
        goal: str,
        mode: Mode | str = "AUTO",
        check: Check | None = None,
        max_cost_usd: float | None = None,
        project: str | None = None,
        cwd: Path | str | None = None,
        turns: Sequence[Turn] = (),
        agent: str | None = None,
    ) -> Request:
        """What is asked, checked, with what is known that bears on it; see `LLMOS.execute`.

        Raises:
            UserError: The goal or an argument cannot be used, or there is no such agent.
        """
        config = self.kernel.config
        project = self.project if project is None else check_name(project, "project")
        request = Request(
            goal=check_goal(goal),
            user_id=self.user_id,
            team_id=self.team_id,
            cwd=_folder(cwd if cwd is not None else self.cwd or Path.cwd()),
            mode=_forced(mode),
            check=check,
            max_cost_usd=config.max_cost_usd if max_cost_usd is None else _price(max_cost_usd),
            project=project,
            turns=tuple(turns),
            agent=self._named(agent, project),
            auto=agent == AUTO,
        )
        return self.informed(request)

    def informed(self, request: Request) -> Request:
        """The request with what is known that bears on its goal."""
        asked = Asked(request.goal, request.user_id, request.project, request.cwd)
        store, config = self.kernel.store, self.kernel.config
        limits = (config.memory_tokens, config.hook_seconds)
        memory, warnings = bearing_on(store, asked, self.memory, *limits, near=self.near)
        return replace(request, memory=memory, warnings=warnings)

    def warned(self, request: Request, project: str) -> Request:
        """The request, with a warning where its project may be the slip of another's name."""
        slips = Projects(self.kernel.store, self.user_id).slips(project)
        if not slips:
            return request
        warning = f"new project {project!r}; there is also {' and '.join(map(repr, slips[:3]))}"
        return replace(request, warnings=(*request.warnings, warning))

    def _named(self, agent: str | None, project: str | None) -> StoredAgent | None:
        if not agent or agent == AUTO:
            return None
        return Agents(self.kernel.store, self.user_id, project).get(agent)


def _folder(cwd: Path | str) -> Path:
    where = Path(cwd).expanduser()
    if not where.is_dir():
        raise UserError(f"{str(where)!r} is not a folder", "name one that exists: --cwd PATH")
    return where.resolve()


def _forced(mode: Mode | str) -> Mode | None:
    if str(mode).upper() == "AUTO":
        return None
    try:
        return Mode(str(mode).upper())
    except ValueError as e:
        known = ", ".join(["AUTO", *(m.value for m in Mode)])
        raise UserError(f"there is no mode {str(mode)!r}", f"modes: {known}") from e


def _price(usd: float) -> float:
    if not usd >= 0:  # also when it is no number at all
        raise UserError(f"a run cannot cost at most ${usd:g}", "give zero or more US dollars")
    return usd
