"""Claude through the Claude Agent SDK and its bundled CLI.

The CLI gets no tool of its own (``tools=[]``), no settings, no other MCP server: one in-process
MCP server forwards every call to `Syscalls`. It runs in an empty folder, not in the run's one.

**One CLI per run.** System prompt, tools and limits are arguments of the CLI's process, and its
conversation cannot be emptied from outside, so a client kept open would hand one run's context to
the next. A start costs about 0.7 s; a run that needs a model costs many times that.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

from llmos.values import Context, Done, Event, Limits, Syscalls

if TYPE_CHECKING:
    from llmos.config import LLMOSConfig
    from llmos.cortex.processors.claude_run import ClaudeRun

CREDENTIALS = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
)
"""Any one of these variables lets the CLI reach a model without a login."""


class ClaudeProcessor:
    """Runs goals with the Claude CLI, one process for each run.

    Args:
        model: Name of the model; the CLI's default when empty.
        cli_path: The CLI to run; the one bundled with the SDK when None.
        env: Variables for the CLI, over those of this process.
        kill_after_s: Longest silence of the CLI, while no tool runs, before it is killed.
    """

    name = "claude"
    free = False
    writes_programs = True

    def __init__(
        self,
        model: str = "",
        *,
        cli_path: str | Path | None = None,
        env: Mapping[str, str] | None = None,
        kill_after_s: float = 300.0,
    ) -> None:
        self.model = model
        self.cli_path = cli_path
        self.env = dict(env or {})
        self.kill_after_s = kill_after_s
        self._runs: set[ClaudeRun] = set()

    async def run(
        self, goal: str, context: Context, syscalls: Syscalls, limits: Limits
    ) -> AsyncIterator[Event]:
        """Work towards ``goal``; see `llmos.values.Processor`.

        Calls whose arguments do not fit the tool's schema, or that name no tool, are answered by
        the SDK: no system call is made and no event told of them.
        """
        if limits.max_cost_usd <= 0:
            yield Done("", stop="limit", model=self.model, error="nothing may be spent on this run")
            return
        try:
            from llmos.cortex.processors.claude_run import ClaudeRun
        except ImportError as e:
            yield Done("", stop="error", model=self.model, error=_missing(e))
            return
        run = ClaudeRun(self, goal, context, syscalls, limits)
        self._runs.add(run)
        try:
            async with aclosing(run.events()) as events:
                async for event in events:
                    yield event
        finally:
            self._runs.discard(run)
            await run.aclose()

    async def aclose(self) -> None:
        """Kill the CLI of every run that is still going on."""
        for run in list(self._runs):
            await run.aclose()

    def usable(self) -> str | None:
        """None if a run can be tried, else what is missing, in one line."""
        from importlib.util import find_spec

        if find_spec("claude_agent_sdk") is None:
            return _missing(None)
        env = {**os.environ, **self.env}
        if any(env.get(name) for name in CREDENTIALS) or _logged_in(env):
            return None
        return "no credentials: set ANTHROPIC_API_KEY, or log in with the Claude CLI"


def usable(config: LLMOSConfig) -> str | None:
    """None if `make` gives a processor that can be tried, else why not, in one line."""
    if ":" in config.model and config.processor != ClaudeProcessor.name:
        return f"the model {config.model!r} names another provider"
    return make(config).usable()


def make(config: LLMOSConfig) -> ClaudeProcessor:
    """The processor that the settings describe."""
    return ClaudeProcessor(config.model)


def _missing(error: ImportError | None) -> str:
    why = f" ({error})" if error else ""
    return f"the package claude-agent-sdk is not installed{why}: pip install 'llmos[claude]'"


def _logged_in(env: Mapping[str, str]) -> bool:
    """Whether the CLI holds a login: its own file, or on a Mac a note of one in its settings."""
    home = Path(env.get("HOME") or Path.home())
    folder = Path(env.get("CLAUDE_CONFIG_DIR") or home / ".claude")
    if (folder / ".credentials.json").is_file():
        return True
    for settings in (folder / ".claude.json", home / ".claude.json"):
        try:
            text = settings.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if '"oauthAccount"' in text or '"primaryApiKey"' in text:
            return True
    return False
