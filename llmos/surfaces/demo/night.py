"""The middle of the story: lessons, a night, new goals without a model, and one that is none.

Like the other chapters it claims only what it has looked at: each result is compared, file by
file, with what the goal should have left.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from llmos.evolution.compiler import LearnReport
from llmos.evolution.tool import LearntTool
from llmos.surfaces.demo import facts
from llmos.surfaces.demo.families import FAMILIES, MADE, Family, Instance, texts
from llmos.surfaces.demo.price import Price, dollars, tokens
from llmos.surfaces.demo.scene import Scene, Served, state_of
from llmos.surfaces.demo.teller import Teller
from llmos.values import ArtifactType, Mode, RunResult, Verdict


class Night:
    """Tells what happens around a night.

    Args:
        scene: What it plays with.
        teller: Who hears it.
        price: What tokens would cost.
    """

    def __init__(self, scene: Scene, teller: Teller, price: Price) -> None:
        self._scene = scene
        self._teller = teller
        self._price = price
        self.facts: dict[str, Any] = {
            "families": {
                family.name: {"lessons": [], "lessons_are": MADE, "later": []}
                for family in FAMILIES.values()
            }
        }

    async def tell(self) -> list[Served]:
        """Chapters six to nine; returns what learned tools have done."""
        await self._lessons()
        report = await self._sleep()
        served = await self._new_goals()
        await self._undo(served)
        await self._near_miss()
        self.facts["night"] = report.as_dict()
        return served

    # --- chapter six -------------------------------------------------------------------------

    async def _lessons(self) -> None:
        self._teller.chapter(
            "6  Three kinds of goals that come with other words each time: LEARNER"
        )
        self._teller.say(
            f"These runs were {MADE}: no model did them, and no token is claimed for them. They "
            "go through the same system calls, on real files, and are checked."
        )
        for family in FAMILIES.values():
            good = [
                await self._lesson(family, lesson, number)
                for number, lesson in enumerate(family.lessons, 1)
            ]
            steps = " and ".join(step.tool for step in family.lessons[0].steps)
            told = f"{family.name}: {len(good)} runs of {steps}, each with the right result"
            self._teller.claim(told, all(good))

    async def _lesson(self, family: Family, lesson: Instance, number: int) -> bool:
        cwd = family.lay_out(self._scene.lesson(family, number))
        self._teller.say(lesson.goal, indent=6, style="dim")
        result = await self._scene.teaching.execute(
            lesson.goal, check=lambda _: family.right(lesson, cwd), cwd=cwd
        )
        self._note(family, "lessons", result, cwd)
        return result.mode is Mode.LEARNER and result.verdict is Verdict.VERIFIED

    # --- chapter seven -----------------------------------------------------------------------

    async def _sleep(self) -> LearnReport:
        self._teller.chapter("7  The night: what recurs becomes a tool")
        report = (await self._scene.following.kernel.run_cron_now()).learnt
        self._teller.claim(
            f"{len(report.created)} tools made of {report.traces} good runs in "
            f"{facts.ms(report.seconds)}, without any model",
            len(report.created) == len(FAMILIES),
        )
        tools = [self._tool(name) for name in report.created]
        for tool in tools:
            self._teller.say(f"{tool.name}: {tool.templates[0]}", indent=4)
        if tools:
            longest = max(tools, key=lambda tool: len(tool.code))
            self._teller.say(f"{longest.name}, as it will run:", indent=4)
            for line in body_of(longest).splitlines():
                self._teller.say(line, indent=6, style="dim")
        return report

    def _tool(self, name: str) -> LearntTool:
        volume = self._scene.following.kernel.get_user_volume()
        return LearntTool.of(volume.get(ArtifactType.TOOL, name))

    # --- chapter eight -----------------------------------------------------------------------

    async def _new_goals(self) -> list[Served]:
        self._teller.chapter("8  New goals, with words and files that no run named: CRYSTALLIZED")
        return [
            Served(family, result)
            for family in FAMILIES.values()
            for number, instance in enumerate(family.later, 1)
            if (result := await self._serve(family, instance, number)).success
        ]

    async def _serve(self, family: Family, instance: Instance, number: int) -> RunResult:
        cwd = family.lay_out(self._scene.later(family, number))
        result = await self._scene.following.execute(
            instance.goal, check=lambda _: family.right(instance, cwd), cwd=cwd
        )
        self._teller.claim(
            f"“{instance.goal}”: {tokens(result.usage)} tokens, {dollars(result.cost_usd)}, "
            f"{facts.ms(result.duration_s)}; every file is as it should be"
            f"{facts.unless_good(result)}",
            result.mode is Mode.CRYSTALLIZED
            and result.verdict is Verdict.VERIFIED
            and result.side_exit is None
            and result.usage.total_tokens == 0,
        )
        self._note(family, "later", result, cwd)
        return result

    async def _undo(self, served: list[Served]) -> None:
        if not served:
            return
        last = served[-1]
        cwd = self._scene.later(last.family, len(last.family.later))
        undone = await self._scene.following.undo(last.result.trace_id)
        names = [facts.inside(path, cwd) for path in (*undone.restored, *undone.removed)]
        restored = texts(cwd) == dict(last.family.files)
        self._teller.claim(
            f"the last one undone ({', '.join(names)}): every file is as it was before",
            restored and not undone.left,
        )
        self.facts["undo_of_tool"] = {"family": last.family.name, "identical": restored}

    # --- chapter nine ------------------------------------------------------------------------

    async def _near_miss(self) -> None:
        self._teller.chapter("9  Nearly the same goal")
        for family in FAMILIES.values():
            if family.near_miss is not None:
                await self._not_served(family, family.near_miss)

    async def _not_served(self, family: Family, miss: Instance) -> None:
        cwd = family.lay_out(self._scene.near_miss(family))
        before = state_of(cwd)
        self._teller.say(f"learnt from “{family.lessons[0].goal}” and the like; and now:")
        self._teller.say(f"“{miss.goal}”")
        result = await self._scene.following.execute(
            miss.goal, check=lambda _: family.right(miss, cwd), cwd=cwd
        )
        refused = result.decision.refused
        self._teller.claim(
            f"no tool is trusted with it: {'; '.join(refused) or result.decision.reason}",
            result.decision.mode is Mode.LEARNER and bool(refused),
        )
        if self._scene.live:
            told = f"the model did it: {tokens(result.usage)} tokens, the result is right"
            right = result.verdict is Verdict.VERIFIED
            self._teller.claim(f"{told}{facts.unless_good(result)}", right)
        else:
            self._teller.claim(
                "it went to the learner, where a model would work; none is here, so nothing was "
                "written and nobody calls it a success",
                state_of(cwd) == before and not result.success,
            )
        self.facts["near_miss"] = facts.of(result, cwd, self._price) | {
            "family": family.name,
            "goal": miss.goal,
            "refused": list(refused),
            "unchanged": state_of(cwd) == before,
        }

    # --- small things --------------------------------------------------------------------------

    def _note(self, family: Family, when: str, result: RunResult, cwd: Path) -> None:
        source = result.decision.source or ""
        fact = facts.of(result, cwd, self._price) | {"goal": result.goal, "source": source}
        self.facts["families"][family.name][when].append(fact)


def body_of(tool: LearntTool) -> str:
    """The tool's own function, without what it has in common with others and its docstring."""
    lines = tool.code.splitlines()
    functions = (n for n in ast.parse(tool.code).body if isinstance(n, ast.FunctionDef))
    own = next(n for n in functions if n.name == tool.function)
    skip = own.body[0] if ast.get_docstring(own) is not None else None
    return "\n".join(
        line
        for number, line in enumerate(lines, 1)
        if own.lineno <= number <= (own.end_lineno or own.lineno) and line.strip()
        if skip is None or not skip.lineno <= number <= (skip.end_lineno or skip.lineno)
    )
