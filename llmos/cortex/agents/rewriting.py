"""What a model may change about an agent's instructions, and what it must have shown first. Pure.

The change is a few lines more and a few less, never a rewrite: `edited` makes it from an answer,
`check_delta` bounds it, `with_instructions` puts it into the file, whose front matter and examples
stay byte for byte. What the answer says is text of a stranger. Whether it is proposed is decided by
`gate`, on runs that nobody who worked on the text has seen.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff

from llmos.cortex.agents.agent import Agent, parse
from llmos.cortex.agents.refining import without_examples
from llmos.errors import UserError
from llmos.evolution.hints import Refused, read_answer
from llmos.memory.fold import goal_key
from llmos.memory.redact import redact

FEWEST = 5
"""Goals on either side, to learn from and held out, from which on a new text is tried."""
MARGIN = 3
"""Held-out goals that must be right under the new text and were wrong under the old one.

None may go the other way. A text that changes nothing comes so far by chance in at most 6 % of all
tries, however unsteady the model is: the sum over three and more of the binomial of gains alone.
"""
KEPT = 0.5
"""Share of its lines that a text must keep."""
MOST_ADDED = 12
"""Lines that may be added, all together."""
LONGEST_LINE = 400

_FENCE = "---"
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_ADDRESS = re.compile(r"\w://|\bwww\.|\b[\w.+-]+@[\w-]+\.\w|\bdata:|\bmailto:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the held-out goals say of a new text."""

    passed: bool
    why: str
    right_before: int
    right_after: int | None
    """None where the rest was not asked any more."""


def is_held_out(goal: str) -> bool:
    """Whether a goal is for the gate alone.

    By the hash of the goal, not of the run: else a text could get by heart in one run what another
    run of the same goal asks for. It never changes, so that nobody can tune on it.
    """
    return int(goal_key(goal)[-1], 16) % 2 == 1


def gate(before: Sequence[bool], after: Sequence[bool]) -> Judgement:
    """Whether a new text is plainly better on held-out goals.

    Args:
        before: Of each goal, whether it was right under the text that is in use.
        after: The same under the new one, up to the first that was lost: it decides.
    """
    both = list(zip(before, after, strict=False))
    lost = sum(old and not new for old, new in both)
    gained = sum(new and not old for old, new in both)
    counts = sum(before), sum(after) if len(after) == len(before) else None
    if lost:
        return Judgement(False, "a held-out goal that was right became wrong", *counts)
    if gained < MARGIN:
        told = f"{gained} more of {len(before)} held-out goals were right, and {MARGIN} are needed"
        return Judgement(False, told, *counts)
    return Judgement(True, f"{gained} more of {len(before)} held-out goals were right", *counts)


def instructions_of(agent: Agent) -> str:
    """The text below the front matter, without the examples that stand at its end."""
    return without_examples(agent.prompt).strip()


def with_instructions(agent: Agent, text: str) -> Agent:
    """The agent with another text; front matter and examples stay byte for byte.

    Raises:
        Refused: The text changes more than it may, or the file is written in a way that is better
            left alone.
    """
    old = instructions_of(agent)
    check_delta(old, text)
    end = len(agent.text.rstrip())
    begin = end - len(agent.prompt)
    if agent.text[begin:end] != agent.prompt or not agent.prompt.startswith(old):
        raise Refused("the agent's file is written in a way that is better left alone")
    try:
        made = parse(f"{agent.text[:begin]}{text}{agent.text[begin + len(old) :]}", agent.name)
    except UserError as e:
        raise Refused(e.message) from e
    if instructions_of(made) != text or _front(made) != _front(agent):
        raise Refused("it would change more than the instructions")
    return made


def is_rewritten(old: Agent, new: Agent) -> bool:
    """Whether ``new`` is ``old`` with a few lines of its instructions changed, and nothing else."""
    try:
        return with_instructions(old, instructions_of(new)).text == new.text
    except Refused:
        return False


def check_delta(old: str, new: str) -> None:
    """Refuse a text that is another one altogether, or holds what no instruction needs.

    Raises:
        Refused: It is; the message says why.
    """
    if new == old:
        raise Refused("it changes nothing")
    if new != new.strip():
        raise Refused("it begins or ends with an empty line")
    lines, others = old.split("\n"), new.split("\n")
    matcher = SequenceMatcher(None, lines, others, autojunk=False)
    blocks = matcher.get_matching_blocks()
    kept = sum(bool(line.strip()) for b in blocks for line in lines[b.a : b.a + b.size])
    if kept < KEPT * sum(bool(line.strip()) for line in lines):
        raise Refused("it keeps less than half of the lines")
    same = {k for b in blocks for k in range(b.b, b.b + b.size)}
    added = [line for k, line in enumerate(others) if k not in same]
    if len(added) > MOST_ADDED:
        raise Refused(f"it adds {len(added)} lines, and {MOST_ADDED} are taken")
    for line in added:
        _check_line(line)


def edited(text: str, answer: str) -> str:
    """A text with the changes that an answer names, by the numbers of its lines from 1.

    Args:
        text: What the lines are of.
        answer: ``{"drop": [3], "add": [{"after": 4, "text": "…"}]}``; 0 is before the first line.

    Raises:
        Refused: It is no such answer.
    """
    lines = text.split("\n")
    dropped, added = _read(answer, len(lines))
    made = list(added.get(0, []))
    for number, line in enumerate(lines, 1):
        made += [] if number in dropped else [line]
        made += added.get(number, [])
    return "\n".join(made).strip()


def diff_of(old: Agent, new: Agent) -> str:
    """What changes in the file, as a unified diff."""
    files = old.text.split("\n"), new.text.split("\n")
    named = f"{old.name}.md", f"{new.name}.md (suggested)"
    return "\n".join(unified_diff(*files, *named, lineterm=""))


def _read(answer: str, count: int) -> tuple[set[int], dict[int, list[str]]]:
    said = read_answer(answer, ("drop", "add"))
    drop, add = said.get("drop", []), said.get("add", [])
    if not isinstance(drop, list) or not isinstance(add, list):
        raise Refused("the answer names no lists of lines")
    if not all(_is_number(n, 1, count) for n in drop):
        raise Refused("it drops a line that is not there")
    added: dict[int, list[str]] = {}
    for one in add:
        told = isinstance(one, dict) and isinstance(one.get("text"), str)
        if not told or not _is_number(one.get("after"), 0, count):
            raise Refused("it adds a line at no place")
        added.setdefault(one["after"], []).extend(one["text"].split("\n"))
    return set(drop), added


def _is_number(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _check_line(line: str) -> None:
    if len(line) > LONGEST_LINE:
        raise Refused(f"a line has {len(line)} characters, and {LONGEST_LINE} are taken")
    if any(unicodedata.category(c) in _INVISIBLE for c in line):
        raise Refused("a line holds a character that is not seen")
    if line.strip().startswith(_FENCE) or "<" in line:
        raise Refused("a line holds a mark that begins or ends a part of the file")
    if _ADDRESS.search(line):
        raise Refused("a line names an address")
    if redact(line) != line:
        raise Refused("a line holds what looks like a secret")


def _front(agent: Agent) -> tuple[object, ...]:
    return agent.name, agent.description, agent.tools, agent.denied, agent.model
