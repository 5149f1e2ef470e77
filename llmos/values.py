"""Value types and Protocols that all rooms share.

Nothing here does input or output. Values are frozen; a changed value is a new one
(`dataclasses.replace`).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Protocol

from llmos.errors import UserError

Json = Any
"""A JSON value: None, bool, int, float, str, list or dict with str keys."""

Clock = Callable[[], datetime]
"""Returns the present as an aware datetime. Injected everywhere, so that tests own time."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def check_name(name: str, what: str) -> str:
    """Return ``name`` if it is a safe user, team or artifact name.

    Args:
        name: The candidate. Must match ``[a-z0-9][a-z0-9._-]{0,63}``: it may become part of a path.
        what: What it names, for the error (``"user id"``).

    Raises:
        UserError: If it does not match.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UserError(
            f"{what} {str(name)[:80]!r} is not a usable name",
            "use 1 to 64 of: small letters, digits, '.', '_', '-'; the first a letter or digit",
        )
    return name


def utc_now() -> datetime:
    """The wall clock, aware, in UTC."""
    return datetime.now(UTC)


class Effect(StrEnum):
    """What a tool does to the world, from harmless to irrevocable."""

    READ = "read"
    """A function of a state that nobody else changes silently during a run."""
    OPEN_READ = "open_read"
    """Web, clock, random: may differ every time."""
    WRITE = "write"
    """A local change; undoable when the kernel journals it or the tool brings ``undo=``."""
    EXTERNAL = "external"
    """Everything else: mail, payments, remote systems. What is not known is external."""

    @property
    def writes(self) -> bool:
        """Whether a call may change something."""
        return self in (Effect.WRITE, Effect.EXTERNAL)


class Verdict(StrEnum):
    """What is known of a run's success, by rank of evidence."""

    VERIFIED = "verified"
    """A check passed."""
    CONFIRMED = "confirmed"
    """A person said so."""
    COMPLETED = "completed"
    """No error, nothing else known. A model's own "done" is at most this."""
    FAILED = "failed"
    """The run ended with an error, or a limit stopped it."""
    REFUTED = "refuted"
    """A person or a check said that the result is wrong."""

    @property
    def good(self) -> bool:
        """Whether a trace with this verdict may be followed at all."""
        return self in (Verdict.VERIFIED, Verdict.CONFIRMED, Verdict.COMPLETED)

    @property
    def evidence(self) -> bool:
        """Whether somebody or something other than the model vouched for the run."""
        return self in (Verdict.VERIFIED, Verdict.CONFIRMED)


class Mode(StrEnum):
    """How a goal is executed."""

    CRYSTALLIZED = "CRYSTALLIZED"
    """A learned tool whose template the goal fits does it: zero tokens."""
    FOLLOWER = "FOLLOWER"
    """A trace of the same goal is replayed under guards: zero tokens."""
    MIXED = "MIXED"
    """The model works with a trace as a worked example, or goes on after a side exit."""
    LEARNER = "LEARNER"
    """The model works alone."""
    ORCHESTRATOR = "ORCHESTRATOR"
    """The goal is taken apart, and every part is dispatched again."""


class AuditOutcome(StrEnum):
    """How a model's run compares with the free run in whose place it was made."""

    AGREED = "agreed"
    """It wrote what the free run would have written."""
    DISAGREED = "disagreed"
    INCOMPARABLE = "not_comparable"
    """The model failed, or the free run would have stopped: this says nothing."""


class EventType(StrEnum):
    """Facts that are written down in the transaction that makes them true."""

    CRON_STARTED = "CRON_STARTED"
    CRON_STOPPED = "CRON_STOPPED"
    CYCLE_BEGIN = "CYCLE_BEGIN"
    CYCLE_END = "CYCLE_END"
    TASK_STARTED = "TASK_STARTED"
    TASK_COMPLETED = "TASK_COMPLETED"
    TASK_FAILED = "TASK_FAILED"
    ARTIFACT_CREATED = "ARTIFACT_CREATED"
    ARTIFACT_EVOLVED = "ARTIFACT_EVOLVED"
    ARTIFACT_PROMOTED = "ARTIFACT_PROMOTED"
    ARTIFACT_DELETED = "ARTIFACT_DELETED"
    PROPOSAL_CREATED = "PROPOSAL_CREATED"
    PROPOSAL_APPLIED = "PROPOSAL_APPLIED"
    PROPOSAL_REJECTED = "PROPOSAL_REJECTED"
    INSIGHT_GENERATED = "INSIGHT_GENERATED"
    SUGGESTION_CREATED = "SUGGESTION_CREATED"
    SYSTEM_ALERT = "SYSTEM_ALERT"
    HEALTH_CHECK = "HEALTH_CHECK"


