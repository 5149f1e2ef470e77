"""Where the prompt's lines come from: a person at a terminal, or a pipe."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from llmos.errors import StoreError
from llmos.surfaces.cli.goal_text import decoded
from llmos.surfaces.cli.keys import ENTER, one_key

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession


class Reader(Protocol):
    """Gives the prompt its lines."""

    interactive: bool
    """Whether somebody is there to be asked."""

    def line(self, begun: str) -> str | None:
        """The next line; None at the end.

        Args:
            begun: What has been typed of it already.
        """
        ...

    async def key(
        self, question: Sequence[tuple[str, str]], keys: str, *, others: bool = False
    ) -> str:
        """One key as the answer to a question; see `one_key`."""
        ...


class Terminal:
    """Lines with editing and a history.

    Args:
        runner: Runs the editor.
        history: File that keeps the lines; only its owner can read it.
    """

    interactive = True

    def __init__(self, runner: asyncio.Runner, history: Path) -> None:
        self._runner = runner
        self._history = history
        self._session: PromptSession[str] | None = None

    def line(self, begun: str) -> str | None:
        """Ask for a line. Ctrl-C gives an empty one, Ctrl-D the end."""
        session = self._session = self._session or self._open()
        try:
            return self._runner.run(session.prompt_async([("bold", "❯ ")], default=begun))
        except KeyboardInterrupt:
            return ""
        except EOFError:
            return None

    async def key(
        self, question: Sequence[tuple[str, str]], keys: str, *, others: bool = False
    ) -> str:
        """Ask for one key."""
        return await one_key(question, keys, others=others)

    def _open(self) -> PromptSession[str]:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.history import FileHistory

        try:
            os.close(os.open(self._history, os.O_CREAT | os.O_WRONLY, 0o600))
            self._history.chmod(0o600)
        except OSError as e:
            raise StoreError(f"cannot write {self._history}: {e.strerror}") from e
        return PromptSession(history=FileHistory(str(self._history)))


class Piped:
    """Lines of standard input, which is no terminal. Nobody can be asked."""

    interactive = False

    def line(self, begun: str) -> str | None:
        """The next line of standard input.

        Raises:
            UserError: It is not UTF-8.
        """
        data = sys.stdin.buffer.readline()
        return decoded(data, "standard input") if data else None

    async def key(
        self, question: Sequence[tuple[str, str]], keys: str, *, others: bool = False
    ) -> str:
        """Always `ENTER`: nobody is there."""
        return ENTER
