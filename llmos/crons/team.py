"""TeamCron: what the people of a team have in common, and which of their tools all of them use."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, func, select

from llmos.crons import findings, patterns, team_projects
from llmos.crons.context import CronContext
from llmos.crons.cycle import CronLevel, CycleReport, CycleTask
from llmos.crons.doubts import put_aside
from llmos.crons.findings import Finding, milestone
from llmos.crons.patterns import Pattern
from llmos.crons.sharing import Examined, Sharing
from llmos.evolution import proposals
from llmos.evolution.proposals import Promotion, ProposalStatus
from llmos.evolution.standing import standing
from llmos.store import Transaction
from llmos.store.schema import events
from llmos.values import ArtifactType, EventType
from llmos.volumes import Place, Status, get_watermark, set_watermark
from llmos.volumes.access import Access, Caller, may
from llmos.volumes.roles import members

WATERMARK = "team-cron"

_LEVEL = CronLevel.TEAM
_TOOL = ArtifactType.TOOL
_SHARED = 2
"""Users from which on a pattern is the team's."""


class TeamCycle:
    """One cycle for one team.

    Args:
        context: What all cycles share.
        team_id: Which team.
    """

    def __init__(self, context: CronContext, team_id: str) -> None:
        self._context = context
        self._team = team_id
        self._place = Place("team", team_id)
        self._caller = Caller.team_cron(team_id)
        self._volume = context.volume(self._place, self._caller)

    def run(self) -> CycleReport:
        """Work through what is new in the volumes of the team's people."""
        store = self._context.store
        known = store.read(lambda c: get_watermark(c, WATERMARK, self._place))
        since = int(json.loads(known)["seq"]) if known else 0
        people, upto, news = store.read(lambda c: self._look(c, since))
        waiting = store.read(lambda c: proposals.listed(c, [self._place], _OPEN, limit=1000))
        mine = [p for p in waiting if p.target == self._place]
        if not news and not self._may_move(mine):
            return CycleReport(_LEVEL, self._team, why="nothing new")
        cases = self._examined(mine)
        tasks = store.write(lambda tx: self._note(tx, people, cases, upto))
        why = "" if tasks else f"{news} new events, and nothing to say of them"
        return CycleReport(_LEVEL, self._team, tasks=tuple(tasks), why=why, looked_at=news)

    def _look(self, c: Connection, since: int) -> tuple[list[str], int, int]:
        """Whose volumes may be read, the newest event in them, and how many are new."""
        people = [
            m.user_id
            for m in members(c, self._team)
            if may(c, self._caller, Place("user", m.user_id), Access.READ)
        ]
        kinds = [t.value for t in (*_NEWS, EventType.ARTIFACT_EVOLVED)]
        theirs = select(func.count(), func.max(events.c.seq)).where(
            events.c.volume == "user",
            events.c.owner.in_(people),
            events.c.seq > since,
            events.c.type.in_(kinds),
            events.c.actor != _LEVEL.author,  # what it asked an owner is no news to it
        )
        new, newest = c.execute(theirs).one()
        return people, int(newest or since), int(new)

    @staticmethod
    def _may_move(waiting: Sequence[Promotion]) -> bool:
        """Whether a proposal waits for nobody, or for nobody who was asked."""
        return any(set(p.waits_for) - set(p.evidence.get("asked", ())) for p in waiting) or any(
            "gates" not in p.evidence for p in waiting
        )

    def _examined(self, waiting: Sequence[Promotion]) -> list[Examined]:
        sharing = self._sharing()
        return [(promotion, sharing.examine(promotion)) for promotion in reversed(waiting)]

    def _sharing(self) -> Sharing:
        return Sharing(self._context, _LEVEL, self._place, self._caller)

    def _note(
        self, tx: Transaction, people: Sequence[str], cases: Sequence[Examined], upto: int
    ) -> list[CycleTask]:
        sharing = self._sharing()
        tasks: list[CycleTask | None] = []
        tasks += sharing.settle_all(tx, cases)
        tasks += put_aside(tx, self._volume, _LEVEL)
        tasks += self._patterns(tx, people)
        tasks += team_projects.say(tx, self._volume, _LEVEL, people)
        tasks += self._flag(tx)
        set_watermark(tx, WATERMARK, self._place, json.dumps({"seq": upto}))
        return [task for task in tasks if task is not None]

    # --- what people have in common ----------------------------------------------------------

    def _patterns(self, tx: Transaction, people: Sequence[str]) -> Iterator[CycleTask | None]:
        for key in patterns.common(tx.conn, people, _SHARED, limit=20):
            theirs = patterns.by_key(tx.conn, people, key)
            yield findings.keep(tx, self._volume, _LEVEL, self._common(tx, theirs))

    def _common(self, tx: Transaction, theirs: Sequence[Pattern]) -> Finding:
        first = max(theirs, key=lambda p: p.runs)
        runs, users = sum(p.runs for p in theirs), len(theirs)
        cost = sum(p.cost_micro for p in theirs) / 1_000_000
        named = sorted({p.tool for p in theirs if p.tool})
        shared = [
            name
            for name in named
            if (a := self._volume.find(_TOOL, name, tx=tx)) is not None
            and a.status is Status.ACTIVE
        ]
        if shared:
            does = f"the team's tool {shared[0]} does it"
        elif named:
            does = f"{named[0]} does it, and is not shared yet"
        else:
            does = "there is no tool for it yet"
        return Finding(
            ArtifactType.INSIGHT,
            f"common-{first.slug}",
            f"{users} people of {self._team} do “{first.shape}”: {runs} runs, ${cost:.2f}; {does}",
            "Counted in the volumes that may be read; what is kept private is not among them.",
            {
                "users": users,
                "runs": runs,
                "model_runs": sum(p.model_runs for p in theirs),
                "free_runs": sum(p.free_runs for p in theirs),
                "cost_usd": cost,
                "tokens": sum(p.tokens for p in theirs),
                "tools": named,
            },
            (milestone(runs), users, does),
            tell="several people of your team do the same",
        )

    # --- what may be shared with everybody ---------------------------------------------------

    def _flag(self, tx: Transaction) -> Iterator[CycleTask | None]:
        """Propose to share with everybody what several people have used and found right."""
        rule = self._context.rule("system")
        for artifact in self._volume.list_artifacts(_TOOL, Status.ACTIVE, 1000, tx=tx):
            version = self._volume.get(_TOOL, artifact.name, tx=tx)
            # Who has the tool that it was made of uses that one: it does the same.
            done = standing(tx.conn, [version.digest, *version.lineage])
            if done.uses < rule.uses or done.users < rule.users or done.success <= rule.success:
                continue
            made = proposals.propose(
                tx,
                version,
                Place("system", "system"),
                by=_LEVEL.author,
                evidence={"use": done.as_dict(), "why": str(done)},
            )
            if made is not None:
                title = f"{version.name} may be worth sharing with everybody"
                yield CycleTask("proposal", made.id, title, str(done))


_OPEN = ProposalStatus.PROPOSED
_NEWS = (
    EventType.TASK_COMPLETED,
    EventType.TASK_FAILED,
    EventType.ARTIFACT_CREATED,
    EventType.PROPOSAL_CREATED,
)
"""What in a user's volume gives a team's cron something to do."""