class ArtifactType(StrEnum):
    """The five kinds of artifact that a volume holds."""

    TRACE = "trace"
    TOOL = "tool"
    AGENT = "agent"
    INSIGHT = "insight"
    SUGGESTION = "suggestion"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or more model calls."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """All tokens that the provider counted, cached ones included."""
        return (
            self.input_tokens
            + self.output_tokens
            + self.cache_read_tokens
            + self.cache_write_tokens
        )

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
        )


@dataclass(frozen=True, slots=True)
class Resources:
    """What a call will read and write, as the tool declares it.

    Resource ids are ``scheme:path``. The kernel understands ``file:/abs/path`` (one file) and
    ``tree:/abs/dir`` (everything below a folder); any other scheme is compared by name, where a
    path contains what lies below it (``calendar:alice`` contains ``calendar:alice/7``).
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """One resource that a call wrote. Digests are SHA-256 hex; ``None`` means absent."""

    resource: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a call really read and wrote, observed by the kernel."""

    reads: Mapping[str, str | None] = field(default_factory=dict)
    """Resource to digest at the call. A ``tree:`` digest leaves out what the run wrote."""
    writes: tuple[Change, ...] = ()
    undoable: bool = False
    """Whether the kernel (or the tool's ``undo``) can take the writes back."""


@dataclass(frozen=True, slots=True)
class Step:
    """One system call and what came back."""

    tool: str
    arguments: Mapping[str, Json]
    observation: Json = None
    is_error: bool = False
    effect: Effect = Effect.EXTERNAL
    footprint: Footprint = field(default_factory=Footprint)
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Trace:
    """The record of one run.

    Strings hold ``$CWD``, ``$HOME`` and ``$TMP`` in place of those folders once the trace has
    been stored (`llmos.kernel.places`).
    """

    goal: str
    steps: tuple[Step, ...] = ()
    output: str = ""
    verdict: Verdict = Verdict.COMPLETED
    now: datetime = field(default_factory=utc_now)
    """What the run's clock said when it began."""
    id: str = ""
    user_id: str = ""
    team_id: str | None = None
    agent: str = ""
    """What the model worked as, with its version: ``coder@1f2e3d4c5b6a``; ``""``: the default."""
    mode: Mode = Mode.LEARNER
    model: str = ""
    usage: Usage = field(default_factory=Usage)
    cost_usd: float = 0.0
    duration_s: float = 0.0
    cwd: str = ""
    """The working directory of the run, absolute."""
    context_digest: str = ""
    """Digest of what else the model saw; ``""`` when that was nothing."""
    tools: Mapping[str, str] = field(default_factory=dict)
    """Digest of every tool the run used, by name."""
    check: str | None = None
    """The shell command that verified the run, or None."""
    source: str = "run"
    """Where the trace came from: ``run``, ``replay:<trace id>``, ``learn``, ``import:<file>``."""
    error: str = ""
    part_of: str = ""
    """Id of the run of the plan that it is a part of."""
    prefix: int = 0
    """Steps that a replay or a learned tool had made before the model took over."""
    quarantined: bool = False
    """A refutation or a failed replay has taken the trace out of use."""
    project: str = ""
    """Name of the project that it was done in."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the dispatcher chose and why; printed by ``llmos explain``."""

    mode: Mode
    confidence: float
    source: str | None = None
    """Id of the trace that is followed or shown to the model."""
    bindings: Mapping[str, Json] = field(default_factory=dict)
    reason: str = ""
    refused: tuple[str, ...] = ()
    """Candidates that were looked at and why each was not followed."""
    otherwise: str | None = None
    """Id of the trace that is followed if the learned tool stops before it has written."""
    audit_rate: float = 0.0
    """Chance that a model does it instead, to be compared; 0 where nothing would be free."""
    explored: bool = False
    """Another agent than the best known is tried (``--agent auto``)."""


@dataclass(frozen=True, slots=True)
class Audit:
    """A run that could have been free and was made by a model, as a sample."""

    source: str
    """What would have made it: ``tool:name@digest`` or ``replay:<trace id>``."""
    outcome: AuditOutcome
    detail: str = ""
    """What differed, or why it cannot be compared."""
    extra: bool = False
    """Drawn only because something went wrong of late; no share is estimated from it."""


@dataclass(frozen=True, slots=True)
class SideExit:
    """A guard failed and the replay stopped."""

    step: int
    """Index, in the recorded trace, of the first step that was not executed."""
    reason: str
    committed: tuple[Step, ...] = ()
    """The steps that were executed, with their live observations."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """What `LLMOS.execute` returns."""

    trace_id: str
    goal: str
    mode: Mode
    success: bool
    verdict: Verdict
    output: str
    steps: tuple[Step, ...]
    usage: Usage
    cost_usd: float
    duration_s: float
    decision: Decision
    side_exit: SideExit | None = None
    already_done: bool = False
    error: str = ""
    warnings: tuple[str, ...] = ()
    """What cannot be undone, what ran without a sandbox, and the like."""
    audit: Audit | None = None
    """How it compares with a free run, where it was drawn for that."""
    noted: tuple[str, ...] = ()
    """What was noted as a fact, since the goal says that it holds beyond this run."""


# --- what a processor is given, and what it says ---------------------------------------------


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as a model sees it."""

    name: str
    description: str
    parameters: Mapping[str, Json]
    """JSON schema of the arguments, an object."""
    effect: Effect = Effect.EXTERNAL


@dataclass(frozen=True, slots=True)
class CallResult:
    """What a system call came back with."""

    observation: Json
    is_error: bool = False
    step: int | None = None
    """Index of the recorded step; None when the call was refused before it ran."""

    @property
    def text(self) -> str:
        """The observation as the text a model reads."""
        import json

        if isinstance(self.observation, str):
            return self.observation
        return json.dumps(self.observation, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier exchange of the session that the model is shown."""

    goal: str
    output: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What one processor run may use up. The kernel enforces all of it as well."""

    max_cost_usd: float = 5.0
    max_turns: int = 50
    max_output_tokens: int = 4096
    """For one model call."""
    wall_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Context:
    """What the model is shown beside the goal and the tools."""

    now: datetime
    cwd: Path
    system: str = ""
    """Instructions that precede everything else."""
    turns: tuple[Turn, ...] = ()
    prefix: tuple[Step, ...] = ()
    """Steps that are already done in this run; they must not be done again."""
    examples: tuple[Trace, ...] = ()
    """Worked examples: traces of near goals, or the one whose replay stopped."""
    note: str = ""
    """Why the model is called in, for example the reason of a side exit."""
    model: str = ""
    """Which model is wanted; a processor that cannot choose works with its own."""


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of what the model says while it works."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model asks for a tool; emitted before the system call is made."""

    id: str
    tool: str
    arguments: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What the system call for ``id`` came back with."""

    id: str
    tool: str
    observation: Json
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Spent:
    """One model call is paid for; told at once, so that a crash loses no cent."""

    usage: Usage
    cost_usd: float


Stop = Literal["end", "limit", "error"]
"""``end``: the model finished; ``limit``: cost, turns, tokens; ``error``: anything else."""


@dataclass(frozen=True, slots=True)
class Done:
    """The last event of every processor run, exactly once."""

    output: str
    usage: Usage = field(default_factory=Usage)
    """Of the whole run, what `Spent` reported included."""
    cost_usd: float = 0.0
    """Of the whole run, likewise."""
    stop: Stop = "end"
    model: str = ""
    error: str = ""
    """One line for a person when ``stop`` is not ``end``."""


@dataclass(frozen=True, slots=True)
class PartBegan:
    """A part of a plan begins."""

    id: str
    goal: str


@dataclass(frozen=True, slots=True)
class PartEnded:
    """A part of a plan has ended."""

    id: str
    goal: str
    result: RunResult | None
    """None where its run could not even begin."""
    error: str = ""
    """One line for a person where it has not gone well."""


Event = Text | ToolCall | ToolResult | Spent | Done | PartBegan | PartEnded


class Syscalls(Protocol):
    """The only way from a processor to the world."""

    def tools(self) -> Sequence[ToolSpec]:
        """The tools that this run may call, as its model is shown them; they may become more."""
        ...

    async def call(self, tool: str, arguments: Mapping[str, Json]) -> CallResult:
        """Make one system call.

        Errors of the tool, refused permissions and bad arguments come back as a result with
        ``is_error``: the model can read them and go on.

        Raises:
            RunStopped: The run is over (limit, loop, cancel); the processor must stop.
            LowBatteryError: The budget is gone; the processor must stop.
        """
        ...


class Processor(Protocol):
    """A language model that works towards a goal through system calls.

    One whose tokens cost nothing (a model on this machine) may say so by an attribute
    ``free = True``; no budget is asked for it then. One that asks `Syscalls.tools` again before
    every model call may say so by ``rereads_tools = True``: what its model finds by a search can
    be called by name then. ``writes_programs = True`` says that its model may be offered to send
    programs.
    """

    name: str
    """Short name in settings and reports: ``recorded``, ``claude``, ``pydantic_ai``, ``local``."""

    def run(
        self, goal: str, context: Context, syscalls: Syscalls, limits: Limits
    ) -> AsyncIterator[Event]:
        """Work towards ``goal`` and yield events; the last one is `Done`, exactly once.

        The processor runs no tool itself. It never raises for what the provider did wrong (not
        logged in, overload, garbage): that is ``Done(stop="error", error="one line")``.
        `RunStopped`, `LowBatteryError` and cancellation pass through unchanged.
        """
        ...

    async def aclose(self) -> None:
        """Release connections, processes and memory. Idempotent."""
        ...
