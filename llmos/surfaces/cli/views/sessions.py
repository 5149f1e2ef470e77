"""How sessions of the prompt are shown."""

from __future__ import annotations

from collections.abc import Sequence

from llmos.memory.sessions import StoredSession
from llmos.surfaces.cli.output import moment, one_line, print_table, printable, short, when


def print_sessions(sessions: Sequence[StoredSession]) -> None:
    """Print one line for each session."""
    if not sessions:
        print("No session yet. Open the prompt with: llmos")
        return
    rows = [
        (
            short(session.id),
            when(session.last_at),
            session.project or "-",
            str(session.turns),
            printable(session.cwd),
            one_line(session.last_goal, 200),
        )
        for session in sessions
    ]
    print_table(("SESSION", "LAST", "PROJECT", ">TURNS", "FOLDER", "LAST GOAL"), rows)


def resumed_line(session: StoredSession) -> str:
    """What a resumed prompt says first."""
    turns = "1 turn" if session.turns == 1 else f"{session.turns} turns"
    goal = one_line(session.last_goal, 80)
    return f"session {short(session.id)} of {moment(session.last_at)}, {turns}; the last: {goal}"
