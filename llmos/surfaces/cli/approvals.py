"""Asks a person whether a call may be made, where a rule says "ask"."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from llmos.kernel.permissions import (
    Approval,
    ApprovalRequest,
    Approver,
    Permissions,
    for_reads,
)
from llmos.replay.preview import brief
from llmos.surfaces.cli.keys import INTERRUPT, asker
from llmos.surfaces.cli.output import one_line, printable
from llmos.surfaces.cli.progress import Progress
from llmos.surfaces.settings import add_allow_rule

Ask = Callable[[Sequence[tuple[str, str]], str], Awaitable[str]]
"""Puts a one-key question: the question, the keys that answer it."""

_REMEDY = "add the rule "
"""In an explanation, what the rule stands behind that would allow the call."""


class Approvals:
    """Answers approval requests: by ``--yes``, by asking, or with no where nobody can be asked.

    Args:
        home: Whose settings "always" is written to.
        progress: Paused while a question stands.
        ask: How to ask; None where there is no terminal.
        yes: Approve everything that asks.
    """

    def __init__(self, home: Path, progress: Progress, ask: Ask | None, *, yes: bool) -> None:
        self._home = home
        self._progress = progress
        self._ask = ask
        self._yes = yes
        self._always: list[str] = []
        self._one_at_a_time = asyncio.Lock()

    async def __call__(self, request: ApprovalRequest) -> Approval:
        """Decide about one call."""
        if self._yes:
            return Approval("approve", "approved by --yes")
        if self._ask is None:
            why = request.permission.explanation
            return Approval("reject", f"nobody can be asked here (--yes approves): {why}")
        async with self._one_at_a_time:
            if self._allowed_since(request):
                return Approval("approve", "allowed by a rule of this session")
            self._progress.pause()
            return await self._asked(request, self._ask)

    async def _asked(self, request: ApprovalRequest, ask: Ask) -> Approval:
        rule = remedy(request)
        call = f"{request.tool.name} {brief(request.tool.name, request.arguments, 400)}"
        question = [
            ("", "  "),
            ("bold", f"{one_line(call, 400)}? "),
            ("", f"({one_line(request.permission.explanation.partition('; to allow')[0])}) "),
            ("bold", "y"), ("", " once · "), ("bold", "n"), ("", " no"),
        ]  # fmt: skip
        if rule:
            question += [("", " · "), ("bold", "a"), ("", f" always {printable(rule)}")]
        key = await ask(question, "yna" if rule else "yn")
        if key == "y":
            return Approval("approve", "approved at the prompt")
        if key == "a" and rule:
            add_allow_rule(self._home, rule)
            self._always.append(rule)
            return Approval("approve", f"approved at the prompt: {rule}")
        if key == INTERRUPT:
            signal.raise_signal(signal.SIGINT)
        return Approval("reject", "the user said no")

    def _allowed_since(self, request: ApprovalRequest) -> bool:
        """Whether an "always" of this session covers it: the kernel reads rules when it starts."""
        if not self._always or not remedy(request):
            return False
        context = request.context
        rules = Permissions(self._always, cwd=context.cwd, home=context.home)
        return rules.decide(request.tool, request.arguments, context).decision == "allow"


def at_terminal(home: Path, progress: Progress, *, yes: bool) -> Approvals:
    """Approvals of a single command: asked where somebody sits at a terminal."""
    ask = asker() if sys.stdin.isatty() and sys.stderr.isatty() else None
    return Approvals(home, progress, ask, yes=yes)


def looking_ahead(home: Path) -> Approver:
    """Approvals of a look ahead: reads are asked for like any, writes are not made at all."""
    return for_reads(at_terminal(home, Progress(silent=True), yes=False))


def remedy(request: ApprovalRequest) -> str:
    """The allow rule that one key may add for this call; empty where there is none.

    "Every command" is a rule too, but not one to be made by one key.
    """
    _, _, rule = request.permission.explanation.partition(_REMEDY)
    return "" if rule.strip() == "Bash" else rule.strip()
