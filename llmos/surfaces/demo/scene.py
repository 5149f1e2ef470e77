"""What the story plays with: folders, files, three LLM OS on one home, and who may run what."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llmos.boot import LLMOS
from llmos.kernel.permissions import Approval, ApprovalRequest, Approver
from llmos.surfaces.demo.families import Family
from llmos.surfaces.demo.jobs import Job
from llmos.surfaces.demo.recording import Recording, expand
from llmos.values import Context, Done, Effect, Event, Limits, RunResult, Syscalls, Trace


@dataclass(frozen=True)
class Scene:
    """Everything a chapter needs."""

    folder: Path
    learning: LLMOS
    """Does jobs for the first time: with recordings, or with the configured model."""
    following: LLMOS
    """Does them again: without any model, or with the configured one to take over."""
    teaching: LLMOS
    """Does the lessons that were made for this demo, so that a night has something to learn."""
    jobs: tuple[Job, ...]
    processor: str
    """Name of what does the first runs."""
    recordings: Mapping[str, Recording] = field(default_factory=dict)
    """By the name of the job; empty when the story is told live."""
    no_sandbox: str | None = None
    """Why ``Bash`` runs without a sandbox here; None when it has one."""
    processors: Sequence[tuple[str, str | None]] = ()
    """Which models could take part on this machine, and why each cannot."""

    @property
    def live(self) -> bool:
        """Whether a real model takes part."""
        return not self.recordings

    def first(self, job: Job) -> Path:
        """Where a job is done for the first time."""
        return self.folder / "first" / job.name

    def again(self, job: Job) -> Path:
        """Where it is done again: a fresh copy of its files."""
        return self.folder / "again" / job.name

    def changed(self, job: Job) -> Path:
        """Where it is done, and then a file is edited."""
        return self.folder / "changed" / job.name

    def lesson(self, family: Family, number: int) -> Path:
        """Where a goal of a family is done before the night."""
        return self.folder / "lessons" / f"{family.name}-{number}"

    def later(self, family: Family, number: int) -> Path:
        """Where a new goal of it is done after the night."""
        return self.folder / "later" / f"{family.name}-{number}"

    def near_miss(self, family: Family) -> Path:
        """Where a goal comes that is nearly of the family."""
        return self.folder / "near-miss" / family.name


@dataclass(frozen=True)
class Twice:
    """A job that was done twice."""

    job: Job
    first: RunResult
    second: RunResult
    trace: Trace
    """Of the first run, as it is stored."""
    fresh: Mapping[str, str]
    """State of the copy before the second run."""


@dataclass(frozen=True)
class Served:
    """A new goal that a learned tool has done."""

    family: Family
    result: RunResult


class Nobody:
    """Stands where a model would: so that nothing in the recorded story can spend a token."""

    name = "nobody"
    free = True

    async def run(
        self, goal: str, context: Context, syscalls: Syscalls, limits: Limits
    ) -> AsyncIterator[Event]:
        """Say that nobody is here."""
        yield Done("", stop="error", error="no model takes part in this chapter")

    async def aclose(self) -> None:
        """Nothing to release."""


def own_calls_only(recordings: Mapping[str, Recording]) -> Approver:
    """An approver that lets pass what the recordings themselves hold, and nothing else."""

    async def approve(request: ApprovalRequest) -> Approval:
        context = Context(request.context.now, request.context.cwd)
        wanted = (request.tool.name, dict(request.arguments))
        for recording in recordings.values():
            for step in recording.trace.steps:
                if (step.tool, expand(dict(step.arguments), context)) == wanted:
                    return Approval("approve", "the demo's own recorded call")
        return Approval("reject", "the demo approves only the calls of its recordings")

    return approve


def state_of(folder: Path) -> dict[str, str]:
    """Digest and permission bits of every file below a folder, by relative path."""
    return {
        str(path.relative_to(folder)): f"{path.stat().st_mode & 0o777:o} {_digest(path)}"
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def is_open(trace: Trace) -> bool:
    """Whether some step may have done what nobody observed: a command without a sandbox."""
    return any(step.effect is Effect.EXTERNAL for step in trace.steps)


def guards(trace: Trace, name: str) -> bool:
    """Whether a replay of a stored trace notices a change of the file ``name``."""
    wanted = {f"file:$CWD/{name}", "tree:$CWD"}
    return any(
        step.effect is not Effect.EXTERNAL and wanted & step.footprint.reads.keys()
        for step in trace.steps
    )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
