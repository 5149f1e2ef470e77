"""Permission rules in the syntax that agents' users know: ``Bash(git *)``, ``Write(src/**)``.

========================  ==========================================================
``Bash``                  every call of the tool
``mcp__github__*``        every tool whose name matches; ``mcp__github`` alone too
``Bash(git *)``           commands that begin with the word ``git``
``Bash(npm run test:*)``  the same, in the prefix form
``Bash(unsandboxed)``     commands that would run outside the sandbox
``Read(~/notes/**)``      files that any tool reads; also ``Glob`` and ``Grep`` for one tool
``Write(src/**)``         files that any tool writes; ``Edit(…)`` means the same
``WebFetch(domain:x.y)``  pages of ``x.y`` and of its subdomains
========================  ==========================================================

Paths begin at ``/`` (or ``//``), at ``~``, or else at the working directory. As in a
``.gitignore``, one without a slash holds at any depth, and one that names a folder holds for
everything in it. They bind the tools that declare their files; what a shell command reads and
writes is bounded by the sandbox alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from llmos.errors import ConfigError
from llmos.kernel.shell_commands import fragments, joined, simple_commands
from llmos.plugins import ToolError
from llmos.plugins.builtin.web import host_of
from llmos.plugins.paths import Glob, user_home

READS = frozenset({"Read", "Glob", "Grep"})
WRITES = frozenset({"Write", "Edit"})
UNSANDBOXED = "unsandboxed"

_RULE = re.compile(r"([A-Za-z*][\w.*-]*)(?:\((.+)\))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Target:
    """A file or folder that a call reads or writes."""

    path: Path
    """Resolved."""
    names: tuple[Path, ...]
    """The path, and other spellings of it that the call used."""
    tree: bool
    """Everything below it is meant."""
    opaque: bool = True
    """The tool cannot be told to leave out single files of the folder."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call as rules see it."""

    tool: str
    reads: tuple[Target, ...] = ()
    writes: tuple[Target, ...] = ()
    command: str | None = None
    sandboxed: bool = False
    host: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One parsed rule. Made by `parse_rule`."""

    text: str
    name: str
    spec: str | None = None
    globs: tuple[Glob, ...] = field(default=(), repr=False)
    """The path pattern, from the root folder on."""

    @property
    def writes(self) -> bool:
        """Whether this is a rule about paths that are written."""
        return self.name in WRITES and self.spec is not None

    def forbids(self, call: Call) -> bool:
        """Whether any part of ``call`` is meant: for deny and ask."""
        if self.spec is None:
            return self._names(call.tool)
        if self.name == "Bash":
            return call.tool == "Bash" and self._any_command(call)
        if self.name == "WebFetch":
            return call.host is not None and self._host(call.host)
        if self.name in ("Glob", "Grep") and call.tool != self.name:
            return False
        return any(self._may_touch(t) for t in (call.writes if self.writes else call.reads))

    def permits(self, call: Call) -> bool:
        """Whether ``call`` as a whole is meant: for allow. Paths are asked one by one."""
        if self.spec is None:
            return self._names(call.tool)
        if self.name == "Bash":
            return call.tool == "Bash" and self._unsandboxed(call)
        return self.name == "WebFetch" and call.host is not None and self._host(call.host)

    def permits_command(self, words: Sequence[str]) -> bool:
        """Whether one simple command is meant."""
        return self.name == "Bash" and self.spec is not None and self._command(joined(words))

    def permits_path(self, target: Target, tool: str, write: bool) -> bool:
        """Whether all of ``target`` is meant."""
        if self.spec is None or not self.globs or self.writes is not write:
            return False
        if self.name in ("Glob", "Grep") and tool != self.name:
            return False
        parts = target.path.parts[1:]
        # Names that no pattern spells out stand for whatever lies in the folder.
        inner = [(*parts, "\x00"), (*parts, "\x00", "\x00")] if target.tree else [parts]
        return any(all(g.covers(p) for p in inner) for g in self.globs)

    def hides(self, path: Path) -> bool:
        """Whether a single file is meant by a rule about reading or searching."""
        return self.name in READS and any(g.covers(path.parts[1:]) for g in self.globs)

    def _names(self, tool: str) -> bool:
        server = self.name.startswith("mcp__") and self.name.count("__") == 1
        return fnmatchcase(tool, self.name) or (server and tool.startswith(f"{self.name}__"))

    def _may_touch(self, target: Target) -> bool:
        for path in target.names:
            parts = path.parts[1:]
            for g in self.globs:
                if g.covers(parts) or (target.tree and g.covers((*parts, "\x00"))):
                    return True
                if target.tree and target.opaque and g.reaches_below(parts):
                    return True
        return False

    def _unsandboxed(self, call: Call) -> bool:
        return self.spec == UNSANDBOXED and not call.sandboxed

    def _any_command(self, call: Call) -> bool:
        if call.command is None or self.spec == UNSANDBOXED:
            return self._unsandboxed(call)
        plain = [joined(words) for words in simple_commands(call.command) or ()]
        return any(map(self._command, [*plain, *fragments(call.command)]))

    def _command(self, text: str) -> bool:
        spec = self.spec or ""
        for suffix in (":*", " *"):
            if spec.endswith(suffix) and _stars(spec.removesuffix(suffix), text):
                return True
        if spec.endswith(":*"):
            return _stars(f"{spec.removesuffix(':*')} *", text) or _stars(spec, text)
        return _stars(spec, text)

    def _host(self, host: str) -> bool:
        return host == self.spec or host.endswith(f".{self.spec}")


def parse_rules(texts: Iterable[str], cwd: Path, *, widely: bool) -> tuple[Rule, ...]:
    """Parse rules.

    Args:
        texts: The rules.
        cwd: Where relative paths begin, resolved.
        widely: A path means also the place its symlinks lead to. For deny and ask only: an
            earlier run may have made the link, to widen what an allow rule means.

    Raises:
        ConfigError: One is malformed; the message names it.
    """
    return tuple(parse_rule(text, cwd, widely=widely) for text in texts)


def parse_rule(text: str, cwd: Path, *, widely: bool = False) -> Rule:
    """Parse one rule, see `parse_rules`.

    Raises:
        ConfigError: It is malformed; the message names it.
    """
    found = _RULE.fullmatch(text.strip())
    if found is None:
        raise _malformed(text, "write Tool or Tool(pattern), for example Bash(git *)")
    name, spec = found.group(1), found.group(2)
    if spec is not None:
        spec = spec.strip()
        if not spec or "\0" in spec:
            raise _malformed(text, "the parentheses hold no pattern")
    if spec is None or (spec == "*" and name == "Bash"):
        return Rule(text, name)
    if name in READS | WRITES:
        return Rule(text, name, spec, _globs(text, spec, cwd, widely))
    if name == "WebFetch":
        return Rule(text, name, _domain(text, spec))
    if name == "Bash":
        if spec.removesuffix(":*").strip(" *") == "":
            raise _malformed(text, "to mean every command, write Bash")
        return Rule(text, name, spec)
    takers = ", ".join(("Bash", *sorted(READS | WRITES), "WebFetch"))
    raise _malformed(text, f"only these take a pattern: {takers}")


def _malformed(text: str, hint: str) -> ConfigError:
    return ConfigError(f"permission rule {text!r} cannot be used", hint)


def _domain(text: str, spec: str) -> str:
    kind, colon, host = spec.partition(":")
    if kind != "domain" or not colon:
        raise _malformed(text, "write WebFetch(domain:example.org)")
    try:
        return host_of(f"https://{host.strip().removeprefix('*.')}/")
    except ToolError as e:
        raise _malformed(text, e.message) from e


def _globs(text: str, spec: str, cwd: Path, widely: bool) -> tuple[Glob, ...]:
    """The pattern from the root folder on: as spelled, and perhaps as its folders really are."""
    anywhere = "/" not in spec.rstrip("/") and not spec.startswith("~")
    if spec.startswith("~"):
        if spec != "~" and not spec.startswith("~/"):
            raise _malformed(text, "~ stands for your own home folder: ~/…")
        base, rest = user_home(), spec[2:]
    elif spec.startswith("/"):
        base, rest = Path("/"), spec.lstrip("/")
    else:
        base, rest = cwd, f"**/{spec}" if anywhere else spec
    literal: list[str] = []
    names = [name for name in rest.split("/") if name not in ("", ".")]
    while names and not re.search(r"[*?\[{]", names[0]):
        literal.append(names.pop(0))
    start = os.path.normpath(base.joinpath(*literal))
    starts = {start, os.path.realpath(start)} if widely else {start}
    return tuple(Glob("/".join(names), Path(s).parts[1:]) for s in sorted(starts))


def _stars(pattern: str, text: str) -> bool:
    """Whether ``text`` matches ``pattern``, where ``*`` is any text. Takes linear time."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    if not text.startswith(first):
        return False
    at = len(first)
    *middle, last = rest
    for part in middle:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(text) - len(last) >= at and text.endswith(last)
