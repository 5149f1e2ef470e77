"""Makes the toolboxes of one run, and tells what was in them."""

from __future__ import annotations

from collections.abc import Callable

from llmos.config import LLMOSConfig
from llmos.cortex.tool_search.offer import Offer
from llmos.cortex.tool_search.past import Past
from llmos.cortex.tool_search.toolbox import Toolbox
from llmos.cortex.tool_search.ways import Ways
from llmos.kernel.syscalls import RunCalls
from llmos.kernel.watchdog import Watchdog
from llmos.plugins.program import ProgramRunner
from llmos.values import Context, Json, Processor


class Toolboxes:
    """One for each time that a model works in a run.

    Args:
        calls: The run's system calls.
        watchdog: The run's.
        config: The settings.
        past: Good runs.
        programs: Makes or returns the sandbox for programs.
    """

    def __init__(
        self,
        calls: RunCalls,
        watchdog: Watchdog,
        config: LLMOSConfig,
        past: Past,
        programs: Callable[[], ProgramRunner],
    ) -> None:
        self._calls = calls
        self._watchdog = watchdog
        self._config = config
        self._past = past
        self._runner = programs
        self._made: list[Toolbox] = []

    def open(self, goal: str, context: Context, ways: Ways | Processor) -> Toolbox:
        """The system calls for a model.

        Args:
            goal: What it is to do.
            context: What it is told.
            ways: Its processor, or what that can do.
        """
        made = Toolbox(
            self._calls,
            self._watchdog,
            self._config,
            self._past,
            goal,
            context,
            ways if isinstance(ways, Ways) else Ways.of(ways),
            self._runner,
        )
        self._made.append(made)
        return made

    def offer(self, goal: str, context: Context) -> Offer:
        """What a model would be given, without giving it."""
        return self.open(goal, context, Ways()).offer

    def record(self) -> dict[str, Json] | None:
        """What the model that worked last was given and looked for; None if nothing is to tell."""
        told = [record for box in self._made if (record := box.record()) is not None]
        return told[-1] if told else None
