"""A home with many tools, and a model that is a function."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from llmos.plugins import ToolError, tool
from llmos.values import CallResult, Context, Done, Event, Limits, Syscalls, ToolSpec

Play = Callable[["Model"], Awaitable[str]]


class Model:
    """Does what a function says, and keeps what it was given."""

    name = "played"
    writes_programs = True

    def __init__(self, play: Play, *, rereads_tools: bool = False) -> None:
        self._play = play
        self.rereads_tools = rereads_tools
        self.given: list[ToolSpec] = []
        self.goal = ""
        self._syscalls: Syscalls | None = None

    @property
    def names(self) -> list[str]:
        """Names of the tools that it was given at the start."""
        return [spec.name for spec in self.given]

    def tools(self) -> list[str]:
        """Names of the tools that it has now."""
        assert self._syscalls is not None
        return [spec.name for spec in self._syscalls.tools()]

    async def call(self, tool: str, /, **arguments: Any) -> CallResult:
        """Make a call."""
        assert self._syscalls is not None
        return await self._syscalls.call(tool, arguments)

    async def run(
        self, goal: str, context: Context, syscalls: Syscalls, limits: Limits
    ) -> AsyncIterator[Event]:
        """Play once."""
        self._syscalls, self.goal = syscalls, goal
        self.given = list(syscalls.tools())
        yield Done(await self._play(self), model="played-1")

    async def aclose(self) -> None:
        """Nothing to release."""


class Notes:
    """A small world: notes that can be found, stamped and taken back."""

    def __init__(self) -> None:
        self.texts = {"n1": "draft one", "n2": "draft two", "n3": "letter"}
        self.stamped: list[str] = []
        self.told: dict[str, str] = {}
        """What stamping a note says beside the usual."""

    def plugins(self) -> list[Any]:
        """Its tools."""

        @tool(effects="read", name="notes.find")
        def find(text: str) -> list[dict[str, str]]:
            """Find notes by a word in them."""
            return [{"note": k, "text": v} for k, v in self.texts.items() if text in v]

        @tool(effects="write", name="notes.stamp", undo=self._unstamp)
        def stamp(note: str, mark: str) -> str:
            """Put a mark on a note."""
            if note not in self.texts:
                raise ToolError(f"there is no note {note}")
            self.stamped.append(f"{note}:{mark}")
            return f"{note} is stamped.{self.told.get(note, '')}"

        @tool(effects="external", name="notes.publish")
        def publish(note: str) -> str:
            """Show a note to everybody."""
            return "published"

        return [find, stamp, publish]

    def _unstamp(self, arguments: dict[str, str], observation: Any) -> None:
        self.stamped.remove(f"{arguments['note']}:{arguments['mark']}")


def crowd(count: int) -> list[Any]:
    """So many tools that nothing here needs."""
    return [_idle(k) for k in range(count)]


def _idle(k: int) -> Any:
    @tool(effects="read", name=f"press{k // 10}.part_{k}")
    def idle(machine: str) -> str:
        """Tell how one part of a printing machine is."""
        return "fine"

    return idle
