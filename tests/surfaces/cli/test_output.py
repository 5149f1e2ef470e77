"""Numbers, times and foreign text as people are shown them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import pytest
from rich.console import Console

from llmos.surfaces.cli.output import (
    duration,
    moment,
    one_line,
    print_table,
    printable,
    to_json,
    when,
)
from llmos.surfaces.cli.progress import Progress, came_back
from llmos.values import Text, ToolCall, ToolResult


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 ms"), (0.0123, "12 ms"), (0.9994, "999 ms"), (3.21, "3.2 s"), (125.9, "2 min 5 s")],
)
def test_time_spans(seconds: float, told: str) -> None:
    assert duration(seconds) == told


@pytest.mark.parametrize("bad", ["\x1b[2J", "\x07", "\r", "\x9b31m", "\u202egnp.exe", "\x00"])
def test_what_could_move_the_cursor_or_the_reading_direction_is_spelled_out(bad: str) -> None:
    told = printable(f"a{bad}b")
    assert bad[0] not in told
    assert told.startswith("a\\")


def test_ordinary_text_is_left_alone() -> None:
    assert printable("é\t中\n🙂 [bold]x[/bold]") == "é\t中\n🙂 [bold]x[/bold]"


def test_one_line_is_one_line_and_not_longer_than_asked() -> None:
    assert one_line("a\n\n  b\tc") == "a b c"
    assert one_line("x" * 300, 10) == "x" * 9 + "…"


def test_values_become_json() -> None:
    class Colour(StrEnum):
        RED = "red"

    @dataclass
    class Thing:
        colour: Colour
        path: Path
        at: datetime
        parts: tuple[int, ...]

    at = datetime(2026, 3, 2, tzinfo=UTC)
    assert to_json({"t": Thing(Colour.RED, Path("/x"), at, (1, 2))}) == {
        "t": {"colour": "red", "path": "/x", "at": "2026-03-02T00:00:00+00:00", "parts": [1, 2]}
    }


def test_a_table_for_a_pipe_cuts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A", ">B", "C"), [("a", "1", "x" * 500), ("long", "22", "y")])
    assert capsys.readouterr().out.splitlines() == [
        "A      B  C",
        f"a      1  {'x' * 500}",
        "long  22  y",
    ]


def test_a_time_in_a_column_is_short_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)
    assert when(now) == moment(now)
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdout", terminal)
    assert when(now) == f"{now.astimezone():%H:%M}"
    assert when(now - timedelta(days=800)) == f"{(now - timedelta(days=800)).astimezone():%Y-%m-%d}"


@pytest.mark.parametrize(
    ("observation", "told"),
    [
        ("     1\tfirst\n     2\tsecond", "first (+1 line)"),
        ("a\nb\nc", "a (+2 lines)"),
        ({"id": 7}, '{"id": 7}'),
        ("", ""),
        (None, "null"),
    ],
)
def test_an_observation_is_its_first_line_and_how_much_more(observation: object, told: str) -> None:
    assert came_back(observation) == told


def test_a_call_is_told_once_it_has_come_back() -> None:
    screen = io.StringIO()
    progress = Progress(Console(file=screen, width=60, force_terminal=False))
    with progress.running():
        progress.event(Text("I will look."))
        progress.event(ToolCall("1", "Grep", {"pattern": "x"}))
        assert "Grep" not in screen.getvalue()
        progress.event(ToolResult("1", "Grep", "no rule allows\nthis", is_error=True))
    assert screen.getvalue() == "I will look.\n  ✗ Grep x  no rule allows (+1 line)\n"


def test_a_silent_progress_says_nothing() -> None:
    screen = io.StringIO()
    progress = Progress(Console(file=screen), silent=True)
    with progress.running():
        progress.event(Text("Hm."))
        progress.event(ToolCall("1", "Grep", {}))
        progress.event(ToolResult("1", "Grep", ""))
    assert screen.getvalue() == ""


def test_on_a_terminal_what_is_going_on_is_shown_and_taken_away() -> None:
    screen = io.StringIO()
    progress = Progress(Console(file=screen, width=60, force_terminal=True))
    with progress.running():
        progress.event(ToolCall("1", "Bash", {"command": "sleep 1\x1b[2J"}))
    assert "Bash sleep 1\\x1b[2J" in screen.getvalue()
    assert "\x1b[2J" not in screen.getvalue()
    assert screen.getvalue().endswith("\x1b[?25h\r\x1b[1A\x1b[2K")
