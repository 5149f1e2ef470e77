"""A month of two teams: what the crons find, learn, share and take back.

It goes by a clock of its own, in a home of its own; everything else is real: the runs, the nights,
the gates, the volumes. The runs that teach were made for this demo, like the lessons of the night.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from llmos.boot import LLMOS
from llmos.config import LLMOSConfig
from llmos.cortex.processors import RecordedProcessor
from llmos.crons import CycleReport
from llmos.surfaces.demo.families import MADE
from llmos.surfaces.demo.scene import Nobody
from llmos.surfaces.demo.teller import Teller
from llmos.values import ArtifactType, Mode, Processor, RunResult, Step, Trace
from llmos.volumes import Status

BEGINS = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
"""Day one. A Monday."""

_TOOL = ArtifactType.TOOL
_CODE = '''"""{title}: a calculator."""


def calculate(left: float, sign: str, right: float) -> float:
    """The value of a sum, a difference, a product or a quotient."""
    return {{"+": left + right, "-": left - right, "*": left * right, "/": left / right}}[sign]
'''
_ALICE = ("Rent", "Taxes", "Fuel")
_USED = ("Wages", "Paint", "Bread", "Tiles", "Seeds")
_BOB = ("Wood", "Water", "Stamps")


class Month:
    """Tells what happens in a month.

    Args:
        folder: Where its home and its files go.
        teller: Who hears it.
    """

    def __init__(self, folder: Path, teller: Teller) -> None:
        self._folder = folder
        self._teller = teller
        self._now = BEGINS
        self._open: list[LLMOS] = []
        self.facts: dict[str, Any] = {"lessons_are": MADE}

    async def tell(self) -> None:
        """Chapter ten."""
        self._teller.chapter("10  A month of two teams, by a clock of its own: the crons")
        (self._folder / "files").mkdir(parents=True)
        try:
            await self._tell()
        finally:
            for os in self._open:
                await os.shutdown()

    async def _tell(self) -> None:
        alice = await self._person("alice", "engineering", _ALICE)
        await self._alices_days(alice)
        bob = await self._person("bob", "engineering", _BOB)
        await self._bobs_day(alice, bob)
        await self._everybody(alice)
        self._recalled(alice)

    # --- days --------------------------------------------------------------------------------

    async def _alices_days(self, alice: LLMOS) -> None:
        for title in _ALICE[:2]:
            await self._do(alice, title)
        quiet = await alice.kernel.run_cron_now()
        told = "; ".join(reason for _, _, reason in quiet.learnt.unlearnt)
        self._claim(f"alice makes two calculators; her cron learns nothing yet: {told}", not quiet)
        self._day(5)
        await self._do(alice, _ALICE[2])
        night = await alice.kernel.run_cron_now()
        (news,) = alice.kernel.get_cron_notifications() or [{"title": ""}]
        self._claim(
            f"the third; her cron makes a tool of them and tells her: {news['title']}",
            len(night.learnt.created) == 1 and "is common" in str(news["title"]),
        )
        self._note("learned", night)
        self._day(6)
        results = [await self._do(alice, title, days=0.5) for title in _USED]
        free = all(r.mode is Mode.CRYSTALLIZED and not r.usage.total_tokens for r in results)
        self._claim(f"she has {len(results)} more made: 0 tokens each", free)
        await alice.kernel.run_cron_now()
        waits = await alice.kernel.run_cron_now("team")
        (proposal,) = alice.kernel.list_proposals()
        why = next(g["why"] for g in proposal.evidence["gates"] if g["light"] != "green")
        self._claim(
            f"it may be worth sharing, and waits: {why}",
            not any(t.kind == "promotion" for t in waits),
        )

    async def _bobs_day(self, alice: LLMOS, bob: LLMOS) -> None:
        self._day(10)
        for title in _BOB:
            await self._do(bob, title, days=0.1)
        night = await bob.kernel.run_cron_now()
        shared = await bob.kernel.run_cron_now("team")
        self._note("shared", shared)
        (mine,) = alice.kernel.get_user_volume().list_artifacts(_TOOL)
        (theirs,) = bob.kernel.get_user_volume().list_artifacts(_TOOL)
        team = bob.kernel.get_team_volume()
        made = [team.get(_TOOL, a.name) for a in team.list_artifacts(_TOOL, Status.ACTIVE)]
        both = {mine.current, theirs.current}
        self._claim(
            "bob makes calculators of his own; the team's cron sees that his tool does what hers "
            "does, and shares hers with both lineages",
            bool(night.learnt.created) and len(made) == 1 and both <= {*made[0].lineage},
        )
        third = await self._person("user-3", "engineering")
        result = await self._do(third, "Nails")
        self._claim(
            "a third member of the team, who never made one, gets it: 0 tokens",
            result.mode is Mode.CRYSTALLIZED and result.success,
        )
        await self._do(bob, "Ropes")

    async def _everybody(self, alice: LLMOS) -> None:
        self._day(30)
        stranger = await self._person("user-4", "design")
        before, _ = stranger.explain(self._goal("Frames"))
        await alice.kernel.run_cron_now("team")
        shared = await alice.kernel.run_cron_now("system")
        self._note("everybody", shared)
        result = await self._do(stranger, "Frames")
        self._claim(
            "three people have used it: the system's cron shares it with everybody, and a person "
            "of another team gets it: 0 tokens",
            before.mode is Mode.LEARNER and result.mode is Mode.CRYSTALLIZED and result.success,
        )
        report = alice.kernel.format_activity_report(since_hours=24 * 31)
        self._teller.say("alice's report of the month begins:")
        for line in report.splitlines()[:4]:
            self._teller.say(line, indent=6, style="dim")
        self.facts["report"] = report

    def _recalled(self, alice: LLMOS) -> None:
        (mine,) = alice.kernel.get_user_volume().list_artifacts(_TOOL)
        taken = alice.kernel.recall_tool(mine.name)
        goal = self._goal("Shelves")
        gone = [os.user_id for os in self._open if os.explain(goal)[0].mode is Mode.LEARNER]
        self._claim(
            f"llmos recall {mine.name}: out of use in {len(taken)} volumes, and hers goes on",
            len(taken) == 2 and gone == ["user-3", "user-4"],
        )
        self.facts["recalled"] = [f"{v.volume}/{v.owner}" for v in taken]

    # --- small things ------------------------------------------------------------------------

    async def _person(self, user: str, team: str, titles: Sequence[str] = ()) -> LLMOS:
        """The LLM OS of a person, whose model knows how to make some calculators."""
        model: Processor = Nobody()
        if titles:
            lessons = [self._lesson(title) for title in titles]
            model = RecordedProcessor({lesson.goal: lesson for lesson in lessons})
        os = LLMOS(
            self._folder / "home",
            user,
            team,
            model,
            clock=lambda: self._now,
            # Nothing by chance; and that the people here are who they say they are, is known.
            config=LLMOSConfig(audit_rate=0.0, audit_rate_external=0.0, trust_users=True),
            cwd=self._folder / "files",
        )
        self._open.append(os)
        return await os.boot()

    async def _do(self, os: LLMOS, title: str, days: float = 0.5) -> RunResult:
        result = await os.execute(self._goal(title))
        self._now += timedelta(days=days)
        return result

    def _day(self, number: int) -> None:
        """Let it be a day, at nine, unless it is later already."""
        self._now = max(self._now, BEGINS + timedelta(days=number - 1))

    @staticmethod
    def _goal(title: str) -> str:
        return f'Create a Python calculator called "{title}" in {title.lower()}.py'

    def _lesson(self, title: str) -> Trace:
        content = _CODE.format(title=title)
        step = Step("Write", {"file_path": f"{title.lower()}.py", "content": content})
        return Trace(self._goal(title), (step,), "Done.", model=MADE)

    def _claim(self, told: str, held: bool) -> None:
        day = (self._now - BEGINS).days + 1
        self._teller.claim(f"day {day}: {told}", held)

    def _note(self, what: str, report: CycleReport) -> None:
        self.facts[what] = [task.as_dict() for task in report]
