"""The tools as plugins, over a world that can be put in another's place between runs."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, get_type_hints

from bench.depot.checks import Function
from bench.depot.reads import READS
from bench.depot.world import World
from bench.depot.writes import WRITES
from llmos.plugins import ToolError, tool
from llmos.values import CallResult, Effect, Json


class Entry(NamedTuple):
    """One tool: a function that takes the world first, and what it does to it."""

    function: Function
    effect: Effect


TOOLS: dict[str, Entry] = {
    f.__name__.replace("_", ".", 1): Entry(f, effect)
    for functions, effect in ((READS, Effect.READ), (WRITES, Effect.WRITE))
    for f in functions
}


@dataclass
class WorldRef:
    """Holds the world that the plugins work on: ``ref.world = ref.world.fresh()`` resets it."""

    world: World


def call(world: World, name: str, arguments: Mapping[str, Json]) -> CallResult:
    """Call a tool without the kernel; a refusal comes back as a result with ``is_error``."""
    try:
        return CallResult(TOOLS[name].function(world, **arguments))
    except ToolError as e:
        return CallResult(str(e), is_error=True)


def make_plugins(ref: WorldRef) -> list[Function]:
    """All tools as functions for ``LLMOS(plugins=…)``."""
    return [_plugin(name, entry, ref) for name, entry in TOOLS.items()]


def _plugin(name: str, entry: Entry, ref: WorldRef) -> Function:
    def plugin(**arguments: Json) -> Json:
        return entry.function(ref.world, **arguments)

    hints = get_type_hints(entry.function)
    parameters = [
        p.replace(kind=p.KEYWORD_ONLY, annotation=hints[p.name])
        for p in inspect.signature(entry.function).parameters.values()
        if p.name != "world"
    ]
    plugin.__name__ = plugin.__qualname__ = entry.function.__name__
    plugin.__doc__ = entry.function.__doc__
    plugin.__annotations__ = {p.name: p.annotation for p in parameters}
    plugin.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return tool(effects=entry.effect, name=name, version="1")(plugin)
