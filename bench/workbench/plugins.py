"""The tools as plugins, over a world that can be put in another's place between runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import get_type_hints

from bench.workbench.catalog import TOOLS, Entry
from bench.workbench.world import World
from llmos.plugins import tool
from llmos.values import Json

VERSION = "1"
"""Raised when a tool does something else than before: traces made with it are then not followed."""


@dataclass
class WorldRef:
    """Holds the world that the plugins work on: ``ref.world = ref.world.fresh()`` resets it."""

    world: World


def make_plugins(world_ref: WorldRef) -> list[Callable[..., Json]]:
    """All tools as functions for ``LLMOS(plugins=…)``.

    Refusals are raised as `llmos.plugins.ToolError`: the observation is the tool's own words,
    marked as an error.
    """
    return [_plugin(name, entry, world_ref) for name, entry in TOOLS.items()]


def _plugin(name: str, entry: Entry, ref: WorldRef) -> Callable[..., Json]:
    def plugin(**arguments: Json) -> Json:
        return entry.function(ref.world, **arguments)

    hints = get_type_hints(entry.function)
    signature = inspect.signature(entry.function)
    parameters = [
        p.replace(kind=p.KEYWORD_ONLY, annotation=hints[p.name])
        for p in signature.parameters.values()
        if p.name != "world"
    ]
    plugin.__name__ = plugin.__qualname__ = entry.function.__name__
    plugin.__doc__ = entry.function.__doc__
    plugin.__annotations__ = {p.name: p.annotation for p in parameters}
    plugin.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return tool(effects=entry.effect, name=name, version=VERSION)(plugin)
