"""System calls over a handful of plain functions, for testing processors without a kernel."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmos.values import CallResult, Effect, Json, ToolSpec


def _spec(name: str, description: str, effect: Effect, **properties: str) -> ToolSpec:
    schema = {
        "type": "object",
        "properties": {key: {"type": kind} for key, kind in properties.items()},
        "required": list(properties),
        "additionalProperties": False,
    }
    return ToolSpec(name, description, schema, effect)


TOOLS = (
    _spec("add", "Add two numbers.", Effect.READ, a="integer", b="integer"),
    _spec("notes.append", "Append a line to the notes.", Effect.WRITE, text="string"),
    _spec("refuse", "A tool that a rule denies.", Effect.EXTERNAL, what="string"),
    _spec("wait", "A tool that never comes back.", Effect.READ),
)
"""One of each kind; a name with a dot, because some providers do not take dots."""


@dataclass
class FakeSyscalls:
    """Implements `llmos.values.Syscalls`; keeps what was called, in order.

    Args:
        raises: Error to raise instead of making the n-th call (counted from 0).
    """

    raises: Mapping[int, Exception] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while ``wait`` runs."""
    wait_was_cancelled: bool = False
    most_at_once: int = 0
    _running: int = 0

    def tools(self) -> Sequence[ToolSpec]:
        return TOOLS

    async def call(self, tool: str, arguments: Mapping[str, Json]) -> CallResult:
        index = len(self.calls)
        self.calls.append((tool, dict(arguments)))
        if index in self.raises:
            raise self.raises[index]
        self._running += 1
        self.most_at_once = max(self.most_at_once, self._running)
        try:
            return await self._run(tool, arguments, index)
        finally:
            self._running -= 1

    async def _run(self, tool: str, arguments: Mapping[str, Json], index: int) -> CallResult:
        if tool == "add":
            return CallResult(arguments["a"] + arguments["b"], step=index)
        if tool == "notes.append":
            self.notes.append(arguments["text"])
            return CallResult({"lines": len(self.notes)}, step=index)
        if tool == "refuse":
            return CallResult("denied by rule refuse(*)", is_error=True)
        if tool == "wait":
            return await self._wait()
        return CallResult(f"there is no tool {tool!r}", is_error=True)

    async def _wait(self) -> CallResult:
        self.waiting.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.wait_was_cancelled = True
            raise
        raise AssertionError("never set")
