"""``python llmos/boot.py interactive``, as the README says it, with the real CLI of the SDK."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.messages_server import MessagesServer, Reply

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("claude_agent_sdk") is None, reason="claude_agent_sdk is not installed"
)


def boot(
    stdin: str, home: Path, cwd: Path, server: MessagesServer
) -> subprocess.CompletedProcess[str]:
    keep = {
        k: v for k, v in os.environ.items() if not k.startswith(("ANTHROPIC_", "CLAUDE_", "LLMOS_"))
    }
    env = keep | {
        "HOME": str(home.parent),
        "LLMOS_HOME": str(home),
        "ANTHROPIC_API_KEY": "sk-test",
        "ANTHROPIC_BASE_URL": server.url,
        "HTTPS_PROXY": server.url,
        "NO_PROXY": "127.0.0.1",
    }
    return subprocess.run(
        [sys.executable, str(ROOT / "llmos" / "boot.py"), "interactive"],
        input=stdin,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=env,
        timeout=90,
    )


def test_a_goal_is_learnt_with_the_model_and_done_again_without_it(home: Path, cwd: Path) -> None:
    write = {"file_path": "hello.txt", "content": "hello\n"}
    replies = [Reply("", (("mcp__llmos__Write", write),)), Reply("Wrote hello.txt.")]
    with MessagesServer(replies) as server:
        first = boot("Write a greeting to hello.txt\n", home, cwd, server)
        assert first.returncode == 0, first.stderr
        assert "Wrote hello.txt." in first.stdout
        assert (cwd / "hello.txt").read_text() == "hello\n"
        asked = len(server.requests)
        (cwd / "hello.txt").unlink()

        second = boot("Write a greeting to hello.txt\n", home, cwd, server)
        assert second.returncode == 0, second.stderr
        assert "Wrote hello.txt." in second.stdout
        assert "FOLLOWER" in second.stdout + second.stderr
        assert (cwd / "hello.txt").read_text() == "hello\n"
        assert len(server.requests) == asked, "the model was not asked again"
