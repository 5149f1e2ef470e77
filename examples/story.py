"""The story that every example tells: the first time, the second time, a changed world, undo.

Each chapter does what it tells and claims only what it has looked at; a claim that does not hold
makes the example fail.
"""

from __future__ import annotations

from dataclasses import replace

from examples.stage import BY_HAND, Stage
from llmos.surfaces.demo import facts
from llmos.surfaces.demo.jobs import Job
from llmos.surfaces.demo.price import tokens
from llmos.surfaces.demo.scene import is_open, state_of
from llmos.surfaces.demo.teller import Teller
from llmos.values import Mode, RunResult, Verdict


class Story:
    """Tells what happens to one job.

    Args:
        stage: What it plays with.
        teller: Who hears it.
        job: The job.
    """

    def __init__(self, stage: Stage, teller: Teller, job: Job) -> None:
        self._stage = stage
        self._teller = teller
        self._job = job

    async def tell(self) -> None:
        """All chapters, in order; what a failed first run leaves nothing to tell of is left out."""
        self._teller.chapter(f"1  The first time: “{self._job.goal}”")
        first = await first_run(self._stage, self._teller, self._job)
        if first.success:
            await self._second_time(first)
            await self._changed_world(first)

    # --- the second time, and undo ------------------------------------------------------------

    async def _second_time(self, first: RunResult) -> None:
        self._teller.chapter("2  The second time, in a fresh copy of the files")
        cwd = self._stage.lay_out(self._job, "again")
        fresh = state_of(cwd)
        second = await self._stage.following.execute(self._job.goal, cwd=cwd)
        self._teller.claim(
            f"followed: {tokens(second.usage)} tokens, {facts.ms(second.duration_s)}, the check "
            f"passed again{facts.unless_good(second)}",
            second.mode is Mode.FOLLOWER
            and second.verdict is Verdict.VERIFIED
            and second.usage.total_tokens == 0,
        )
        self._teller.chapter("3  Undo")
        if self._open(first):
            self._teller.say(f"– a command ran without a sandbox ({self._stage.no_sandbox}): what")
            self._teller.say("  it did is not known, so nobody promises to take it back")
            return
        undone = await self._stage.following.undo(second.trace_id)
        names = [facts.inside(path, cwd) for path in (*undone.restored, *undone.removed)]
        self._teller.claim(
            f"the second run is taken back ({', '.join(names)}): every file is as it was before",
            state_of(cwd) == fresh and not undone.left,
        )

    # --- a changed world ----------------------------------------------------------------------

    async def _changed_world(self, first: RunResult) -> None:
        self._teller.chapter("4  The world has changed: somebody has edited a file")
        job = replace(self._job, files=dict(self._job.files) | dict(self._job.edits))
        cwd = self._stage.lay_out(job, "changed")
        for name, content in self._job.edits.items():
            self._teller.say(f"{name}:")
            for line in facts.difference(self._job.files[name], content):
                self._teller.say(line, indent=4)
        if self._open(first):
            self._teller.say("– without a sandbox nobody knows what the command read: not promised")
            return
        before = state_of(cwd)
        result = await self._stage.following.execute(job.goal, check=job.check, cwd=cwd)
        stopped = result.side_exit
        self._teller.claim(
            f"the replay stopped before it wrote anything: {facts.reason(result, cwd)}",
            stopped is not None and not any(step.effect.writes for step in stopped.committed),
        )
        if self._stage.live:
            told = f"the model took over: {tokens(result.usage)} tokens, the check of the changed"
            right = result.verdict is Verdict.VERIFIED
            self._teller.claim(f"{told} files passed{facts.unless_good(result)}", right)
        else:
            self._teller.claim(
                "a model would take over here; none takes part, so every file is as it was, and "
                "nobody calls it a success",
                state_of(cwd) == before and not result.success and not result.usage.total_tokens,
            )

    def _open(self, first: RunResult) -> bool:
        return is_open(self._stage.following.traces.get(first.trace_id))


async def first_run(stage: Stage, teller: Teller, job: Job) -> RunResult:
    """Do a job for the first time and tell what was done."""
    cwd = stage.lay_out(job, "first")
    result = await stage.learning.execute(job.goal, check=job.check, cwd=cwd)
    for step in result.steps:
        failed = "  (failed)" if step.is_error else ""
        teller.say(f"{facts.brief(step, cwd)}{failed}", indent=6, style="dim")
    teller.claim(
        f"{_spent(stage, job, result)}; the check passed{facts.unless_good(result)}",
        result.mode is Mode.LEARNER and result.verdict is Verdict.VERIFIED,
    )
    return result


def _spent(stage: Stage, job: Job, result: RunResult) -> str:
    recording = stage.recordings.get(job.name)
    if recording is None:
        return f"{tokens(result.usage)} tokens, {result.duration_s:.1f} s"
    if recording.model == BY_HAND:
        return "recorded by hand: no model did this, and no token is claimed"
    seconds = recording.trace.duration_s
    return f"{tokens(result.usage)} tokens, {seconds:.1f} s as recorded ({recording.model})"
