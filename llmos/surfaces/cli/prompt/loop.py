"""The prompt's loop: read a goal, do it, tell how it went, take a verdict by one key."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from llmos.errors import BugError, LLMOSError
from llmos.kernel.admission import Hooks
from llmos.memory.sessions import StoredSession
from llmos.surfaces.cli.approvals import Approvals
from llmos.surfaces.cli.opening import make, meet_project, working_directory
from llmos.surfaces.cli.options import Globals
from llmos.surfaces.cli.output import dollars, err, printable
from llmos.surfaces.cli.progress import Progress
from llmos.surfaces.cli.prompt.readers import Piped, Reader, Terminal
from llmos.surfaces.cli.views.decision import forewarnings
from llmos.surfaces.cli.views.result import show_notes, show_result
from llmos.surfaces.cli.views.sessions import resumed_line
from llmos.surfaces.cli.views.undo import show_undone
from llmos.surfaces.session import Session
from llmos.values import RunResult, Turn

_INTERRUPTED = 130


def converse(
    asked: Globals,
    *,
    cwd: Path | None = None,
    yes: bool = False,
    resumed: StoredSession | None = None,
) -> int:
    """Open the prompt and return the exit code when it ends.

    Without a terminal the code is that of the last goal that went wrong, or 0. ``resumed`` is the
    session that goes on.
    """
    with asyncio.Runner() as runner:
        terminal = sys.stdin.isatty() and sys.stdout.isatty()
        reader = Terminal(runner, asked.folder / "history") if terminal else Piped()
        return Conversation(asked, runner, reader, cwd=cwd, yes=yes, resumed=resumed).run()


class Conversation:
    """One session at the prompt.

    Args:
        asked: The global options.
        runner: Runs one thing at a time; between them Ctrl-C is what it always is.
        reader: Gives the lines.
        cwd: Working directory; the current one when left out.
        yes: Approve every call that asks.
        resumed: The session that goes on; a new one when left out.
    """

    def __init__(
        self,
        asked: Globals,
        runner: asyncio.Runner,
        reader: Reader,
        *,
        cwd: Path | None = None,
        yes: bool = False,
        resumed: StoredSession | None = None,
    ) -> None:
        self._runner = runner
        self._reader = reader
        self._debug = asked.debug
        self._progress = Progress()
        ask = reader.key if reader.interactive else None
        approvals = Approvals(asked.folder, self._progress, ask, yes=yes)
        hooks = Hooks(post_tool_use=(self._progress.after,))
        self.os = make(asked, cwd=cwd, approver=approvals, hooks=hooks)
        self.session = Session()
        self._resumed = resumed
        self._session_id = resumed.id if resumed is not None else ""
        """Of the stored session; there is one from the first goal on."""
        self.last: RunResult | None = None
        """How the last goal of this session went."""
        self._begun = ""
        self._code = 0

    def run(self) -> int:
        """Take lines until they end; returns the exit code."""
        self._runner.run(self.os.boot())
        try:
            meet_project(self.os, begins=True)
            if self._reader.interactive:
                self._greet()
            while self._turn():
                pass
        finally:
            self._runner.run(self.os.shutdown())
        return 0 if self._reader.interactive else self._code

    def undo(self, name: str = "last") -> None:
        """Take a run back and tell what that did."""
        from llmos.surfaces.cli.opening import find_run

        if name == "last" and self.last is not None:
            name = self.last.trace_id
        run = find_run(self.os, name, imported=False)
        show_undone(run.id, self._runner.run(self.os.undo(run.id)))
        self._refresh()

    def turns_for(self, goal: str) -> tuple[Turn, ...]:
        """The earlier turns that ``goal`` needs, as they are stored."""
        self._refresh()
        return self.session.turns_for(goal)

    # --- one line ----------------------------------------------------------------------------

    def _turn(self) -> bool:
        """One line, from reading it to the verdict; False when there is no more."""
        from llmos.surfaces.cli.prompt.slash import command

        try:
            begun, self._begun = self._begun, ""
            line = self._reader.line(begun)
            if line is None:
                return False
            text = line.strip()
            if text.startswith("/"):
                return command(self, text)
            if text:
                self._goal(text)
        except LLMOSError as e:
            self._tell(e)
        except KeyboardInterrupt:
            if not self._reader.interactive:
                raise
            err().print("stopped: the run is kept as failed", style="yellow")
        except Exception as e:
            if self._debug:
                raise
            text = " ".join(f"{type(e).__name__}: {e}".split())
            self._tell(BugError(f"this is our mistake: {text}", "see it with: llmos --debug"))
        return True

    def _goal(self, goal: str) -> None:
        turns = self.turns_for(goal)
        told = forewarnings(*self.os.explain(goal, turns=turns))
        if turns:
            told.insert(0, ("dim", "it refers to what was said before, which the model is shown"))
        show_notes(told)
        result = self.last = self._runner.run(self._execute(goal, turns))
        show_result(result, told)
        if not result.success:
            self._code = 1
        if self._reader.interactive:
            self._verdict(result)

    async def _execute(self, goal: str, turns: Sequence[Turn]) -> RunResult:
        if not self._session_id:
            cwd = working_directory(self.os.cwd)
            self._session_id = self.os.sessions.begin(cwd, self.os.project)
        with self._progress.running():
            return await self.os.execute(
                goal, turns=turns, on_event=self._progress.event, session_id=self._session_id
            )

    def _refresh(self) -> None:
        if self._session_id:
            found = self.os.sessions.turns(self._session_id, self.session.keep)
            self.session.show(each.turn for each in found)

    def _verdict(self, result: RunResult) -> None:
        """Ask for one key. Any other letter begins the next goal."""
        wrote = any(step.footprint.writes for step in result.steps)
        offered = [("r", "right"), ("w", "wrong")] if result.success else []
        offered += [("u", "undo")] if wrote else []
        if not offered:
            return
        question: list[tuple[str, str]] = []
        for letter, meaning in offered:
            question += [("bold", letter), ("", f" {meaning} · ")]
        question += [("bold", "Enter"), ("", " go on")]
        letters = "".join(letter for letter, _ in offered)
        key = self._runner.run(self._reader.key(question, letters, others=True))
        if key in "rw" and key in letters:
            self._judge(result, right=key == "r")
        elif key == "u" and wrote:
            self.undo(result.trace_id)
        elif key.isprintable():
            self._begun = key

    def _judge(self, result: RunResult, *, right: bool) -> None:
        self._runner.run(self.os.feedback(result.trace_id, right))
        if right:
            err().print("✓ noted: it was right", style="green")
        else:
            err().print("✓ noted: it was wrong, and will not be followed", style="yellow")

    # --- small things ------------------------------------------------------------------------

    def _greet(self) -> None:
        from llmos import __version__

        left = self.os.kernel.economy.status("system").left_usd
        money = "" if left is None else f" · {dollars(left)} left"
        err().print(f"LLM OS {__version__} · {self.os.user_id}{money} · /help", style="bold")
        if self._resumed is not None:
            err().print(resumed_line(self._resumed), style="dim")
        pending = len(self.os.kernel.get_cron_notifications())
        if pending:
            what = "1 notification" if pending == 1 else f"{pending} notifications"
            err().print(f"{what}: /feed", style="yellow")

    def _tell(self, error: LLMOSError) -> None:
        self._code = error.exit_code
        err().print(f"error: {printable(error.message)}", style="red")
        if error.hint:
            err().print(f"hint:  {printable(error.hint)}")
