"""The tools of one LLM OS, by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from llmos.errors import UserError
from llmos.plugins.loader import LoadProblem, load_folder
from llmos.plugins.tool import Tool, tool_of
from llmos.values import ToolSpec


class Registry:
    """Tools by name, in the order they were added."""

    def __init__(self, tools: Iterable[Tool | Callable[..., Any]] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        self.problems: list[LoadProblem] = []
        """Plugin files that take no part, and why."""
        self.add_all(tools)

    def add(self, function_or_tool: Tool | Callable[..., Any]) -> Tool:
        """Add a decorated function or a `Tool`.

        Raises:
            UserError: Not a tool, or another tool has that name.
        """
        return self.add_all([function_or_tool])[0]

    def add_all(self, functions_or_tools: Iterable[Tool | Callable[..., Any]]) -> list[Tool]:
        """Add all of these, or none.

        Raises:
            UserError: One is no tool, or its name is taken.
        """
        made = [t if isinstance(t, Tool) else tool_of(t) for t in functions_or_tools]
        together = dict(self._tools)
        for one in made:
            other = together.setdefault(one.name, one)
            if other is not one:
                raise UserError(
                    f"two tools are named {one.name!r}: {other.origin} and {one.origin}",
                    "give one of them another name: @tool(name=…)",
                )
        self._tools = together
        return made

    def get(self, name: str) -> Tool:
        """The tool of that name.

        Raises:
            UserError: There is none; the hint names the nearest ones.
        """
        found = self._tools.get(name)
        if found is None:
            raise UserError(f"there is no tool {str(name)[:80]!r}", self._nearest(str(name)))
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all tools."""
        return tuple(self._tools)

    def specs(self) -> list[ToolSpec]:
        """The tools as a model sees them."""
        return [t.spec for t in self._tools.values()]

    def __contains__(self, name: object) -> bool:
        return name in self._tools

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)

    def _nearest(self, name: str) -> str:
        by_fold = {known.casefold(): known for known in self._tools}
        near = difflib.get_close_matches(name[:80].casefold(), by_fold, n=3, cutoff=0.6)
        if near:
            return f"did you mean {', '.join(by_fold[n] for n in near)}?"
        return f"tools: {', '.join(self._tools) or 'none'}"


def default_registry(
    plugins: Sequence[Tool | Callable[..., Any]] = (),
    home: Path | None = None,
    sandbox: bool = True,
) -> Registry:
    """The built-in tools, the given ones, and the user's from ``<home>/plugins``.

    A user plugin that cannot be used is left out and told in `Registry.problems`.

    Args:
        plugins: Decorated functions of the embedding program.
        home: Home of LLM OS; without it no user plugins are loaded.
        sandbox: Whether ``Bash`` may use the sandbox; it does where there is one.

    Raises:
        UserError: One of ``plugins`` is no tool, or its name is taken.
    """
    from llmos.plugins import sandbox as bubblewrap
    from llmos.plugins.builtin import builtin_tools

    registry = Registry(builtin_tools(sandboxed=sandbox and bubblewrap.available() is None))
    registry.add_all(plugins)
    if home is None:
        return registry
    loaded, registry.problems = load_folder(home / "plugins")
    for plugin in loaded:
        try:
            registry.add_all(plugin.tools)
        except UserError as e:
            registry.problems.append(LoadProblem(plugin.path, None, e.message))
    return registry
