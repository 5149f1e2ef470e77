"""How the Claude CLI is started: no tool, setting or server but ours. Imports the SDK."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from claude_agent_sdk import (
    ClaudeAgentOptions,
    SdkMcpTool,
    ThinkingConfig,
    ToolAnnotations,
    create_sdk_mcp_server,
)

from llmos.cortex.processors.claude_result import wire_names
from llmos.values import Effect, Json, Limits, ToolSpec

if TYPE_CHECKING:
    from llmos.cortex.processors.claude import ClaudeProcessor

SERVER = "llmos"
MAX_RESULT = 100_000
"""Characters of one result that the model is shown. The CLI would put a longer one in a file."""
QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_TELEMETRY": "1",
    "ENABLE_TOOL_SEARCH": "false",
    "MAX_MCP_OUTPUT_TOKENS": str(MAX_RESULT),
}
"""The CLI talks to the model and to nobody else, and shows it every tool from the start."""

Handle = Callable[[str, Mapping[str, Json]], Awaitable[dict[str, Any]]]
"""Makes one system call and returns the result as MCP content."""


def cli_options(
    processor: ClaudeProcessor,
    *,
    folder: Path,
    system: str,
    limits: Limits,
    tools: Sequence[ToolSpec],
    call: Handle,
    stderr: Callable[[str], None],
    model: str = "",
) -> ClaudeAgentOptions:
    """Options of one run; puts the system prompt into ``folder``, which belongs to the run.

    ``model`` is the one that the run wants; that of the processor when empty.
    """
    # A file, because an argument may not be longer than 128 KiB and is seen by everybody.
    prompt = folder / "system.md"
    prompt.write_text(system, "utf-8")
    cwd = folder / "empty"
    cwd.mkdir()
    named = wire_names(tools)
    served = [_served(name, spec, call) for name, spec in named.items()]
    return ClaudeAgentOptions(
        model=model or processor.model or None,
        system_prompt={"type": "file", "path": str(prompt)},
        tools=[],
        mcp_servers={SERVER: create_sdk_mcp_server(SERVER, tools=served)},
        strict_mcp_config=True,
        setting_sources=[],
        allowed_tools=[f"mcp__{SERVER}__{name}" for name in named],
        permission_mode="dontAsk",
        verbatim_prompts=True,  # else "@file" in a goal is read, and "/word" run, by the CLI
        max_turns=max(1, limits.max_turns),
        max_budget_usd=limits.max_cost_usd,
        thinking=_thinking(limits.max_output_tokens),
        cwd=cwd,
        cli_path=processor.cli_path,
        env=_environment(processor, folder, limits),
        include_partial_messages=True,  # tell what each model call cost, and that it goes on
        extra_args={"no-session-persistence": None},
        max_buffer_size=16 * 1024 * 1024,
        stderr=stderr,
    )


def _environment(processor: ClaudeProcessor, folder: Path, limits: Limits) -> dict[str, str]:
    return {
        **QUIET,
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS": str(limits.max_output_tokens),
        # The CLI logs errors of tools, word for word, into a cache folder named after its cwd.
        "XDG_CACHE_HOME": str(folder),
        **processor.env,
    }


def _served(name: str, spec: ToolSpec, call: Handle) -> SdkMcpTool[Any]:
    async def handler(arguments: dict[str, Any]) -> dict[str, Any]:
        return await call(spec.name, arguments)

    # The CLI runs calls of one turn at once only if all of them are read-only.
    reads = spec.effect in (Effect.READ, Effect.OPEN_READ)
    hints = ToolAnnotations(readOnlyHint=reads, maxResultSizeChars=2 * MAX_RESULT)
    schema = {"type": "object", "properties": {}, **spec.parameters}
    return SdkMcpTool(name, spec.description, schema, handler, hints)


def _thinking(max_output_tokens: int) -> ThinkingConfig:
    """At most half of what a model call may say: the CLI's default leaves one token for words."""
    if max_output_tokens < 2048:
        return {"type": "disabled"}
    return {"type": "enabled", "budget_tokens": max_output_tokens // 2}
