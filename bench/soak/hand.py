"""The script that stands for a model: it does every kind of job with the real tools."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

from bench.soak.desk import WORDS, invented, level, trip_parts
from llmos import tool
from llmos.evolution.holes import FILL
from llmos.values import (
    Context,
    Done,
    Event,
    Json,
    Limits,
    Spent,
    Syscalls,
    ToolCall,
    ToolResult,
    Usage,
)

JOB = Usage(2_400, 180)
"""What a whole run is taken to use."""
QUESTION = Usage(300, 30)
"""What a short question is."""
USD = 0.004

_GAUGES = 45
"""Tools of the plugin: with the built-in ones more than a model is given at once."""

_NOTE = re.compile(r'Write a note called "([^"]+)" to (\S+)')
_PORT = re.compile(r"Change the port in (\S+) from (\d+) to (\d+)")
_COUNT = re.compile(r"How many lines of (\S+) say ERROR\?")
_GAUGE = re.compile(r"Which level does the (\w+) gauge have at mark (\d+)\?")
_THEME = re.compile(r"Set the colour in (\S+) to (\w+)")
_MOTTO = re.compile(r"What does (\S+) say\?")
_SKETCH = re.compile(r"Sketch the \w+ \w+ into (\S+)")
_SAME = re.compile(r"Write the same to (\S+)")
_TELL = re.compile(r"Remember that .+")
_ASK = re.compile(r"Which paint is that of kiln (\w+)\?")


class Unable(Exception):
    """The script cannot do it, or a tool failed."""


class Hand:
    """Works like a careful model that knows these jobs and no others."""

    name = "scripted"

    def __init__(self) -> None:
        self.asked = 0
        """Runs and questions."""

    async def run(
        self, goal: str, context: Context, syscalls: Syscalls, limits: Limits
    ) -> AsyncIterator[Event]:
        """Do the job, or say that it cannot be done."""
        self.asked += 1
        short = _short_answer(goal)
        usage = JOB if short is None else QUESTION
        usd = USD * usage.total_tokens / JOB.total_tokens
        yield Spent(usage, usd)
        if short is not None:
            yield Done(short, usage, usd, model="script")
            return
        events: list[Event] = []
        try:
            said = await _Work(goal, context, syscalls, events).do()
            done = Done(said, usage, usd, model="script")
        except Unable as e:
            done = Done("", usage, usd, "error", "script", str(e))
        for event in events:
            yield event
        yield done

    async def aclose(self) -> None:
        """Nothing to release."""


def _short_answer(goal: str) -> str | None:
    """The answer to a question that is no goal."""
    if goal.startswith("Take a goal apart."):
        return json.dumps({"parts": trip_parts(_goals(goal)[-1])})
    if goal.startswith(FILL):
        return json.dumps({"value": invented(_goals(goal)[0])})
    return None


def _goals(question: str) -> list[str]:
    """The goals that a question names, in the order in which they stand there."""
    return [json.loads(found) for found in re.findall(r'"goal": ("(?:[^"\\]|\\.)*")', question)]


class _Work:
    """One run."""

    def __init__(
        self, goal: str, context: Context, syscalls: Syscalls, events: list[Event]
    ) -> None:
        self._goal = goal
        self._context = context
        self._syscalls = syscalls
        self._events = events

    async def do(self) -> str:
        """Do it; what is said at the end."""
        goal = self._goal
        if found := _NOTE.fullmatch(goal):
            await self._call("Write", file_path=found[2], content=f"# {found[1]}\n")
        elif found := _PORT.fullmatch(goal):
            await self._change(found[1], f"port = {found[2]}", f"port = {found[3]}")
        elif found := _THEME.fullmatch(goal):
            text = await self._call("Read", file_path=found[1])
            if f"colour = {found[2]}" not in text:
                await self._edit(found[1], "colour = none", f"colour = {found[2]}")
        elif found := _SKETCH.fullmatch(goal):
            await self._call("Write", file_path=found[1], content=invented(goal))
        elif found := _SAME.fullmatch(goal):
            earlier = self._context.turns[-1].goal
            await self._call("Write", file_path=found[1], content=invented(earlier))
        elif not _TELL.fullmatch(goal):
            return await self._answer(goal)
        return "Done."

    async def _answer(self, goal: str) -> str:
        if found := _COUNT.fullmatch(goal):
            asked = {"pattern": "ERROR", "path": found[1], "output_mode": "count"}
            return await self._call("Grep", **asked)
        if found := _MOTTO.fullmatch(goal):
            text = await self._call("Read", file_path=found[1])
            return "\n".join(line.partition("\t")[2] for line in text.splitlines())
        if found := _GAUGE.fullmatch(goal):
            return await self._gauge(found[1], int(found[2]))
        if found := _ASK.fullmatch(goal):
            told = re.search(rf"paint of kiln {found[1]} is (\w+)", self._context.system)
            if told is None:
                raise Unable("nobody has told me")
            return told[1]
        raise Unable("I cannot do that")

    async def _gauge(self, word: str, mark: int) -> str:
        name = f"gauge.{word}"
        if name not in {tool.name for tool in self._syscalls.tools()}:
            await self._call("search_tools", query=f"level of the {word} gauge")
        return await self._call(name, mark=mark)

    async def _change(self, name: str, old: str, new: str) -> None:
        await self._call("Read", file_path=name)
        await self._edit(name, old, new)

    async def _edit(self, name: str, old: str, new: str) -> None:
        await self._call("Edit", file_path=name, old_string=old, new_string=new)

    async def _call(self, tool: str, **arguments: Json) -> str:
        number = str(len(self._events))
        self._events.append(ToolCall(number, tool, arguments))
        result = await self._syscalls.call(tool, arguments)
        self._events.append(ToolResult(number, tool, result.observation, result.is_error))
        if result.is_error:
            raise Unable(result.text)
        return result.text


def plugins() -> list[Any]:
    """A gauge for every word, and as many tools of another kind as it takes to need a search."""
    others = [f"{word}{k}" for k in range(2, 4) for word in WORDS][: _GAUGES - len(WORDS)]
    return [*(_gauge(word) for word in WORDS), *(_valve(name) for name in others)]


def _gauge(word: str) -> Any:
    def read(mark: int) -> str:
        return level(word, mark)

    read.__doc__ = f"Read the level of the {word} gauge at a mark."
    return tool(effects="read", name=f"gauge.{word}")(read)


def _valve(word: str) -> Any:
    def look(side: str = "left") -> dict[str, str]:
        return {"valve": word, "side": side}

    look.__doc__ = f"Look at the {word} valve, on one side of it."
    return tool(effects="read", name=f"valve.{word}")(look)
