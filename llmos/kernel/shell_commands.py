"""Takes command lines apart, for permission rules. Two readings, for two purposes.

To allow, a line must be understood for certain: `simple_commands` knows plain words, quotes and
the separators between commands, and gives up on everything else. To deny, nothing may be
missed: `fragments` yields everything that might run, with quotes and escapes taken away, and
rather too much. A command line can still hide what it does (``$(echo r)m``), so denying a
command is a guard rail; the wall is the sandbox.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_SEPARATORS = frozenset(";&|\n")
_GIVE_UP = frozenset("\\$`(){}<>")
"""Outside quotes: escapes, expansions, groups and redirections."""

_RESERVED = frozenset(
    {"!", "[[", "]]", "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for"}
    | {"function", "if", "in", "select", "then", "time", "until", "while"}
)
_WRAPPERS = _RESERVED | frozenset(
    {"bash", "builtin", "busybox", "command", "dash", "doas", "env", "eval", "exec", "find"}
    | {"ionice", "nice", "nohup", "parallel", "setsid", "sh", "stdbuf", "sudo", "time"}
    | {"timeout", "unbuffer", "watch", "xargs", "zsh"}
)
"""What runs the words that follow it."""

_LONGEST = 64
"""Words of a wrapped command that are looked at."""

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(\[[^\]]*\])?\+?=.*", re.DOTALL)


def simple_commands(line: str) -> list[list[str]] | None:
    """The words of every command of a line, or None where it is not plain words throughout.

    Plain are words with quoted parts, and ``; & && | || newline`` between commands. Not plain
    are expansions, substitutions, redirections, groups, comments, escapes, assignments before a
    command, a command name with wildcards, and the shell's own keywords.
    """
    commands: list[list[str]] = [[]]
    i = 0
    while i < len(line):
        if line[i] in _SEPARATORS:
            commands.append([])
            i += 1
        elif line[i] in " \t":
            i += 1
        elif (read := _word(line, i)) is not None:
            commands[-1].append(read[0])
            i = read[1]
        else:
            return None
    found = [words for words in commands if words]
    return found if found and all(_is_plain(words[0]) for words in found) else None


def _word(line: str, start: int) -> tuple[str, int] | None:
    if line[start] == "#":
        return None
    parts: list[str] = []
    i = start
    while i < len(line) and line[i] not in " \t" and line[i] not in _SEPARATORS:
        if line[i] in "\"'":
            end = line.find(line[i], i + 1)
            inner = line[i + 1 : end]
            if end < 0 or (line[i] == '"' and re.search(r"[\\$`]", inner)):
                return None
            parts.append(inner)
            i = end + 1
        elif line[i] in _GIVE_UP or (line[i] < " ") or line[i] == "\x7f":
            return None
        else:
            parts.append(line[i])
            i += 1
    return "".join(parts), i


def _is_plain(name: str) -> bool:
    return not (name in _RESERVED or _ASSIGNMENT.fullmatch(name) or re.search(r"[*?\[~]", name))


def joined(words: Sequence[str]) -> str:
    """Words as one text for patterns; one that holds spaces stays recognisable as one."""
    return " ".join(w if w and not re.search(r"\s", w) else f'"{w}"' for w in words)


def fragments(line: str) -> Iterator[str]:
    """Every piece of text that might be run as a command, as words with one space between."""
    yield " ".join(line.split())
    bare = line.replace("\\\n", "")
    bare = re.sub(r"\$\{?IFS\}?", " ", bare)
    bare = re.sub(r"\$(?=[\"'])|[\"'\\]", "", bare)
    readings = {bare, bare.replace(",", " ")} if "{" in bare else {bare}
    for reading in sorted(readings):
        for piece in re.split(r"[;&|\n`(){}<>]", reading):
            yield from _commands_in(piece.split())


def _commands_in(words: list[str]) -> Iterator[str]:
    while words and (_ASSIGNMENT.fullmatch(words[0]) or words[0] == "$"):
        words = words[1:]
    if not words:
        return
    name = words[0].rsplit("/", 1)[-1]
    yield " ".join(words)
    yield " ".join([name, *words[1:]])
    if name in _WRAPPERS:
        # Its own options and arguments are not told apart from the command: any may begin it.
        for i in range(1, len(words)):
            rest = words[i : i + _LONGEST]
            yield " ".join(rest)
            yield " ".join([rest[0].rsplit("/", 1)[-1], *rest[1:]])


def paths_in(line: str) -> Iterator[str]:
    """Every piece of a command line that looks like a path."""
    bare = re.sub(r"\$\{?HOME\}?", "~", re.sub(r"[\"'\\]", "", line))
    for piece in re.split(r"[\s;&|`(){}<>=:,]+", bare):
        if piece.startswith(("/", "~", ".")) or "/" in piece:
            yield piece
