"""The command line in this process: real home, real files; what it says is captured."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from llmos import LLMOS, Trace
from llmos.cortex.processors import RecordedProcessor
from llmos.surfaces.cli.entry import run
from tests.conftest import SetUp

MODEL_VARIABLES = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "LLMOS_MODEL",
    "LLMOS_LOCAL_MODEL",
    "LLMOS_PROCESSOR",
    "OPENAI_API_KEY",
)


@dataclass(frozen=True)
class Said:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Said]


@pytest.fixture(autouse=True)
def person(
    home: Path, cwd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> pytest.MonkeyPatch:
    """A person without any model, working in ``cwd``."""
    for name in MODEL_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    monkeypatch.setenv("LLMOS_HOME", str(home))
    monkeypatch.setenv("LLMOS_USER", "alice")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(cwd)
    return monkeypatch


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs a command line: ``cli("run", "Do it").out``."""

    def call(*argv: str, stdin: bytes = b"") -> Said:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), "utf-8"))
        capsys.readouterr()
        code = run(argv)
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return call


Learn = Callable[..., str]


@pytest.fixture
def learn(home: Path, cwd: Path, set_up: SetUp) -> Learn:
    """Lets a recording do its goal once, for real, and takes what it did back; the run's id."""

    def call(recorded: Trace, *, undo: bool = True, **more: Any) -> str:
        set_up(home)

        async def story() -> str:
            processor = RecordedProcessor({recorded.goal: recorded})
            async with LLMOS(home, "alice", processor=processor, cwd=cwd, **more) as os:
                result = await os.execute(recorded.goal)
                assert result.success, result.error
                if undo:
                    await os.undo(result.trace_id)
                return result.trace_id

        return asyncio.run(story())

    return call


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes recordings what the settings' processor is."""

    def use(*recordings: Trace) -> None:
        processor = RecordedProcessor({t.goal: t for t in recordings})
        monkeypatch.setattr("llmos.boot.make_processor", lambda config: processor)

    return use
