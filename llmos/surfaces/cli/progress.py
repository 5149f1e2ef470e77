"""What a run does, while it does it, on standard error."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from llmos.replay.preview import brief
from llmos.surfaces.cli.output import err, one_line, printable
from llmos.values import (
    CallResult,
    Event,
    Json,
    PartBegan,
    PartEnded,
    Text,
    ToolCall,
    ToolResult,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

    from llmos.kernel.admission import HookCall


_NUMBERED = re.compile(r"^ *\d+\t")
"""What ``Read`` puts before a line."""


class Progress:
    """One line for each finished call, and a spinner while something is going on.

    Calls of a model are told by its events, calls of a replay by the kernel's hook.

    Args:
        console: Where to; standard error when left out.
        silent: Tell nothing.
    """

    def __init__(self, console: Console | None = None, *, silent: bool = False) -> None:
        self._console = console or err()
        self._silent = silent
        self._asked: dict[str, ToolCall] = {}
        self._said: list[str] = []
        self._status: Status | None = None

    def event(self, event: Event) -> None:
        """Told by the processor (``on_event`` of `LLMOS.execute`)."""
        match event:
            case Text():
                self._said.append(event.text)
            case ToolCall():
                self._tell_said()
                self._asked[event.id] = event
                self.spin(f"{event.tool} {brief(event.tool, event.arguments)}")
            case ToolResult():
                call = self._asked.pop(event.id, None)
                arguments = call.arguments if call else {}
                self._line(event.tool, arguments, event.observation, event.is_error)
                self.spin("working")
            case PartBegan():
                self.spin(f"{event.id}: {event.goal}")
            case PartEnded():
                self._part(event)

    async def after(self, call: HookCall) -> None:
        """Told by the kernel after every call (`Hooks.post_tool_use`)."""
        by_model = any(asked.tool == call.tool for asked in self._asked.values())
        if call.step is not None and not by_model:
            self._line(call.tool, call.arguments, call.step.observation, call.step.is_error)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Around one run: what it leaves behind is the lines, not the spinner."""
        self._asked.clear()
        self._said.clear()
        self.spin("working")
        try:
            yield
        finally:
            self.pause()

    def spin(self, what: str) -> None:
        """Show what is going on, on a terminal."""
        if self._silent or not self._console.is_terminal:
            return
        from rich.text import Text as Words

        shown = Words(one_line(what, max(20, self._console.width - 6)), "dim")
        if self._status is None:
            self._status = self._console.status(shown, spinner="dots")
            self._status.start()
        else:
            self._status.update(shown)

    def pause(self) -> None:
        """Take the spinner away, for example to ask something."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _tell_said(self) -> None:
        # What is said last is the answer, and printed as such.
        said = "".join(self._said).strip()
        self._said.clear()
        if said and not self._silent:
            self._console.print(printable(said), style="dim")

    def _part(self, event: PartEnded) -> None:
        if self._silent:
            return
        from rich.text import Text as Words

        result = event.result
        mark = ("✗ ", "red") if event.error else ("✓ ", "green")
        line = Words.assemble(mark, (event.id, "bold"), f" {one_line(event.goal, 80)}", end="")
        how = f"{result.mode.value}, {result.usage.total_tokens:,} tokens" if result else ""
        told = "; ".join(filter(None, (how, one_line(event.error, 100))))
        line.append(f"  {told}", "red" if event.error else "dim")
        self._console.print(line, no_wrap=True, overflow="ellipsis")

    def _line(
        self, tool: str, arguments: Mapping[str, Json], observation: Json, is_error: bool
    ) -> None:
        if self._silent:
            return
        from rich.text import Text as Words

        mark = ("  ✗ ", "red") if is_error else ("  ✓ ", "green")
        line = Words.assemble(
            mark, (tool, "bold"), " ", one_line(brief(tool, arguments), 80), end=""
        )
        line.append(f"  {came_back(observation)}", "red" if is_error else "dim")
        self._console.print(line, no_wrap=True, overflow="ellipsis")


def came_back(observation: Json) -> str:
    """An observation on one line: its beginning, and how much more there is."""
    lines = CallResult(observation).text.strip().splitlines() or [""]
    first = _NUMBERED.sub("", lines[0])
    rest = len(lines) - 1
    more = f" (+{rest} {'line' if rest == 1 else 'lines'})" if rest else ""
    return one_line(first, 100) + more
