"""A working directory, a home and a person's home folder, all apart and all temporary."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from llmos.plugins import Tool, ToolContext, invoke, sandbox
from llmos.values import Json

Run = Callable[..., Awaitable[Json]]

needs_sandbox = pytest.mark.skipif(
    sandbox.available() is not None, reason=sandbox.available() or "there is a sandbox"
)


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder.resolve()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "llmos-home"
    folder.mkdir()
    (folder / "llmos.db").write_text("the one database")
    return folder.resolve()


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder of alice, with keys in it."""
    folder = tmp_path / "alice"
    (folder / ".ssh").mkdir(parents=True)
    (folder / ".ssh" / "id_ed25519").write_text("PRIVATE KEY")
    (folder / ".netrc").write_text("password hunter2")
    monkeypatch.setenv("HOME", str(folder))
    return folder.resolve()


@pytest.fixture
def context(cwd: Path, home: Path) -> ToolContext:
    return ToolContext(cwd, home, datetime(2026, 3, 2, 9, 7, tzinfo=UTC), timeout_s=20.0)


@pytest.fixture
def run(context: ToolContext) -> Run:
    """Calls a tool as the kernel does: arguments as JSON, checked, run, result as JSON."""

    async def call(tool: Tool, **arguments: Any) -> Json:
        return await invoke(tool, context, tool.validate(arguments), context.timeout_s)

    return call
