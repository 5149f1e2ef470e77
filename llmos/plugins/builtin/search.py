"""``Glob`` and ``Grep``.

Both list by path: agents know these tools sorted by time of change, but then the same question
would be answered differently each time, and no answer could be compared with a recorded one.
Hidden files are searched, symlinks are not followed, folders of version control are skipped.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from llmos.plugins.arguments import Alias
from llmos.plugins.builtin.files import located
from llmos.plugins.builtin.matching import Found, Query, TooSlow, find
from llmos.plugins.invoke import ToolError
from llmos.plugins.paths import Glob, inside, is_secret, shown
from llmos.plugins.tool import ToolContext, tool
from llmos.values import Json

MAX_NAMES = 100
"""Files that ``Glob`` lists, as agents know it."""

MAX_ENTRIES = 200_000
"""Entries that one walk looks at before it gives up."""

MAX_LINES = 250
"""Lines that ``Grep`` returns when ``head_limit`` is left out, as agents know it."""

_CONTROL = frozenset({".git", ".hg", ".svn", ".jj"})
_MADE = _CONTROL | {"node_modules", "__pycache__", ".venv"}

TYPES: Mapping[str, tuple[str, ...]] = {
    "c": ("*.c", "*.h"),
    "cpp": ("*.cpp", "*.cc", "*.cxx", "*.hpp", "*.hh", "*.h"),
    "css": ("*.css", "*.scss"),
    "csv": ("*.csv",),
    "go": ("*.go",),
    "html": ("*.html", "*.htm"),
    "java": ("*.java",),
    "js": ("*.js", "*.jsx", "*.mjs", "*.cjs"),
    "json": ("*.json", "*.jsonl"),
    "md": ("*.md", "*.markdown"),
    "py": ("*.py", "*.pyi"),
    "rb": ("*.rb",),
    "rust": ("*.rs",),
    "sh": ("*.sh", "*.bash", "*.zsh"),
    "sql": ("*.sql",),
    "toml": ("*.toml",),
    "ts": ("*.ts", "*.tsx", "*.mts", "*.cts"),
    "txt": ("*.txt",),
    "xml": ("*.xml",),
    "yaml": ("*.yaml", "*.yml"),
}
"""What ``Grep(type=…)`` stands for, named as ripgrep names them."""


def _place(context: ToolContext, arguments: Mapping[str, Json]) -> tuple[str, ...]:
    path = located(context, arguments.get("path") or ".")
    return (f"{'tree' if path.is_dir() else 'file'}:{path}",)


@tool(name="Glob", effects="read", reads=_place, version="1")
def glob(pattern: str, context: ToolContext, path: str | None = None) -> str:
    """List files whose path matches a pattern, sorted by path.

    Args:
        pattern: For example ``*.py`` (at any depth), ``src/**/*.ts`` or ``**/*.{md,txt}``.
        path: The folder to look in; the working directory when left out.
        context: Handed in by the kernel.
    """
    root = located(context, path or ".")
    if not root.is_dir():
        raise ToolError(f"{path} is no folder")
    wanted = _pattern(pattern, root, context)
    files = _walk(root, context, _CONTROL)
    names = sorted(file for file in files if wanted.matches(_parts(file, root)))
    if not names:
        return "No files found"
    listed = [shown(name, context.cwd) for name in names[:MAX_NAMES]]
    if len(names) > MAX_NAMES:
        listed.append(f"(… {len(names) - MAX_NAMES} more files: use a narrower pattern or path)")
    return "\n".join(listed)


@tool(name="Grep", effects="read", reads=_place, version="1")
def grep(
    pattern: str,
    context: ToolContext,
    path: str | None = None,
    glob: str | None = None,
    output_mode: Literal["files_with_matches", "content", "count"] = "files_with_matches",
    ignore_case: Annotated[bool, Alias("-i")] = False,
    numbers: Annotated[bool, Alias("-n")] = True,
    after: Annotated[int, Alias("-A")] = 0,
    before: Annotated[int, Alias("-B")] = 0,
    around: Annotated[int, Alias("-C")] = 0,
    head_limit: int | None = None,
    multiline: bool = False,
    type: str | None = None,
) -> str:
    """Search the text of files for a regular expression (Python's syntax), sorted by path.

    Args:
        pattern: The regular expression.
        path: A file or folder; the working directory when left out.
        glob: Only files whose path matches, for example ``*.{js,ts}``.
        output_mode: ``files_with_matches`` lists files, ``content`` lines, ``count`` numbers.
        ignore_case: Upper and lower case are the same.
        numbers: Show line numbers (content only).
        after: Lines to show after each match (content only).
        before: Lines to show before each match (content only).
        around: Lines to show before and after each match (content only).
        head_limit: Show only the first N lines; 250 when left out, 0 for all.
        multiline: Let the expression match across lines.
        type: Only files of a kind: py, js, ts, rust, go, java, md, json, yaml, …
        context: Handed in by the kernel.
    """
    root = located(context, path or ".")
    margins = max(before, around, 0), max(after, around, 0)
    query: Query = {
        "pattern": pattern,
        "ignore_case": ignore_case,
        "multiline": multiline,
        "before": margins[0],
        "after": margins[1],
        "files": sorted(_searched(root, context, glob, type)),
    }
    found, too_large = _find(query, context.timeout_s)
    if output_mode == "content":
        lines = _content(found, None if root.is_file() else context.cwd, numbers, any(margins))
    else:
        counted = output_mode == "count"
        lines = [
            shown(f["file"], context.cwd) + (f":{f['count']}" if counted else "") for f in found
        ]
    return _report(lines, MAX_LINES if head_limit is None else head_limit, too_large, context)


def _find(query: Query, timeout_s: float) -> tuple[list[Found], list[str]]:
    try:
        # A little earlier than the kernel's own limit, so that the reason can be told.
        return find(query, timeout_s * 0.9)
    except re.error as e:
        raise ToolError(f"{query['pattern']!r} is no regular expression: {e}") from e
    except (RecursionError, OverflowError) as e:
        raise ToolError(f"{query['pattern'][:80]!r} is too large an expression") from e
    except TooSlow as e:
        raise ToolError("the search takes too long: a simpler pattern, or fewer files") from e


def _report(
    lines: Sequence[str], limit: int, too_large: Sequence[str], context: ToolContext
) -> str:
    if not lines:
        told = ["No matches found"]
    elif limit > 0 and len(lines) > limit:
        told = [*lines[:limit], f"(… {len(lines) - limit} more lines: set head_limit to see more)"]
    else:
        told = [*lines]
    told += [f"(too large to search: {shown(file, context.cwd)})" for file in too_large]
    return "\n".join(told)


def _content(
    found: Sequence[Found], cwd: Path | None, numbers: bool, with_margins: bool
) -> list[str]:
    """Lines as grep prints them: ``:`` after what matches, ``-`` after what stands around it."""
    told: list[str] = []
    for f in found:
        name = "" if cwd is None else shown(f["file"], cwd)
        last = -1
        for number, matched, text in f["lines"]:
            if with_margins and told and number != last + 1:
                told.append("--")
            mark = ":" if matched else "-"
            heads = ([name] if name else []) + ([str(number)] if numbers else [])
            told.append("".join(f"{head}{mark}" for head in heads) + text)
            last = number
    return told


def _searched(
    root: Path, context: ToolContext, pattern: str | None, kind: str | None
) -> Iterator[str]:
    if kind is not None and kind not in TYPES:
        raise ToolError(f"{kind!r} is no known type; types: {', '.join(TYPES)}")
    if not root.is_dir():
        if not root.is_file():
            raise ToolError(f"there is no file or folder {shown(root, context.cwd)}")
        yield str(root)
        return
    wanted = [_pattern(pattern, root, context)] if pattern else []
    kinds = [Glob(f"**/{name}") for name in TYPES[kind]] if kind else []
    for file in _walk(root, context, _MADE):
        parts = _parts(file, root)
        if all(w.matches(parts) for w in wanted) and (
            not kinds or any(k.matches(parts) for k in kinds)
        ):
            yield file


