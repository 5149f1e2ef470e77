"""`os.kernel`: what can be asked of a running LLM OS, in one place. A thin façade."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from llmos.crons import CronLevel, CycleReport
from llmos.crons.engine import CronEngine
from llmos.crons.holding import PROGRAM, CronsElsewhere
from llmos.crons.learning import learning_cycle
from llmos.crons.status import CronStatus
from llmos.errors import ConfigError, PermissionDenied, UserError
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
from llmos.values import Audit, Clock, Json, Processor, Trace, utc_now
from llmos.volumes import Artifact, UsageStats, Volume, usage_stats


class CognitiveKernel:
    """The query and control API of one user.

    Args:
        kernel: The opened kernel.
        traces: The stored runs.
        user_id: Who asks.
        clock: The clock that the kernel was opened with.
        compiler: Makes tools of the user's traces.
        processor: Makes or returns the model, or raises `NeedsProcessor`.
        team_id: The user's team, whose budget is asked too.
        cwd: The working directory.
        crons: Makes or returns the engine of the crons.
    """

    def __init__(
        self,
        kernel: Kernel,
        traces: Traces,
        *,
        user_id: str,
        clock: Clock = utc_now,
        compiler: Compiler,
        processor: Callable[[], Processor],
        team_id: str | None = None,
        cwd: Path | None = None,
        crons: Callable[[], CronEngine] | None = None,
    ) -> None:
        self._kernel = kernel
        self._crons = crons
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

    @property
    def crons(self) -> CronEngine:
        """The engine of the crons of this home: to pause one, or to run it now."""
        if self._crons is None:
            raise UserError("this kernel was made without crons", "use the one of a booted LLMOS")
        return self._crons()

    def start_crons(
        self, user_id: str | None = None, team_id: str | None = None
    ) -> list[CronStatus]:
        """Have crons for a user, the team and the system, and run those of this home from now on.

        It returns at once: the crons run in threads of their own until `stop_crons`, or until
        the LLM OS is shut down. Where another process runs them already, it goes on doing so.

        Args:
            user_id: Whose; the user of this object.
            team_id: The user's team; that of this object.

        Returns:
            All crons of the home; `CronEngine.running` says whether they run here.

        Raises:
            ConfigError: The setting ``enable_crons`` is off.
        """
        with suppress(CronsElsewhere):
            self.launch_crons(user_id, team_id)
        return self.crons.status()

    def launch_crons(
        self, user_id: str | None = None, team_id: str | None = None, kind: str = PROGRAM
    ) -> None:
        """`start_crons` for whoever is there for nothing else.

        Args:
            user_id: As there.
            team_id: As there.
            kind: ``daemon``, if `llmos crons stop` may end this process.

        Raises:
            CronsElsewhere: Another process runs them.
            ConfigError: The setting ``enable_crons`` is off.
        """
        if not self._kernel.config.enable_crons:
            raise ConfigError(
                "crons are off: the setting 'enable_crons' is false",
                "turn them on: llmos config set enable_crons true",
            )
        self.crons.register(user_id or self._user_id, team_id or self._team_id)
        self.crons.launch(kind)

    def stop_crons(self) -> None:
        """Have the crons that run here end soon. Idempotent; `LLMOS.shutdown` waits for it."""
        self.crons.abandon()

    def get_cron_status(self) -> list[CronStatus]:
        """All crons of the home: users, teams, the system."""
        return self.crons.status()

    def run_cycle(self, level: CronLevel, owner: str) -> CycleReport:
        """Do one cycle of the cron of ``owner``; blocks. The engine calls it in a thread.

        Args:
            level: Whose kind of volume.
            owner: Id of the user or team; ``system``.
        """
        if level is not CronLevel.USER:
            return CycleReport(level, owner, why="nothing new")
        config = self._kernel.config
        compiler = Compiler(
            self._kernel.store,
            self.traces,
            owner,
            seconds=config.learn_seconds,
            error_budget=config.error_budget,
            leave_open=config.leave_open,
        )
        return learning_cycle(compiler, owner)

    async def run_cron_now(
        self,
        cron_level: str = "user",
        owner_id: str | None = None,
        *,
        propose: bool = False,
        progress: Callable[[str], None] = lambda told: None,
        asking: Callable[[str], None] = lambda told: None,
    ) -> LearnReport:
        """Learn from what is new, now: recurring traces become proven tools.

        What is learnt is stored before a model is asked, and stays whatever that answers.

        Args:
            cron_level: ``user``: only a user's own traces are worked through for now.
            owner_id: Whose; the user of this object.
            propose: Ask the model for what was not found; all of it may cost ``max_cost_usd``.
            progress: Told the goal that is being looked at.
            asking: Told what the model is asked about.

        Raises:
            UserError: There is no such level.
            NeedsProcessor: The model is to be asked and there is none; nothing was begun.
            PermissionDenied: The traces are another user's.
        """
        if cron_level != "user":
            raise UserError(f"there is no cron of level {cron_level!r}", "use 'user'")
        if owner_id not in (None, self._user_id):
            raise PermissionDenied(f"the traces of {owner_id!r} are not yours")
        processor = self._processor() if propose else None
        report = await asyncio.to_thread(self._compiler.learn, progress)
        if processor is None:
            return report
        return await self._propose(processor, report, asking)

    async def _propose(
        self, processor: Processor, report: LearnReport, asking: Callable[[str], None]
    ) -> LearnReport:
        team = [f"team:{self._team_id}"] if self._team_id else []
        scopes = ["system", *team, f"user:{self._user_id}"]
        envelope = Envelope(self.economy, scopes, new_id(), "llmos sleep --propose")
        return await propose_more(
            self._compiler,
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
        return Volume(self._kernel.store, "user", self._user_id)

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
