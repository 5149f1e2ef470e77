"""Tools of installed packages: what they name under the entry point group ``llmos.plugins``.

An entry point names a module, a tool, or a list of tools. One that cannot be used takes no part,
and keeps nobody else from it.
"""

from __future__ import annotations

import types
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from llmos.errors import UserError
from llmos.plugins.invoke import one_line
from llmos.plugins.loader import LoadProblem
from llmos.plugins.registry import Source
from llmos.plugins.tool import Tool, tool_of

GROUP = "llmos.plugins"


def load_packages() -> list[Source]:
    """Import what the installed packages offer, in the order of the names."""
    # A package that is installed twice on the path is told twice: the first is what is imported.
    found = {(_package(e), e.name): e for e in reversed(list(entry_points(group=GROUP)))}
    return [_load(found[key]) for key in sorted(found)]


def _load(entry: EntryPoint) -> Source:
    where = f"{_package(entry)}: {entry.name} = {entry.value}"
    try:
        tools = _tools(entry.load())
        for tool in tools:
            _ = tool.parameters  # now, so that a type without a schema is told here
    except KeyboardInterrupt:
        raise
    except BaseException as e:
        reason = e.message if isinstance(e, UserError) else f"does not import: {one_line(e)}"
        return Source("package", where, problems=(LoadProblem(where, None, reason),))
    if tools:
        return Source("package", where, tools)
    problem = LoadProblem(where, None, "offers no tool: decorate a function with @tool")
    return Source("package", where, problems=(problem,))


def _tools(offered: Any) -> tuple[Tool, ...]:
    if isinstance(offered, types.ModuleType):
        named = [getattr(value, "__llmos_tool__", None) for value in vars(offered).values()]
        # What it only imported from another package belongs to somebody else.
        package = offered.__name__.partition(".")[0]
        own = [
            tool
            for tool in named
            if isinstance(tool, Tool) and tool.function.__module__.partition(".")[0] == package
        ]
        return tuple(dict.fromkeys(own))
    listed = offered if isinstance(offered, (list, tuple)) else [offered]
    return tuple(one if isinstance(one, Tool) else tool_of(one) for one in listed)


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.module.partition(".")[0]
