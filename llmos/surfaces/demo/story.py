"""The story: learnt, followed, already done, stopped, undone, slept over, and what it saved.

Each chapter does what it tells and claims only what it has looked at; a claim that does not hold
fails the demo.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from llmos.surfaces.demo import facts
from llmos.surfaces.demo.bill import Bill
from llmos.surfaces.demo.jobs import Job
from llmos.surfaces.demo.month import Month
from llmos.surfaces.demo.night import Night
from llmos.surfaces.demo.price import Price, dollars, tokens
from llmos.surfaces.demo.scene import Scene, Served, Twice, guards, is_open, state_of
from llmos.surfaces.demo.teller import Teller
from llmos.values import Mode, RunResult, Verdict

Facts = dict[str, Any]
"""What happened, as JSON."""


class Story:
    """Tells the story once.

    Args:
        scene: What it plays with.
        teller: Who hears it.
        price: What tokens would cost.
    """

    def __init__(self, scene: Scene, teller: Teller, price: Price) -> None:
        self._scene = scene
        self._teller = teller
        self._price = price
        self.facts: Facts = {"jobs": {}}

    async def tell(self) -> None:
        """All chapters, in order."""
        learnt = await self._first_time()
        twice = await self._second_time(learnt)
        await self._already_done(twice)
        await self._changed_world(twice)
        await self._undo(twice)
        night = Night(self._scene, self._teller, self._price)
        served = await night.tell()
        self.facts |= night.facts
        month = Month(self._scene.folder / "month", self._teller)
        await month.tell()
        self.facts["month"] = month.facts
        self._bill(twice, served)

    # --- chapter one -------------------------------------------------------------------------

    async def _first_time(self) -> list[tuple[Job, RunResult]]:
        who = "the model works" if self._scene.live else "a recorded model works, as it did then"
        self._teller.chapter(f"1  The first time, {who}: LEARNER")
        learnt = []
        for job in self._scene.jobs:
            result = await self._learn(job)
            if result.success:
                learnt.append((job, result))
        return learnt

    async def _learn(self, job: Job) -> RunResult:
        cwd = job.lay_out(self._scene.first(job))
        self._teller.say(f"{job.name}: “{job.goal}”")
        result = await self._scene.learning.execute(job.goal, check=job.check, cwd=cwd)
        for step in result.steps:
            failed = "  (failed)" if step.is_error else ""
            self._teller.say(f"{facts.brief(step, cwd)}{failed}", indent=6, style="dim")
        recording = self._scene.recordings.get(job.name)
        seconds = recording.trace.duration_s if recording else result.duration_s
        self._teller.claim(
            f"{tokens(result.usage)} tokens, {self._price.told(result.usage, result.cost_usd)}, "
            f"{seconds:.1f} s{' as recorded' if recording else ''}, "
            f"check passed{facts.unless_good(result)}",
            result.mode is Mode.LEARNER and result.verdict is Verdict.VERIFIED,
        )
        fact = facts.of(result, cwd, self._price)
        if recording:
            fact |= {"seconds_as_recorded": seconds, "attempts": recording.attempts}
        self.facts["jobs"][job.name] = {"goal": job.goal, "first": fact}
        return result

    # --- chapter two -------------------------------------------------------------------------

    async def _second_time(self, learnt: list[tuple[Job, RunResult]]) -> list[Twice]:
        without = "" if self._scene.live else ", and from here on there is no model at all"
        self._teller.chapter(f"2  The second time, in a fresh copy of the files{without}: FOLLOWER")
        twice = [await self._follow(job, first) for job, first in learnt]
        return [t for t in twice if t is not None]

    async def _follow(self, job: Job, first: RunResult) -> Twice | None:
        following, cwd = self._scene.following, job.lay_out(self._scene.again(job))
        trace = following.traces.get(first.trace_id)
        decision, _ = following.explain(job.goal, cwd=cwd)
        if is_open(trace) and decision.mode is not Mode.FOLLOWER:
            why = f"a command of it ran without a sandbox: {'; '.join(decision.refused)}"
            self._teller.say(f"– {job.name}: {why}; so this is not promised")
            self.facts["jobs"][job.name]["second"] = {"skipped": why}
            return None
        fresh = state_of(cwd)
        second = await following.execute(job.goal, cwd=cwd)
        same = state_of(cwd) == state_of(self._scene.first(job))
        with_check = following.traces.get(second.trace_id).duration_s
        self._teller.claim(
            f"{job.name}: {tokens(second.usage)} tokens, {dollars(second.cost_usd)}, "
            f"{facts.ms(second.duration_s)}; check passed ({facts.ms(with_check)} with it)"
            f"{', same bytes' if same else ''}{facts.unless_good(second)}",
            second.mode is Mode.FOLLOWER
            and second.verdict is Verdict.VERIFIED
            and second.usage.total_tokens == 0
            and not second.already_done,
        )
        fact = facts.of(second, cwd, self._price) | {
            "seconds_with_check": with_check,
            "same_files": same,
        }
        self.facts["jobs"][job.name]["second"] = fact
        return Twice(job, first, second, trace, fresh)

    # --- chapter three -----------------------------------------------------------------------

    async def _already_done(self, twice: list[Twice]) -> None:
        self._teller.chapter("3  Asked again where the work is already done")
        for t in twice:
            told = self.facts["jobs"][t.job.name]
            if is_open(t.trace):
                why = "a command of it ran without a sandbox, so what it did is not known"
                self._teller.say(f"– {t.job.name}: {why}; so this is not promised")
                told["already_done"] = {"skipped": why}
                continue
            cwd = self._scene.again(t.job)
            before = state_of(cwd)
            result = await self._scene.following.execute(t.job.goal, cwd=cwd)
            self._teller.claim(
                f"{t.job.name}: already_done, 0 tokens, {facts.ms(result.duration_s)}, "
                f"no byte changed{facts.unless_good(result)}",
                result.already_done
                and result.success
                and result.usage.total_tokens == 0
                and not any(step.effect.writes for step in result.steps)
                and state_of(cwd) == before,
            )
            told["already_done"] = facts.of(result, cwd, self._price)

    # --- chapter four ------------------------------------------------------------------------

    async def _changed_world(self, twice: list[Twice]) -> None:
        self._teller.chapter("4  The world has changed: somebody has edited a file since")
        # What ran in a sandbox is known the best, so it is shown first.
        for t in sorted(twice, key=lambda t: is_open(t.trace)):
            if t.second.success and any(guards(t.trace, name) for name in t.job.edits):
                await self._edited(t)
                return
        self._teller.say("– no run here read a file in a way that can be compared: not promised")
        self.facts["changed_world"] = {"skipped": "no guarded read"}

    async def _edited(self, t: Twice) -> None:
        cwd = t.job.lay_out(self._scene.changed(t.job))
        done = await self._scene.following.execute(t.job.goal, cwd=cwd)
        self._teller.claim(
            f"{t.job.name}, done once more in a copy of its own{facts.unless_good(done)}; then",
            done.success and done.mode is Mode.FOLLOWER,
        )
        for name, content in t.job.edits.items():
            self._teller.say(f"{name}:")
            for line in facts.difference((cwd / name).read_text("utf-8"), content):
                self._teller.say(line, indent=6)
            (cwd / name).write_text(content, "utf-8")
        self._teller.say(f"and, as before: “{t.job.goal}”")
        before = state_of(cwd)
        check = replace(t.job, files=dict(t.job.files) | dict(t.job.edits)).check
        result = await self._scene.following.execute(t.job.goal, check=check, cwd=cwd)
        self._teller.claim(
            f"the replay stopped before it wrote anything: {facts.reason(result, cwd)}",
            result.side_exit is not None
            and not any(step.effect.writes for step in result.side_exit.committed),
        )
        if self._scene.live:
            self._teller.claim(
                f"the model took over: {tokens(result.usage)} tokens, the check of the changed "
                f"files passed{facts.unless_good(result)}",
                result.verdict is Verdict.VERIFIED,
            )
        else:
            self._nobody_took_over(result, state_of(cwd) == before)
        self.facts["changed_world"] = facts.of(result, cwd, self._price) | {
            "job": t.job.name,
            "edited": sorted(t.job.edits),
            "unchanged": state_of(cwd) == before,
        }

    def _nobody_took_over(self, result: RunResult, unchanged: bool) -> None:
        self._teller.claim("nothing was overwritten: every file is as it was", unchanged)
        self._teller.claim(
            "the run is not called a success, and cost 0 tokens",
            not result.success and result.usage.total_tokens == 0,
        )
        self._teller.say("A model would take over here. On this machine:")
        for name, missing in self._scene.processors:
            self._teller.say(f"{name}: {missing or 'ready (llmos demo --live)'}", indent=6)

    # --- chapter five ------------------------------------------------------------------------

    async def _undo(self, twice: list[Twice]) -> None:
        self._teller.chapter("5  Undo")
        for t in twice:
            if t.second.success and _undoable(t.second) and _overwrote(t.second):
                break
        else:
            self._teller.say("– no run here can be taken back as a whole: not promised")
            self.facts["undo"] = {"skipped": "no undoable run"}
            return
        cwd = self._scene.again(t.job)
        undone = await self._scene.following.undo(t.second.trace_id)
        names = [facts.inside(path, cwd) for path in (*undone.restored, *undone.removed)]
        self._teller.say(f"llmos undo {t.second.trace_id[-6:].lower()}: {', '.join(names)}")
        restored = state_of(cwd) == t.fresh
        self._teller.claim(
            f"{t.job.name}: every file is as it was before the run, byte for byte",
            restored and not undone.left,
        )
        self.facts["undo"] = {
            "job": t.job.name,
            "restored": [facts.inside(path, cwd) for path in undone.restored],
            "removed": [facts.inside(path, cwd) for path in undone.removed],
            "left": list(undone.left),
            "identical": restored,
        }

    # --- the last chapter; those between are in `night` and `month` --------------------------

    def _bill(self, twice: list[Twice], served: list[Served]) -> None:
        self._teller.chapter("11  The bill, from the store")
        bill = Bill.of(self._scene, twice, served, self._price)
        bill.show(self._teller)
        self.facts["bill"] = bill.as_json()


def _undoable(result: RunResult) -> bool:
    return all(step.footprint.undoable for step in result.steps if step.effect.writes)


def _overwrote(result: RunResult) -> bool:
    """Whether the run changed or removed a file that was there before."""
    changes = [change for step in result.steps for change in step.footprint.writes]
    return any(change.before is not None for change in changes)
