"""The tools of one LLM OS, by name."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from llmos.errors import UserError
from llmos.plugins.loader import LoadProblem
from llmos.plugins.tool import Tool, tool_of
from llmos.values import ToolSpec


@dataclass(frozen=True, slots=True)
class Source:
    """Something that offers tools beside the program itself."""

    kind: Literal["file", "package", "server"]
    where: str
    """Path of the file, entry point of the package, or name of the server."""
    tools: tuple[Tool, ...] = ()
    problems: tuple[LoadProblem, ...] = ()
    """What of it takes no part, and why."""

    @property
    def key(self) -> str:
        """What it is replaced by: another state of the same file, package or server."""
        return f"{self.kind}:{self.where}"


class Registry:
    """Tools by name, in the order they were added.

    What is read of it is one dictionary that is replaced as a whole: a source that is loaded
    again on another thread is seen with all its tools or not at all.
    """

    def __init__(self, tools: Iterable[Tool | Callable[..., Any]] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        self._sources: dict[str, Source] = {}
        self._origin: Registry | None = None
        self._seen: dict[str, Tool] | None = None
        """What a pinned registry has last seen of its origin."""
        self._lock = threading.Lock()
        self.add_all(tools)

    @property
    def sources(self) -> tuple[Source, ...]:
        """What offers tools beside the program, in the order of its first appearance."""
        return tuple(self._sources.values())

    @property
    def problems(self) -> list[LoadProblem]:
        """What takes no part, and why."""
        return [problem for source in self.sources for problem in source.problems]

    def put(self, source: Source) -> Source:
        """Add what a source offers, in place of what it has offered before.

        Returns:
            What came of it: without tools, and with a problem more, if a name of them is taken.
        """
        with self._lock:
            before = self._sources.get(source.key)
            mine = {tool.name for tool in before.tools} if before else set()
            others = {name: tool for name, tool in self._tools.items() if name not in mine}
            try:
                fresh = _united(others, source.tools)
            except UserError as e:
                where = Path(source.where) if source.kind == "file" else source.key
                told = LoadProblem(where, None, e.message)
                source = replace(source, tools=(), problems=(*source.problems, told))
                fresh = others
            # In their old places: what a model is shown changes only where it has to.
            kept = [name for name in self._tools if name in fresh]
            self._tools = {name: fresh[name] for name in dict.fromkeys([*kept, *fresh])}
            self._sources[source.key] = source
        return source

    def drop(self, source: Source) -> None:
        """Take out a source with its tools; one that is not there stays out."""
        with self._lock:
            before = self._sources.pop(source.key, None)
            gone = {tool.name for tool in before.tools} if before else set()
            self._tools = {name: t for name, t in self._tools.items() if name not in gone}

    def pinned(self) -> Registry:
        """The tools as they are now, for one run: what is loaded again meanwhile is not seen."""
        made = Registry()
        made._origin = self._origin or self
        made.renew()
        return made

    def renew(self, keep: bool = False) -> None:
        """Let a pinned registry see what there is now.

        Args:
            keep: Tools that are gone stay: what a run has called it must be able to look up.
        """
        if self._origin is None or self._origin._tools is self._seen:
            return
        fresh = self._seen = self._origin._tools
        gone = {n: t for n, t in self._tools.items() if n not in fresh} if keep else {}
        self._tools = {**fresh, **gone}
        self._sources = self._origin._sources

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
        self._tools = _united(self._tools, made)
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


def _united(tools: dict[str, Tool], more: Iterable[Tool]) -> dict[str, Tool]:
    together = dict(tools)
    for one in more:
        other = together.setdefault(one.name, one)
        if other is not one:
            raise UserError(
                f"two tools are named {one.name!r}: {other.origin} and {one.origin}",
                "give one of them another name: @tool(name=…)",
            )
    return together


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
    from llmos.plugins.folder import PluginFolder

    PluginFolder(home / "plugins", registry).refresh()
    return registry
