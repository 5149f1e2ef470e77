"""The rest of this story: three shops, a night, and a shop that nobody has seen.

The three runs that teach were written by hand: the same command each time, but for the names. A
small model writes another one each time, of which a night makes nothing; live, that is told first.
"""

from __future__ import annotations

from dataclasses import replace

from examples.by_hand import written
from examples.csv_summary.jobs import EAST, NORTH, SOUTH, WEST
from examples.stage import Stage, played
from examples.story import first_run
from llmos.evolution.compiler import LearnReport
from llmos.surfaces.demo import facts
from llmos.surfaces.demo.price import tokens
from llmos.surfaces.demo.teller import Teller
from llmos.values import Mode, RunResult, Verdict


async def tell_night(stage: Stage, teller: Teller) -> None:
    """What a night makes of three runs: of the model's, where there is one, and of equal ones."""
    if stage.live:
        teller.chapter("5  Two more shops, and a night")
        for job in (SOUTH, EAST):
            await _lesson(stage, teller, job.name)
        await _sleep_and_serve(stage, teller)
    teller.chapter(f"{6 if stage.live else 5}  Three shops by one command, and a night")
    lessons = {job.name: written(job) for job in (NORTH, SOUTH, EAST)}
    learning, following = played(stage.folder / "by-hand" / "home", stage.config, lessons)
    async with learning, following:
        apart = replace(
            stage,
            folder=stage.folder / "by-hand",
            learning=learning,
            following=following,
            recordings=lessons,
        )
        for name in lessons:
            await _lesson(apart, teller, name)
        report = await _sleep_and_serve(apart, teller)
        teller.claim("one tool was made of the three runs", len(report.created) == 1)


async def _lesson(stage: Stage, teller: Teller, name: str) -> None:
    job = next(job for job in (NORTH, SOUTH, EAST) if job.name == name)
    teller.say(job.goal)
    await first_run(stage, teller, job)


async def _sleep_and_serve(stage: Stage, teller: Teller) -> LearnReport:
    report = (await stage.following.kernel.run_cron_now()).learnt
    for name in report.created:
        made = f"made in {facts.ms(report.seconds)} without any model"
        teller.say(f"the night: a tool, {name}, {made}")
    for goal, runs, why in report.unlearnt:
        teller.say(f"the night: no tool ({runs} good runs): “{goal}”: {why}")
    teller.say(f"A shop that no run has seen: {WEST.goal}")
    cwd = stage.lay_out(WEST, "later")
    result = await stage.following.execute(WEST.goal, check=WEST.check, cwd=cwd)
    if report.created and stage.no_sandbox is None:
        _by_the_tool(teller, result)
        return report
    why = facts.reason(result, cwd) if result.side_exit else result.decision.reason
    teller.say(f"not done by a tool: {why}")
    if stage.live:
        told = f"the model did it: {tokens(result.usage)} tokens, the check passed"
        teller.claim(f"{told}{facts.unless_good(result)}", result.verdict is Verdict.VERIFIED)
    else:
        told = "a model would be asked; none takes part here, and nothing was written"
        teller.claim(told, not result.success and not (cwd / "west.md").exists())
    return report


def _by_the_tool(teller: Teller, result: RunResult) -> None:
    teller.claim(
        f"done by the tool: {tokens(result.usage)} tokens, {facts.ms(result.duration_s)}, the "
        f"check passed{facts.unless_good(result)}",
        result.mode is Mode.CRYSTALLIZED
        and result.verdict is Verdict.VERIFIED
        and result.usage.total_tokens == 0,
    )
