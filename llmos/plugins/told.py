"""Where the tools come from, for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llmos.plugins.registry import Registry, Source
from llmos.plugins.tool import Tool


@dataclass(frozen=True, slots=True)
class PluginRow:
    """One source of tools."""

    name: str
    kind: str
    """``program`` (built in, or handed over), ``file``, ``package`` or ``server``."""
    where: str
    tools: dict[str, str]
    """Effect of every tool, by name."""
    problems: list[str]


def plugin_rows(registry: Registry) -> list[PluginRow]:
    """All sources of a registry, the program's own tools first."""
    sources = registry.sources
    others = {tool.name for source in sources for tool in source.tools}
    own = [tool for tool in registry if tool.name not in others]
    first = PluginRow("llmos", "program", "built in, or handed over", _effects(own), [])
    return [first, *map(_row, sources)]


def _row(source: Source) -> PluginRow:
    name = {
        "file": Path(source.where).name,
        "package": source.where.partition(":")[0],
        "server": source.where,
    }[source.kind]
    where = source.where if source.kind != "server" else "the settings; see: llmos mcp"
    problems = [
        f"line {p.line}: {p.reason}" if p.line is not None else p.reason for p in source.problems
    ]
    return PluginRow(name, source.kind, where, _effects(source.tools), problems)


def _effects(tools: Sequence[Tool]) -> dict[str, str]:
    return {tool.name: tool.effect.value for tool in tools}