def _pattern(pattern: str, root: Path, context: ToolContext) -> Glob:
    """A pattern relative to ``root``; without a slash it holds at any depth, as for ripgrep."""
    if pattern.startswith(("/", "~")):
        base = f"{root}/"
        pattern = os.path.expanduser(pattern)
        if not pattern.startswith(base):
            raise ToolError(f"the pattern {pattern} lies outside {root}: give that folder as path")
        return Glob(pattern[len(base) :])
    pattern = pattern.removeprefix("./")
    return Glob(pattern if "/" in pattern else f"**/{pattern}")


def _parts(file: str, root: Path) -> list[str]:
    return file[len(str(root).rstrip("/")) + 1 :].split("/")


def _walk(root: Path, context: ToolContext, skipped: frozenset[str]) -> Iterator[str]:
    """Regular files below ``root``; no symlinks, nothing that is hidden from the run."""
    hidden = context.hidden or _hidden_by_default(context)
    if hidden(root):
        raise ToolError(f"{root} is not searched as a whole: name a file in it")
    todo, seen = [str(root)], 0
    while todo:
        folder = todo.pop()
        below: list[tuple[str, bool]] = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    seen += 1
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name not in skipped:
                            below.append((entry.path, True))
                    elif entry.is_file(follow_symlinks=False):
                        below.append((entry.path, False))
        except OSError:  # may not be listed, or is gone: grep goes on too
            continue
        if seen > MAX_ENTRIES:
            raise ToolError(f"more than {MAX_ENTRIES} files below {root}: give a narrower path")
        for path, is_dir in below:
            if hidden(Path(path)):
                continue
            if is_dir:
                todo.append(path)
            else:
                yield path


def _hidden_by_default(context: ToolContext) -> Callable[[Path], bool]:
    home = Path(os.path.realpath(context.home))
    return lambda path: inside(path, home) or is_secret(path, context.cwd)
