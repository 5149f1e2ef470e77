"""Plans as markdown files that people write, keep and share.

A file begins with what the whole is for, then has a heading for every part::

    ---
    goal: Prepare the week of '{team}'
    ---

    ## collect
    List the open items of '{team}' in items.txt

    ## letter
    after: collect
    check: test -s letter.txt

    Write a letter about items.txt to letter.txt

``{team}`` is a value that whoever runs it gives; ``{{collect}}`` is what the part answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from llmos.cortex.plans.plan import Part, Plan
from llmos.errors import UserError
from llmos.memory.goals import check_goal
from llmos.values import Json

LARGEST = 200_000
"""Characters of a file."""

_HEADING = re.compile(r"##\s+(\S.*?)\s*#*\s*")
_SETTING = re.compile(r"(after|agent|check):\s*(.*)")
_VALUE = re.compile(r"(?<!\{)\{([A-Za-z_][A-Za-z0-9_-]*)\}(?!\})")


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What a file says: the whole goal and its plan."""

    goal: str
    plan: Plan


def read_pipeline(path: Path, values: Mapping[str, str]) -> Pipeline:
    """The pipeline in a file.

    Args:
        path: The file.
        values: What to put in for the names in single braces.

    Raises:
        UserError: It cannot be read, or says something that is no pipeline; with the line.
    """
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(LARGEST + 1)
    except (OSError, UnicodeDecodeError) as e:
        raise UserError(f"{path} cannot be read: {e}", "name a text file") from e
    if len(text) > LARGEST:
        raise UserError(f"{path} has more than {LARGEST:,} characters", "give it fewer parts")
    return pipeline(text, values, str(path))


def pipeline(text: str, values: Mapping[str, str], name: str = "the plan") -> Pipeline:
    """The pipeline that a text describes; see `read_pipeline`.

    Args:
        text: Markdown.
        values: What to put in for the names in single braces.
        name: What errors call it.

    Raises:
        UserError: It is none.
    """
    goal, rest = _front(text.splitlines(), name)
    used = set[str]()

    def put_in(text: str, line: int) -> str:
        def value(found: re.Match[str]) -> str:
            if found[1] not in values:
                raise UserError(
                    f"{name}, line {line}: no value is given for {found[0]}",
                    f"give it: --set {found[1]}=VALUE",
                )
            used.add(found[1])
            return values[found[1]]

        return _VALUE.sub(value, text)

    whole = check_goal(put_in(*goal))
    parts = [_part(section, name, put_in) for section in _sections(rest, name)]
    if not parts:
        raise UserError(f"{name} has no parts", "begin each with a heading: ## name")
    unused = sorted(set(values) - used)
    if unused:
        raise UserError(f"{name} has no {{{unused[0]}}} for a value to stand", "leave it out")
    return Pipeline(whole, Plan.of(parts, whole))


Numbered = tuple[str, int]
"""A text and the number of its line."""


@dataclass(frozen=True, slots=True)
class _Section:
    id: str
    line: int
    lines: tuple[Numbered, ...]


def _front(lines: list[str], name: str) -> tuple[Numbered, list[Numbered]]:
    """What stands between the marks at the beginning, and the numbered rest."""
    numbered = [(line, k) for k, line in enumerate(lines, 1)]
    ends = [k for line, k in numbered if line.rstrip() == "---"]
    if len(ends) < 2 or any(line.strip() for line, k in numbered if k < ends[0]):
        raise UserError(
            f"{name} does not begin with its goal", "begin it with: ---, goal: WHAT IT DOES, ---"
        )
    goal: Numbered | None = None
    for line, k in numbered[ends[0] : ends[1] - 1]:
        key, colon, said = line.partition(":")
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not colon or key.strip() != "goal" or goal is not None:
            raise UserError(f"{name}, line {k}: {line.strip()[:60]!r} is not expected", "goal: …")
        goal = (_unquoted(said.strip()), k)
    if goal is None:
        raise UserError(f"{name} does not say what it is for", "between the marks: goal: …")
    return goal, numbered[ends[1] :]


def _unquoted(said: str) -> str:
    """A value without quotes around all of it."""
    whole = len(said) > 1 and said[0] == said[-1] and said[0] in "'\""
    return said[1:-1] if whole and said[0] not in said[1:-1] else said


def _sections(lines: list[Numbered], name: str) -> Iterator[_Section]:
    begun: tuple[str, int] | None = None
    kept: list[Numbered] = []
    for line, k in lines:
        found = _HEADING.fullmatch(line)
        if found is None:
            kept.append((line, k))
            continue
        if begun is not None:
            yield _Section(*begun, tuple(kept))
        elif any(text.strip() and not text.startswith("# ") for text, _ in kept):
            first = next(n for text, n in kept if text.strip())
            raise UserError(f"{name}, line {first}: this is of no part", "begin one: ## name")
        begun, kept = (found[1], k), []
    if begun is not None:
        yield _Section(*begun, tuple(kept))


def _part(section: _Section, name: str, put_in: Callable[[str, int], str]) -> Part:
    settings: dict[str, str] = {}
    lines = list(section.lines)
    while lines and (found := _SETTING.fullmatch(lines[0][0].strip())):
        if found[1] in settings:
            raise UserError(f"{name}, line {lines[0][1]}: {found[1]!r} stands here twice")
        settings[found[1]] = put_in(found[2].strip(), lines[0][1])
        del lines[0]
    goal = "\n".join(put_in(line, k) for line, k in lines).strip()
    if not goal:
        raise UserError(
            f"{name}, line {section.line}: part {section.id!r} does not say what to do",
            "write it below the heading",
        )
    given: dict[str, Json] = {"id": section.id, "goal": goal, **settings}
    if "after" in settings:
        given["after"] = [a for a in re.split(r"[,\s]+", settings["after"]) if a]
    return Part.from_dict(given, f"{name}, line {section.line}")
