"""`os.kernel`: what can be asked of a running LLM OS, in one place. A thin façade."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from llmos.crons import CronLevel, CycleReport
from llmos.crons.context import CronContext
from llmos.crons.cycles import run_cycle
from llmos.crons.deciding import Deciding
from llmos.errors import PermissionDenied, UserError
from llmos.evolution.asking import Model
from llmos.evolution.audits import (
    AuditRow,
    AuditStats,
    audit_of,
    audit_stats,
    freeze,
    lift,
    newest_audits,
)
from llmos.evolution.compiler import Compiler, LearnReport
from llmos.evolution.payback import Payback, payback
from llmos.evolution.proposals import Promotion, ProposalStatus
from llmos.evolution.propose import propose as propose_more
from llmos.evolution.tool import LearntTool
from llmos.kernel.bus import Subscription
from llmos.kernel.economy import Economy
from llmos.kernel.envelope import Envelope
from llmos.kernel.intents import Intent
from llmos.kernel.kernel import Kernel
from llmos.memory.traces import Traces
from llmos.observability import FeedEntry, ObservabilityHub
from llmos.replay.preview import Preview, preview
from llmos.store import EventRow, new_id
from llmos.values import Audit, Clock, Json, Processor, Trace, check_name, utc_now
from llmos.volumes import Artifact, Caller, Mirror, Place, UsageStats, Version, Volume, usage_stats
from llmos.volumes.privacy import keep_private, share


class CognitiveKernel:
    """The query and control API of one user.

    Args:
        kernel: The opened kernel.
        traces: The stored runs.
        user_id: Who asks.
        clock: The clock that the kernel was opened with.
        compiler: Returns what makes tools of a user's traces.
        processor: Makes or returns the model, or raises `NeedsProcessor`.
        team_id: The user's team, whose budget is asked too.
        cwd: The working directory.
    """

    def __init__(
        self,
        kernel: Kernel,
        traces: Traces,
        *,
        user_id: str,
        clock: Clock = utc_now,
        compiler: Callable[[str], Compiler],
        processor: Callable[[], Processor],
        team_id: str | None = None,
        cwd: Path | None = None,
    ) -> None:
        self._kernel = kernel
        self._user_id = user_id
        self._compiler = compiler
        self._processor = processor
        self._team_id = team_id
        self._cwd = cwd or Path.cwd()
        self._clock = clock
        self.traces = traces
        """The stored runs."""
        self.hub = ObservabilityHub(kernel.store, user_id=user_id, clock=clock)
        """What happened in the user's volume."""

    @property
    def economy(self) -> Economy:
        """Budgets and the ledger."""
        return self._kernel.economy

    def get_activity_feed(self, since_hours: float = 24, limit: int = 50) -> list[FeedEntry]:
        """What happened, the newest first; see `ObservabilityHub.get_activity_feed`."""
        return self.hub.get_activity_feed(since_hours, limit)

    def get_cron_notifications(self) -> list[dict[str, Json]]:
        """What the user has not acknowledged: ``event_id``, ``title``, ``description`` and more."""
        return [n.as_dict() for n in self.hub.get_pending_notifications()]

    def acknowledge_notification(self, event_id: str) -> None:
        """Note that the user has seen it.

        Args:
            event_id: Id of the event, or its subject.

        Raises:
            UserError: There never was such a notification.
        """
        self.hub.acknowledge(event_id)

    def format_notifications(self) -> str:
        """What the user has not acknowledged, as text to print."""
        pending = self.hub.get_pending_notifications()
        if not pending:
            return "Nothing new."
        lines = ["1 notification:" if len(pending) == 1 else f"{len(pending)} notifications:"]
        for n in pending:
            lines.append(f"- {n.title} ({n.at:%Y-%m-%d %H:%M}, {n.event_id[-6:].lower()})")
            lines += [f"  {line}" for line in n.description.splitlines()]
        return "\n".join(lines)

    async def run_cron_now(
        self,
        cron_level: str = "user",
        owner_id: str | None = None,
        *,
        propose: bool = False,
        progress: Callable[[str], None] = lambda told: None,
        asking: Callable[[str], None] = lambda told: None,
    ) -> CycleReport:
        """Run one cycle of a cron now; iterating the report gives what it did.

        What is learnt is stored before a model is asked, and stays whatever that answers.

        Args:
            cron_level: ``user``: runs become tools and insights; ``team``, ``system``: what people
                and teams have in common, and what may be shared.
            owner_id: Whose: the user of this object, its team, or ``system`` when left out.
            propose: Of a user's cycle: ask the model for what was not found; all of it may cost
                ``max_cost_usd``.
            progress: Told the goal that is being looked at.
            asking: Told what the model is asked about.

        Raises:
            UserError: There is no such level, or no team.
            NeedsProcessor: The model is to be asked and there is none; nothing was begun.
            PermissionDenied: The cron is not this user's to run.
        """
        level, owner = self._cron(cron_level, owner_id)
        processor = self._processor() if propose and level is CronLevel.USER else None
        report = await asyncio.to_thread(self.run_cycle, level, owner, progress)
        if processor is None:
            return report
        return replace(report, learnt=await self._propose(processor, report.learnt, asking))

    def run_cycle(
        self,
        level: CronLevel,
        owner: str,
        progress: Callable[[str], None] = lambda told: None,
    ) -> CycleReport:
        """One cycle of a cron; blocks. Who may ask for it is not looked at here."""
        return run_cycle(self._crons(), level, owner, progress)

    def _cron(self, level: str, owner: str | None) -> tuple[CronLevel, str]:
        """The cron that is meant, if this user may run it."""
        if level not in list(CronLevel):
            raise UserError(
                f"there is no cron of level {level!r}", "use 'user', 'team' or 'system'"
            )
        own = {"user": self._user_id, "team": self._team_id, "system": "system"}[level]
        whose = owner if owner is not None else own
        if whose is None:
            raise UserError("you are of no team", "name it: --team TEAM")
        if level == "user" and whose != self._user_id:
            raise PermissionDenied(f"the traces of {whose!r} are not yours")
        if level == "team":
            self.get_team_volume(whose).get_stats()  # only its members may
        return CronLevel(level), check_name(whose, f"{level} id")

    # --- sharing -----------------------------------------------------------------------------

    def list_proposals(self, *, everything: bool = False, limit: int = 100) -> list[Promotion]:
        """What may be shared, from or to the volumes that the user may read, newest first.

        Args:
            everything: Also what is decided.
            limit: How many at most.
        """
        status = None if everything else ProposalStatus.PROPOSED
        return self._deciding().listed(status, limit)

    def get_evolution_proposals(
        self, volume_type: str = "user", owner_id: str | None = None
    ) -> list[dict[str, Json]]:
        """Open proposals from or to one volume, as JSON."""
        own = {"user": self._user_id, "team": self._team_id, "system": "system"}
        place = Place(volume_type, owner_id or own.get(volume_type) or "")  # type: ignore[arg-type]
        found = self.list_proposals()
        return [p.as_dict() for p in found if place in (p.source, p.target)]

    def may_decide(self, promotion: Promotion) -> bool:
        """Whether a proposal waits for this user."""
        return self._deciding().may_decide(promotion)

    def approve_proposal(self, which: str) -> Promotion:
        """Agree to a proposal; see `Deciding.approve`."""
        return self._deciding().approve(which)

    def reject_proposal(self, which: str, why: str = "") -> Promotion:
        """Say no to a proposal; see `Deciding.reject`."""
        return self._deciding().reject(which, why)

    def promote_tool(self, name: str, team: str | None = None) -> Promotion:
        """Share a tool with a team, or a team's tool with all; see `Deciding.promote`."""
        target = Place("team", team) if team is not None else Place("system", "system")
        return self._deciding().promote(name, target)

    def recall_tool(self, name: str, why: str = "") -> list[Version]:
        """Take a tool back from all it was shared with; see `Deciding.recall`."""
        return self._deciding().recall(name, why)

    def keep_private(self, private: bool = True) -> None:
        """Keep the user's volume from the crons of teams and of the system, or no longer."""
        me = Caller.person(self._user_id)
        change = keep_private if private else share
        place = Place("user", self._user_id)
        self._kernel.store.write(lambda tx: change(tx, me, place, "volume"))

    def get_team_volume(self, team_id: str | None = None) -> Volume:
        """A team's volume; only its members may read it.

        Raises:
            UserError: No team is named and the user is of none.
        """
        team = team_id or self._team_id
        if team is None:
            raise UserError("you are of no team", "name it: --team TEAM")
        return Volume(self._kernel.store, "team", team, caller=Caller.person(self._user_id))

    def get_system_volume(self) -> Volume:
        """The volume that everybody may read."""
        me = Caller.person(self._user_id)
        return Volume(self._kernel.store, "system", "system", caller=me)

    def _crons(self) -> CronContext:
        registry = self._kernel.registry
        return CronContext(
            self._kernel.store,
            self.traces,
            self._kernel.config,
            self._compiler,
            {tool.name: tool.effect for tool in registry},
        )

    def _deciding(self) -> Deciding:
        return Deciding(self._crons(), self._user_id)

    async def _propose(
        self, processor: Processor, report: LearnReport, asking: Callable[[str], None]
    ) -> LearnReport:
        team = [f"team:{self._team_id}"] if self._team_id else []
        scopes = ["system", *team, f"user:{self._user_id}"]
        envelope = Envelope(self.economy, scopes, new_id(), "llmos sleep --propose")
        return await propose_more(
            self._compiler(self._user_id),
            Model(processor, envelope, self._clock(), self._cwd),
            report,
            max_cost_usd=self._kernel.config.max_cost_usd,
            seconds=self._kernel.config.learn_seconds,
            asking=asking,
        )

    def get_user_volume(self, user_id: str | None = None) -> Volume:
        """The user's volume.

        Raises:
            PermissionDenied: It is another user's.
        """
        if user_id not in (None, self._user_id):
            raise PermissionDenied(f"the volume of {user_id!r} is not yours")
        me = Caller.person(self._user_id)
        return Volume(self._kernel.store, "user", self._user_id, caller=me)

    def get_mirror(self) -> Mirror:
        """The files that show what volumes hold."""
        return Mirror(self._kernel.store.home, self._kernel.store, Caller.person(self._user_id))

    def get_usage(self, artifact: Artifact) -> UsageStats:
        """What came of the uses of an artifact, in all its versions."""
        return self._kernel.store.read(lambda c: usage_stats(c, artifact))

    def get_payback(self, artifact: Artifact, tool: LearntTool) -> Payback:
        """What a learned tool has cost, and what its runs are estimated to have saved."""
        return self._kernel.store.read(lambda c: payback(c, artifact, tool))

    def get_audits(self, tool: str | None = None) -> AuditStats:
        """What audits say of free runs: of all, or of those of one tool.

        Args:
            tool: Its name; all tools and traces when left out.
        """
        place = self.get_user_volume().place
        return self._kernel.store.read(lambda c: audit_stats(c, place, tool=tool))

    def get_audit(self, trace_id: str) -> Audit | None:
        """How a run compares with a free one; None if it was not drawn for that."""
        return self._kernel.store.read(lambda c: audit_of(c, trace_id))

    def list_audits(self, limit: int = 20) -> list[AuditRow]:
        """The last audits, the newest first."""
        place = self.get_user_volume().place
        return self._kernel.store.read(lambda c: newest_audits(c, place, limit))

    def get_freeze(self) -> str | None:
        """Why no new tool comes into use now, or None."""
        place, budget = self.get_user_volume().place, self._kernel.config.error_budget
        return self._kernel.store.read(lambda c: freeze(c, place, budget))

    def lift_freeze(self, why: str = "") -> bool:
        """Let the audits so far no longer keep new tools out of use; whether there were any."""
        place = self.get_user_volume().place
        return self._kernel.store.write(lambda tx: lift(tx, place, user_id=self._user_id, why=why))

    def preview(self, trace: Trace, cwd: Path) -> Preview:
        """What following ``trace`` would check and write, without doing it.

        Args:
            trace: With the paths of ``cwd``, as `LLMOS.explain` returns it.
            cwd: The working directory, resolved.
        """
        return preview(trace, self._kernel.observer, cwd)

    def writes_in_doubt(self) -> list[Intent]:
        """External writes of which nobody knows whether they happened, oldest first."""
        return self._kernel.intents.in_doubt()

    def resolve_write(self, intent: str, happened: bool) -> None:
        """Say what became of an external write in doubt.

        Args:
            intent: Its id.
            happened: Whether it happened; if not, it may be tried again.

        Raises:
            UserError: There is no such write.
        """
        self._kernel.intents.resolve(intent.strip().upper(), happened, user_id=self._user_id)

    def subscribe(self, size: int = 1000) -> Subscription[EventRow]:
        """Listen to events as they are committed; iterate it. Must be called on a running loop.

        Args:
            size: Events kept for a listener that is behind; the oldest are dropped beyond it.
        """
        return self._kernel.bus.subscribe(size)
