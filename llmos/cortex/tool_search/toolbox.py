"""What a processor gets as its system calls: the run's own, with fewer tools shown and more ways.

Beside the tools that the goal seems to need there are ``search_tools`` for the others,
``call_tool`` where a processor cannot be given more tools in the midst of a run, and
``run_program``. These are no system calls: they leave no step in the trace, so that no replay
makes them again and no compiler takes them for reads. What is called by way of them is one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from llmos.config import LLMOSConfig
from llmos.cortex.tool_search.examples import described
from llmos.cortex.tool_search.offer import BUILT_IN, Offer, choose
from llmos.cortex.tool_search.past import Past
from llmos.cortex.tool_search.programs import Programs, program_spec
from llmos.cortex.tool_search.ranking import rank
from llmos.cortex.tool_search.ways import CALL, Ways, search_spec
from llmos.kernel.syscalls import RunCalls
from llmos.kernel.watchdog import Watchdog
from llmos.plugins.program import ProgramLimits, ProgramRunner
from llmos.values import CallResult, Context, Json, ToolSpec

FOUND = 6
"""Tools that one search brings."""
PROGRAM_CALLS = 100
"""Tool calls of one program."""

Affordance = Callable[[Mapping[str, Json]], Awaitable[CallResult]]


class Toolbox:
    """The system calls of one model's run (`llmos.values.Syscalls`).

    Nothing is looked up before the processor asks for the tools.

    Args:
        calls: The run's system calls.
        watchdog: The run's: what is no system call counts and may be a loop as well.
        config: The settings.
        past: Good runs.
        goal: What the model is to do.
        context: What it is told; tools that it is told of are given.
        ways: What the processor can do.
        programs: Makes or returns the sandbox.
    """

    def __init__(
        self,
        calls: RunCalls,
        watchdog: Watchdog,
        config: LLMOSConfig,
        past: Past,
        goal: str,
        context: Context,
        ways: Ways,
        programs: Callable[[], ProgramRunner],
    ) -> None:
        self.calls = calls
        """The run's own, beneath."""
        self._watchdog = watchdog
        self._config = config
        self._past = past
        self._goal = goal
        self._needed = _told_of(context)
        self._ways = ways
        self._programs = Programs(
            calls, programs, ProgramLimits(wall_s=config.program_seconds, calls=PROGRAM_CALLS)
        )
        self._offer: Offer | None = None
        self._opened = False
        self._shown: dict[str, ToolSpec] = {}
        self._own: dict[str, Affordance] = {}
        self._searched: list[dict[str, Json]] = []

    @property
    def offer(self) -> Offer:
        """The tools that the model is given at the start; looked up once."""
        if self._offer is None:
            self._offer = choose(
                self._goal,
                self.calls.tools(),
                self._past.used,
                threshold=self._config.tool_search,
                most=self._config.tools_given,
                needed=self._needed,
            )
        return self._offer

    def tools(self) -> Sequence[ToolSpec]:
        """The tools that the model is given now; after a search also those that it found."""
        if not self._opened:
            self._opened = True
            self._open(self.offer)
        return list(self._shown.values())

    async def call(self, tool: str, arguments: Mapping[str, Json]) -> CallResult:
        """Make one call: a system call, shown or not, or one of the ways to such."""
        way = self._own.get(tool)
        if way is None:
            return await self.calls.call(tool, arguments)
        self._watchdog.before_call()
        result = await way(arguments)
        self._watchdog.after_call(tool, arguments, result.observation)
        return result

    def record(self) -> dict[str, Json] | None:
        """What the model was given and why, what it looked for, how many programs it sent.

        None where it was given all tools and did nothing with them but call them.
        """
        told: dict[str, Json] = {}
        if self._opened and self.offer.narrowed:
            told |= self.offer.as_dict()
        if self._searched:
            told["searched"] = self._searched
        if self._programs.ran:
            told["programs"] = self._programs.ran
        return told or None

    # --- opening -----------------------------------------------------------------------------

    def _open(self, offer: Offer) -> None:
        taken = {tool.name for tool in self.calls.tools()}
        self._show(offer.given)
        if offer.narrowed:
            self._add(search_spec(offer, self._ways), self._search, taken)
            if not self._ways.rereads_tools:
                self._add(CALL, self._call_tool, taken)
        if self._config.run_program and self._ways.writes_programs:
            self._add(program_spec(), self._run_program, taken)

    def _add(self, spec: ToolSpec, way: Affordance, taken: set[str]) -> None:
        """Add one of our own; a tool of that name goes before it."""
        name = spec.name if spec.name not in taken else f"llmos.{spec.name}"
        self._shown[name] = replace(spec, name=name)
        self._own[name] = way

    def _show(self, tools: Sequence[ToolSpec]) -> list[ToolSpec]:
        """Show tools, with examples; returns them as they are shown."""
        asked = [t.name for t in tools if t.name not in BUILT_IN]
        known = self._past.examples(asked) if asked and self._config.tool_examples else {}
        told = [
            replace(t, description=described(t.description, known[t.name]))
            if t.name in known
            else t
            for t in tools
        ]
        self._shown |= {tool.name: tool for tool in told}
        return told

    # --- the ways ----------------------------------------------------------------------------

    async def _search(self, arguments: Mapping[str, Json]) -> CallResult:
        query = arguments.get("query")
        if not isinstance(query, str) or not query.strip() or len(arguments) != 1:
            return CallResult("say in words what is looked for: query", is_error=True)
        # What was used for near goals is shown already: here the words count.
        best = rank(query, self.calls.tools())[:FOUND]
        self._searched.append({"query": query[:200], "found": [r.name for r in best]})
        by_name = {tool.name: tool for tool in self.calls.tools()}
        new = self._show([by_name[r.name] for r in best if r.name not in self._shown])
        given = [r.name for r in best if r.name not in {tool.name for tool in new}]
        if not best:
            return CallResult("no tool has any of these words; try others")
        told: dict[str, Json] = {"found": [_entry(tool) for tool in new]}
        if given:
            told["given_already"] = given
        return CallResult(told)

    async def _call_tool(self, arguments: Mapping[str, Json]) -> CallResult:
        tool, given = arguments.get("tool"), arguments.get("arguments", {})
        if not isinstance(tool, str) or not isinstance(given, dict) or tool in self._own:
            return CallResult("give the name of a found tool, and its arguments", is_error=True)
        return await self.calls.call(tool, given)

    async def _run_program(self, arguments: Mapping[str, Json]) -> CallResult:
        source = arguments.get("program")
        if not isinstance(source, str) or len(arguments) != 1:
            return CallResult("give the text of a program: program", is_error=True)
        return await self._programs.run(source)


def _entry(tool: ToolSpec) -> dict[str, Json]:
    return {
        "tool": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
    }


def _told_of(context: Context) -> frozenset[str]:
    shown = [step for trace in context.examples for step in trace.steps]
    return frozenset(step.tool for step in (*shown, *context.prefix))
