"""Which calls may be made: what no rule can lift, then deny, ask and allow rules, then defaults.

The defaults: reading is allowed except where keys and tokens lie (ask); writing is allowed inside
the working directory; what works elsewhere (``external``), and a shell without sandbox, asks.
Nothing touches the home of LLM OS.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from llmos.errors import LLMOSError
from llmos.kernel.rules import READS, UNSANDBOXED, Call, Rule, Target, parse_rules
from llmos.kernel.shell_commands import paths_in, simple_commands
from llmos.plugins import Tool, ToolContext, ToolError
from llmos.plugins.builtin.web import host_of
from llmos.plugins.paths import inside, is_secret, really_inside, resolve, spelled
from llmos.values import Effect, Json, Resources

Ruling = Literal["allow", "ask", "deny"]

CAUTIOUS = "cautious"
"""Name of the built-in rule that asks before external writes while the internal state is low."""

_PATH_ARGUMENTS = ("file_path", "path")


@dataclass(frozen=True, slots=True)
class Permission:
    """What was decided about one call, and by which rule."""

    decision: Ruling
    rule: str
    """The rule as it was written, or the name of a built-in one."""
    explanation: str
    """One line for people and models, with what to do about it."""


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """A call that a person, or a program in their place, is asked about."""

    tool: Tool
    arguments: Mapping[str, Json]
    context: ToolContext
    permission: Permission


@dataclass(frozen=True, slots=True)
class Approval:
    """The answer to an `ApprovalRequest`."""

    decision: Literal["approve", "modify", "reject", "escalate"]
    """``modify`` runs it with other arguments; ``escalate`` leaves it to somebody else."""
    explanation: str = ""
    arguments: Mapping[str, Json] | None = None
    """The arguments to use instead, with ``modify``."""


class Approver(Protocol):
    """Answers for the person when a call asks."""

    async def __call__(self, request: ApprovalRequest) -> Approval:
        """Decide about one call."""
        ...


async def reject_all(request: ApprovalRequest) -> Approval:
    """The approver where nobody can be asked: rejects, and names the rule that would allow."""
    return Approval("reject", f"nobody can be asked here: {request.permission.explanation}")


def for_reads(approver: Approver) -> Approver:
    """An approver for looking ahead: writes are not made, so that nobody is asked about them."""

    async def decide(request: ApprovalRequest) -> Approval:
        if request.tool.effect.writes:
            return Approval("approve", "it is not made")
        return await approver(request)

    return decide


class _Concern(NamedTuple):
    """A default that stands against a call."""

    decision: Literal["ask", "deny"]
    rule: str
    explanation: str


class Permissions:
    """The rules of one run.

    Args:
        allow: Rules that let a call pass without asking.
        ask: Rules that ask each time.
        deny: Rules that refuse; they win over ask, and ask wins over allow.
        cwd: The run's working directory.
        home: Home of LLM OS; no rule opens it.
        ask_external: Why what acts outside this machine asks although a rule allows it; "" for no.

    Raises:
        ConfigError: A rule is malformed; the message names it.
    """

    def __init__(
        self,
        allow: Sequence[str] = (),
        ask: Sequence[str] = (),
        deny: Sequence[str] = (),
        *,
        cwd: Path,
        home: Path,
        ask_external: str = "",
    ) -> None:
        self._ask_external = ask_external
        self.cwd = resolve(Path("/"), str(cwd))
        self.home = resolve(Path("/"), str(home))
        self._allow = parse_rules(allow, self.cwd, widely=False)
        self._ask = parse_rules(ask, self.cwd, widely=True)
        self._deny = parse_rules(deny, self.cwd, widely=True)

    def decide(self, tool: Tool, arguments: Mapping[str, Json], context: ToolContext) -> Permission:
        """Whether ``tool`` may be called with ``arguments``, which fit its schema."""
        try:
            call = self._call(tool, arguments, context)
            home = self._touches_home(call)
        except LLMOSError as e:
            return Permission("deny", "arguments", e.message)
        except Exception as e:  # a plugin's own function that declares resources
            reason = f"{tool.name} cannot tell what it reads and writes: {type(e).__name__}: {e}"
            return Permission("deny", "resources", reason)
        if home:
            return Permission("deny", "home", home)
        for rule in self._deny:
            if rule.forbids(call):
                return Permission("deny", rule.text, f"the rule {rule.text} denies this")
        for concern in self._outside(call):
            return Permission(*concern)
        for rule in self._ask:
            if rule.forbids(call):
                return Permission("ask", rule.text, f"the rule {rule.text} asks before this")
        return self._default(tool, call)

    def hides(self, path: Path) -> bool:
        """Whether a file or folder must be left out when a folder is searched as a whole."""
        if inside(path, self.home) or any(r.hides(path) for r in (*self._deny, *self._ask)):
            return True
        return is_secret(path, self.cwd) and not _opened(self._allow, _target(path), "Read", False)

    def _default(self, tool: Tool, call: Call) -> Permission:
        for concern in self._secrets(call):
            return Permission(*concern)
        allowed_by = self._allowed_by(call)
        if tool.effect is Effect.EXTERNAL and allowed_by is None:
            return Permission(*_external(call))
        if tool.effect is Effect.EXTERNAL and self._ask_external:
            return Permission("ask", CAUTIOUS, f"{self._ask_external}; see `llmos state`")
        if allowed_by is not None:
            return Permission("allow", allowed_by, f"the rule {allowed_by} allows this")
        return Permission("allow", "default", f"a tool with effect {tool.effect.value} may do this")

    def _allowed_by(self, call: Call) -> str | None:
        for rule in self._allow:
            if rule.permits(call):
                return rule.text
        if call.command is None:
            return None
        used: list[str] = []
        for words in simple_commands(call.command) or ():
            rule_text = next((r.text for r in self._allow if r.permits_command(words)), None)
            if rule_text is None:
                return None
            used.append(rule_text)
        return ", ".join(dict.fromkeys(used)) or None

    def _outside(self, call: Call) -> Iterator[_Concern]:
        for target in call.writes:
            # Whoever asks to be asked about a place does not want it denied.
            if inside(target.path, self.cwd) or _opened(
                (*self._allow, *self._ask), target, call.tool, write=True
            ):
                continue
            folder = target.path if target.tree else target.path.parent
            why = f"{target.path} lies outside the working directory {self.cwd}"
            how = f"to allow it, add the rule Write({folder}/**)"
            yield _Concern("deny", "outside", f"{why}; {how}")

    def _secrets(self, call: Call) -> Iterator[_Concern]:
        for target, write in _each(call):
            if is_secret(target.path, self.cwd) and not _opened(
                self._allow, target, call.tool, write
            ):
                rule = f"{'Write' if write else 'Read'}({target.path})"
                why = f"{target.path} is a place of keys, tokens or passwords"
                yield _Concern("ask", "secret", f"{why}; to allow it, add the rule {rule}")

    def _touches_home(self, call: Call) -> str:
        denied = f"{self.home} is the home of LLM OS: no tool may touch it"
        for target, write in _each(call):
            # In the sandbox the home cannot be seen, even where the folder holds it.
            around = write and target.tree and not call.sandboxed
            if really_inside(target.path, self.home) or (around and inside(self.home, target.path)):
                return denied
        if call.command is not None and not call.sandboxed:
            if str(self.home) in call.command:
                return denied
            for text in paths_in(call.command):
                if really_inside(resolve(self.cwd, text), self.home):
                    return denied
        return ""

    def _call(self, tool: Tool, arguments: Mapping[str, Json], context: ToolContext) -> Call:
        declared = tool.resources(context, arguments) or Resources()
        spellings = [arguments.get(name) for name in _PATH_ARGUMENTS]
        names = [spelled(context.cwd, s) for s in spellings if isinstance(s, str) and s]
        # Glob and Grep leave out what `hides` tells them, if they were handed it.
        opaque = not (tool.name in READS and context.hidden is not None)
        is_shell = tool.name == "Bash"
        if is_shell and "\0" in str(arguments.get("command")):
            raise ToolError("a command cannot hold a NUL character")
        url = arguments.get("url")
        return Call(
            tool.name,
            tuple(self._targets(declared.reads, names, opaque and not is_shell)),
            tuple(self._targets(declared.writes, names, not is_shell)),
            command=str(arguments.get("command", "")) if is_shell else None,
            sandboxed=tool.sandboxed,
            host=host_of(str(url)) if tool.name == "WebFetch" and url is not None else None,
        )

    def _targets(
        self, resources: Sequence[str], names: Sequence[Path], opaque: bool
    ) -> Iterator[Target]:
        for resource in resources:
            scheme, _, text = resource.partition(":")
            if scheme in ("file", "tree"):
                try:
                    path = resolve(self.cwd, text)
                except ValueError as e:
                    raise ToolError(str(e)) from e
                yield Target(path, (path, *names), scheme == "tree", opaque)


def _opened(rules: Sequence[Rule], target: Target, tool: str, write: bool) -> bool:
    return any(rule.permits_path(target, tool, write) for rule in rules)


def _target(path: Path) -> Target:
    return Target(path, (path,), tree=False)


def _each(call: Call) -> Iterator[tuple[Target, bool]]:
    yield from ((target, False) for target in call.reads)
    yield from ((target, True) for target in call.writes)


def _external(call: Call) -> _Concern:
    if call.command is None:
        why = f"{call.tool} acts on something outside this machine"
        return _Concern("ask", "external", f"{why}; to allow it, add the rule {call.tool}")
    commands = simple_commands(call.command)
    how = f"add the rule Bash({commands[0][0]} *)" if commands else "add the rule Bash"
    why = "the command would run without a sandbox"
    return _Concern("ask", UNSANDBOXED, f"{why}; to allow it, install bubblewrap or {how}")
