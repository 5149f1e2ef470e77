"""Goals as they come in, and what else the model saw."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from llmos.errors import UserError
from llmos.values import Turn

LONGEST_GOAL = 100_000
"""Characters. A longer text is data, not a goal."""


def check_goal(goal: str) -> str:
    """Return ``goal`` if it can be worked on.

    Raises:
        UserError: It is empty, too long or not valid text.
    """
    if not isinstance(goal, str) or not goal.strip():
        raise UserError(
            "the goal is empty", 'say what to do: llmos run "Write a haiku to haiku.txt"'
        )
    if len(goal) > LONGEST_GOAL:
        raise UserError(
            f"the goal has {len(goal):,} characters, at most {LONGEST_GOAL:,} are possible",
            "put the text into a file and name the file in the goal",
        )
    try:
        goal.encode("utf-8")
    except UnicodeEncodeError as e:
        raise UserError("the goal is not valid UTF-8 text", "check its encoding") from e
    if "\0" in goal:
        raise UserError("the goal contains a NUL character", "remove it")
    return goal


def context_digest(
    turns: Sequence[Turn], agent: str = "", memory: Sequence[tuple[str, str]] = ()
) -> str:
    """Digest of what the model sees beside the goal; ``""`` when that is nothing.

    Args:
        turns: Earlier exchanges.
        agent: Label of the agent that it works as, with the version; ``""`` for the default.
        memory: Facts and the like that it is told, in their order, each with its source.
    """
    if not turns and not agent and not memory:
        return ""
    seen = [[t.goal, t.output] for t in turns]
    whole: dict[str, object] = {"agent": agent, "turns": seen}
    if memory:
        # Only then: what was stored before there was any keeps its digest.
        whole["memory"] = [list(entry) for entry in memory]
    told = json.dumps(whole if agent or memory else seen, ensure_ascii=False)
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()
