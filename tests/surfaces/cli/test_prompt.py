"""The prompt, with keys typed into a real terminal editor, and with lines from a pipe."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from llmos import Trace, Verdict
from llmos.config import LLMOSConfig
from llmos.surfaces.cli.keys import ENTER, INTERRUPT, one_key
from llmos.surfaces.cli.options import Globals
from llmos.surfaces.cli.prompt.loop import Conversation
from llmos.surfaces.cli.prompt.readers import Terminal
from tests.conftest import recording
from tests.surfaces.cli.conftest import Cli, Learn

HELLO = recording(
    "Write a greeting to hello.txt",
    ("Write", {"file_path": "hello.txt", "content": "hello\n"}),
    output="Wrote hello.txt.",
)
Model = Callable[..., None]


class Typed:
    """One prompt at a terminal that was typed into beforehand."""

    def __init__(self, home: Path, keys: PipeInput, capsys: pytest.CaptureFixture[str]) -> None:
        self._home = home
        self._keys = keys
        self._capsys = capsys
        self.out = ""
        self.err = ""

    def __call__(self, keys: str) -> Conversation:
        self._keys.send_text(keys)
        with asyncio.Runner() as runner:
            reader = Terminal(runner, self._home / "history")
            conversation = Conversation(Globals(self._home, "alice"), runner, reader)
            assert conversation.run() == 0
        self.out, self.err = self._capsys.readouterr()
        return conversation

    def verdict(self) -> Verdict:
        """What is known of the newest run."""
        return self.runs()[0].verdict

    def runs(self) -> list[Trace]:
        from llmos.memory.traces import Traces
        from llmos.store import Store

        with Store.open(self._home) as store:
            return Traces(store).recent()


@contextmanager
def terminal() -> Iterator[PipeInput]:
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        yield keys


@pytest.fixture
def typed(home: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Typed]:
    with terminal() as keys:
        yield Typed(home, keys, capsys)


def test_a_goal_is_done_and_its_answer_shown(typed: Typed, learn: Learn, cwd: Path) -> None:
    learn(HELLO)
    typed(f"{HELLO.goal}\r\r/quit\r")
    assert (cwd / "hello.txt").read_text() == "hello\n"
    assert typed.out == "Wrote hello.txt.\n"
    assert "LLM OS " in typed.err
    assert "alice · $10.00 left · /help" in typed.err
    assert "✓ Write hello.txt" in typed.err
    assert "FOLLOWER · 0 tokens" in typed.err


@pytest.mark.parametrize(
    ("key", "verdict"),
    [("r", Verdict.CONFIRMED), ("w", Verdict.REFUTED), ("\r", Verdict.COMPLETED)],
)
def test_one_key_is_the_verdict(typed: Typed, learn: Learn, key: str, verdict: Verdict) -> None:
    learn(HELLO)
    typed(f"{HELLO.goal}\r{key}/quit\r")
    assert typed.verdict() is verdict


def test_one_key_undoes_and_the_session_forgets_what_was_undone(
    typed: Typed, learn: Learn, cwd: Path
) -> None:
    learn(HELLO)
    conversation = typed(f"{HELLO.goal}\ru/quit\r")
    assert not (cwd / "hello.txt").exists()
    assert "1 change taken back" in typed.out
    assert conversation.session.turns_for("do it again") == ()


def test_any_other_key_begins_the_next_goal(typed: Typed, learn: Learn) -> None:
    learn(HELLO)
    conversation = typed(f"{HELLO.goal}\r{HELLO.goal}\r\r/quit\r")
    assert [t.goal for t in typed.runs()[:2]] == [HELLO.goal] * 2
    assert conversation.last is not None
    assert conversation.last.already_done


def test_only_what_refers_back_is_given_the_earlier_turns(typed: Typed, model: Model) -> None:
    again = recording("do it again", ("Glob", {"pattern": "*"}), output="Again.")
    model(HELLO, again)
    typed(f"{HELLO.goal}\r\rdo it again\r\r/quit\r")
    later, first = typed.runs()
    assert first.context_digest == ""
    assert later.context_digest != ""
    assert typed.err.count("it refers to what was said before") == 1


def test_slash_commands(typed: Typed, learn: Learn, cwd: Path) -> None:
    learn(HELLO)
    typed(f"/help\r/budget\r/explain {HELLO.goal}\r{HELLO.goal}\r\r/feed\r/undo\r/nonsense\r/q\r")
    assert "/explain [GOAL]" in typed.err
    assert "$10.00" in typed.out
    assert "+++ b/hello.txt" in typed.out
    assert "replayed from a trace" in typed.out
    assert "1 change taken back" in typed.out
    assert "there is no command '/nonsense'" in typed.err
    assert not (cwd / "hello.txt").exists()


def test_an_error_does_not_end_the_prompt(typed: Typed, learn: Learn) -> None:
    learn(HELLO)
    typed(f"Something new\r/undo ZZZZZZ\r{HELLO.goal}\r\r\x04")
    assert "error: no language model is configured" in typed.err
    assert "hint:  " in typed.err
    assert typed.out == "Wrote hello.txt.\n"


def test_ctrl_c_clears_the_line_and_ctrl_d_leaves(typed: Typed, learn: Learn) -> None:
    learn(HELLO)
    typed(f"Half a goal\x03{HELLO.goal}\r\r\x04")
    assert [t.goal for t in typed.runs()] == [HELLO.goal] * 2


def test_ctrl_c_stops_the_run_keeps_it_as_failed_and_the_prompt_goes_on(
    typed: Typed, learn: Learn, monkeypatch: pytest.MonkeyPatch
) -> None:
    import signal

    class Slow:
        name = "slow"
        free = True

        async def run(self, goal, context, syscalls, limits):  # type: ignore[no-untyped-def]
            asyncio.get_running_loop().call_later(0.2, signal.raise_signal, signal.SIGINT)
            await asyncio.sleep(60)
            yield

        async def aclose(self) -> None: ...

    monkeypatch.setattr("llmos.boot.make_processor", lambda config: Slow())
    learn(HELLO)
    typed(f"Take long\r{HELLO.goal}\r\r/quit\r")
    assert "stopped: the run is kept as failed" in typed.err
    newest, stopped = typed.runs()[:2]
    assert newest.verdict is Verdict.COMPLETED
    assert (stopped.goal, stopped.verdict) == ("Take long", Verdict.FAILED)
    assert "cancelled" in stopped.error


def test_lines_are_kept_where_only_their_owner_reads_them(typed: Typed, home: Path) -> None:
    typed("/help\r/quit\r")
    assert (home / "history").stat().st_mode & 0o777 == 0o600
    assert "+/help" in (home / "history").read_text()


def test_pending_notifications_are_told_at_the_start(typed: Typed, home: Path) -> None:
    from llmos.observability import ObservabilityHub
    from llmos.store import Store

    with Store.open(home) as store:
        ObservabilityHub(store, user_id="alice").record_artifact_created("insight_001")
    typed("/quit\r")
    assert "1 notification: /feed" in typed.err


# --- what asks -----------------------------------------------------------------------------------

TOUCH = recording("Touch it", ("Bash", {"command": "touch made"}), output="Touched.")


@pytest.fixture
def unsandboxed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOS_SANDBOX", "false")


@pytest.mark.usefixtures("unsandboxed")
@pytest.mark.parametrize(("key", "done"), [("y", True), ("n", False), ("a", True)])
def test_a_call_that_asks_is_decided_by_one_key(
    typed: Typed, model: Model, cwd: Path, key: str, done: bool
) -> None:
    model(TOUCH)
    typed(f"Touch it\r{key}\r/quit\r")
    assert (cwd / "made").exists() is done


@pytest.mark.usefixtures("unsandboxed")
def test_ctrl_c_at_a_question_stops_the_run(
    typed: Typed, learn: Learn, model: Model, cwd: Path
) -> None:
    learn(HELLO)
    model(TOUCH)
    typed(f"Touch it\r\x03{HELLO.goal}\r\r/quit\r")
    assert "stopped: the run is kept as failed" in typed.err
    assert not (cwd / "made").exists()
    assert typed.out == "Wrote hello.txt.\n"


@pytest.mark.usefixtures("unsandboxed")
def test_always_writes_a_rule_and_holds_at_once(
    typed: Typed, model: Model, home: Path, cwd: Path
) -> None:
    model(TOUCH)
    typed("Touch it\ra\r/quit\r")
    assert LLMOSConfig.load(home, {}).allow == ("Bash(touch *)",)
    (cwd / "made").unlink()
    twice = recording(
        "Touch two",
        ("Bash", {"command": "touch one"}),
        ("Bash", {"command": "touch two"}),
        ("Bash", {"command": "mkdir three"}),
    )
    model(twice)
    (home / "config.toml").unlink()
    typed("Touch two\ran\r/quit\r")
    assert (cwd / "two").exists(), "asked once for both"
    assert not (cwd / "three").exists(), "another command asks again"


@pytest.mark.usefixtures("unsandboxed")
def test_what_a_rule_of_the_person_asks_cannot_be_allowed_always(
    typed: Typed, model: Model, home: Path, cwd: Path
) -> None:
    home.mkdir()
    (home / "config.toml").write_text('ask = ["Bash(touch *)"]\n')
    model(TOUCH)
    typed("Touch it\ray\r/quit\r")
    assert (cwd / "made").exists(), "'a' is no answer here, 'y' is"
    assert LLMOSConfig.load(home, {}).allow == ()


@pytest.mark.usefixtures("unsandboxed")
def test_every_command_is_never_allowed_by_one_key(
    typed: Typed, model: Model, home: Path, cwd: Path
) -> None:
    model(recording("Touch it", ("Bash", {"command": "touch $(echo made)"})))
    typed("Touch it\ray\r/quit\r")
    assert (cwd / "made").exists(), "'a' is no answer here, 'y' is"
    assert LLMOSConfig.load(home, {}).allow == ()


@pytest.mark.parametrize(
    ("typed_keys", "others", "answer"),
    [
        ("q1y", False, "y"),
        ("qy", True, "q"),
        ("\r", False, ENTER),
        ("\x1b", False, ENTER),
        ("\x03", False, INTERRUPT),
        ("\x04", False, INTERRUPT),
    ],
)
async def test_a_question_takes_the_first_key_that_answers(
    typed_keys: str, others: bool, answer: str
) -> None:
    with terminal() as keys:
        keys.send_text(typed_keys)
        if typed_keys == "\x1b":
            keys.flush()
        assert await one_key([("", "Sure?")], "yn", others=others) == answer


# --- without a terminal --------------------------------------------------------------------------


def test_each_line_of_a_pipe_is_a_goal(cli: Cli, learn: Learn, cwd: Path) -> None:
    learn(HELLO)
    said = cli("interactive", stdin=f"\n{HELLO.goal}\n{HELLO.goal}\n".encode())
    assert said.code == 0
    first, second = said.out.splitlines()
    assert first == "Wrote hello.txt."
    assert second.startswith("Already done")
    assert "Enter" not in said.err, "nobody is asked"


def test_no_command_at_all_opens_the_prompt(cli: Cli, learn: Learn) -> None:
    learn(HELLO)
    assert cli(stdin=f"{HELLO.goal}\n".encode()).out == "Wrote hello.txt.\n"


def test_a_bad_line_of_a_pipe_is_told_and_the_others_are_done(cli: Cli, learn: Learn) -> None:
    learn(HELLO)
    said = cli("interactive", stdin=b"\xff\xfe\n" + HELLO.goal.encode() + b"\n/quit\nignored\n")
    assert said.out == "Wrote hello.txt.\n"
    assert "standard input is not UTF-8 text" in said.err
    assert said.code == 2


def test_reading_from_a_pipe_needs_no_terminal_library() -> None:
    from llmos.surfaces.cli.prompt.readers import Piped

    stdin = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO("é\n".encode()), "utf-8")
    try:
        reader = Piped()
        assert (reader.line(""), reader.line("")) == ("é", None)
    finally:
        sys.stdin = stdin
