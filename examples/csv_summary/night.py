"""The rest of this story: three jobs of a kind, a night, and a shop that nobody has seen."""

from __future__ import annotations

from examples.csv_summary.jobs import EAST, SOUTH, WEST
from examples.stage import Stage
from examples.story import first_run
from llmos.surfaces.demo import facts
from llmos.surfaces.demo.price import tokens
from llmos.surfaces.demo.teller import Teller
from llmos.values import Mode, Verdict


async def tell_night(stage: Stage, teller: Teller) -> None:
    """Two more jobs of the kind, a night, and a new one."""
    teller.chapter("5  Two more shops")
    for job in (SOUTH, EAST):
        teller.say(job.goal)
        await first_run(stage, teller, job)
    teller.chapter("6  The night")
    report = (await stage.following.kernel.run_cron_now()).learnt
    for name in report.created:
        teller.say(f"a tool: {name}, made in {facts.ms(report.seconds)} without any model")
    for goal, runs, why in report.unlearnt:
        teller.say(f"no tool ({runs} good runs): “{goal}”: {why}")
    teller.chapter("7  A shop that no run has seen")
    await _new_shop(stage, teller, learnt=bool(report.created))


async def _new_shop(stage: Stage, teller: Teller, *, learnt: bool) -> None:
    cwd = stage.lay_out(WEST, "later")
    teller.say(WEST.goal)
    result = await stage.following.execute(WEST.goal, check=WEST.check, cwd=cwd)
    if learnt and stage.no_sandbox is None:
        teller.claim(
            f"done by the tool: {tokens(result.usage)} tokens, {facts.ms(result.duration_s)}, the "
            f"check passed{facts.unless_good(result)}",
            result.mode is Mode.CRYSTALLIZED
            and result.verdict is Verdict.VERIFIED
            and result.usage.total_tokens == 0,
        )
        return
    why = facts.reason(result, cwd) if result.side_exit else result.decision.reason
    teller.say(f"not done by a tool: {why}")
    if stage.live:
        told = f"the model did it: {tokens(result.usage)} tokens, the check passed"
        teller.claim(f"{told}{facts.unless_good(result)}", result.verdict is Verdict.VERIFIED)
    else:
        told = "a model would be asked; none takes part here, and nothing was written"
        teller.claim(told, not result.success and not (cwd / "west.md").exists())
