"""The real CLI writes a transcript, talking to a scripted server; what it wrote is learnt."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from llmos.memory.importers import Importer, Known, find_sessions
from llmos.values import Mode, Trace, Verdict
from tests.conftest import MakeOS
from tests.support.messages_server import Fault, MessagesServer, Reply, Request

sdk = pytest.importorskip("claude_agent_sdk", reason="needs the extra llmos[claude]")
CLI = Path(sdk.__file__).parent / "_bundled" / "claude"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CLI.exists(), reason="the SDK has no CLI in it"),
]

ASK = "Delegate it"


def work(cwd: Path, request: Request) -> Reply | Fault:
    """What the model says, by what it was told last."""
    price = str(cwd / "prices.txt")
    answers = {
        "What does tea cost?": Reply("Let me look.", (("Read", {"file_path": price}),)),
        "tea 3": Reply("Tea costs 3."),
        "Write a note": Reply(
            calls=(("Write", {"file_path": str(cwd / "n.txt"), "content": "n\n"}),)
        ),
        "created": Reply(calls=(("Bash", {"command": "ls n.txt; false"}),)),
        "Exit code 1": Reply("Noted."),
        ASK: Reply(
            calls=(
                (
                    "Agent",
                    {
                        "description": "look",
                        "prompt": "SUBTASK",
                        "subagent_type": "general-purpose",
                        "run_in_background": False,
                    },
                ),
            )
        ),
        "SUBTASK": Reply("The helper says 3."),
        "The helper says": Reply("It says 3."),
    }
    told = request.last
    found = [reply for words, reply in answers.items() if words in told]
    return found[-1] if found else Fault(400, "invalid_request_error", "not in the script")


def claude(home: Path, cwd: Path, url: str, *argv: str) -> None:
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": "sk-test",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "HTTPS_PROXY": url,  # were it to turn to any other host, the server would refuse it
        "NO_PROXY": "127.0.0.1",
        "IS_SANDBOX": "1",
    }
    options = ("--dangerously-skip-permissions", "--model", "claude-sonnet-4-5")
    subprocess.run(
        [CLI, "-p", *argv, *options], env=env, cwd=cwd, stdin=subprocess.DEVNULL, timeout=60
    )


async def test_what_claude_code_writes_is_understood_and_replayed(
    make_os: MakeOS, tmp_path: Path, cwd: Path
) -> None:
    person = tmp_path / "person"
    person.mkdir()
    (cwd / "prices.txt").write_text("tea 3\n")
    with MessagesServer(lambda request: work(cwd, request)) as server:
        claude(person, cwd, server.url, "What does tea cost?")
        claude(person, cwd, server.url, "-c", "Write a note")
        claude(person, cwd, server.url, ASK)
        claude(person, cwd, server.url, "Do what nobody can")
    kept: dict[str, Trace] = {}
    llmos = await make_os()

    async def learn(traces: Sequence[Trace]) -> None:
        await llmos.learn(traces)
        kept.update({t.goal: t for t in traces})

    sessions = find_sessions([person / ".claude" / "projects"])
    report = await Importer(Known(), learn).run(sessions)
    assert (report.sessions, report.new, report.traces, report.failed) == (3, 3, 4, 1)
    assert not report.not_understood
    assert not report.left_out
    assert report.steps == {"Read": 1, "Write": 1, "Bash": 1, "Agent": 1}

    tea, note = kept["What does tea cost?"], kept["Write a note"]
    assert (tea.output, tea.context_digest, tea.usage.input_tokens) == ("Tea costs 3.", "", 200)
    assert tea.steps[0].arguments == {"file_path": "$CWD/prices.txt"}
    assert note.context_digest != ""
    assert [s.is_error for s in note.steps] == [False, True]
    assert kept[ASK].output == "It says 3."
    assert kept["Do what nobody can"].verdict is Verdict.FAILED

    result = await llmos.execute("What does tea cost?")
    assert (result.mode, result.output) == (Mode.FOLLOWER, "Tea costs 3.")
    assert result.usage.total_tokens == 0
