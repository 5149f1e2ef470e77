"""`os.kernel`: what can be asked of a running LLM OS, in one place. A thin façade."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from llmos.config import LLMOSConfig
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
from llmos.sentience import (
    InternalState,
    Moment,
    Opportunity,
    Policy,
    detect_improvement_opportunities,
    history,
    internal_state,
)
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
    def config(self) -> LLMOSConfig:
        """The settings of the home."""
        return self._kernel.config

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
        policy = self._policy()
        config = policy.governed(self._kernel.config)
        learn = self._compiler.learn
        report = await asyncio.to_thread(learn, progress, seconds=config.learn_seconds)
        if processor is None:
            return report
        return await self._propose(processor, report, asking, policy)

    async def _propose(
        self,
        processor: Processor,
        report: LearnReport,
        asking: Callable[[str], None],
        policy: Policy,
    ) -> LearnReport:
        team = [f"team:{self._team_id}"] if self._team_id else []
        scopes = ["system", *team, f"user:{self._user_id}"]
        envelope = Envelope(self.economy, scopes, new_id(), "llmos sleep --propose")
        return await propose_more(
            self._compiler,
            Model(processor, envelope, self._clock(), self._cwd),
            report,
            max_cost_usd=self._kernel.config.max_cost_usd * policy.exploration.value,
            seconds=policy.governed(self._kernel.config).learn_seconds,
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

    # --- the internal state ------------------------------------------------------------------

    def get_internal_state(self) -> InternalState:
        """How the user's system stands: four numbers, the mode and the policy they yield."""
        return self._kernel.store.read(lambda c: internal_state(c, self._user_id))

    def get_state_history(self, limit: int = 100) -> list[Moment]:
        """The last events that moved the internal state, the newest first."""
        return self._kernel.store.read(lambda c: history(c, self._user_id, limit))

    def detect_improvement_opportunities(self) -> list[Opportunity]:
        """What could cost less or go wrong less often, the most worthwhile first."""
        return detect_improvement_opportunities(self._kernel.store, self._user_id)

    def _policy(self) -> Policy:
        on = self._kernel.config.enable_sentience
        return self.get_internal_state().policy if on else InternalState().policy

    # --- more -------------------------------------------------------------------------------

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
