"""`os.kernel`: what can be asked of a running LLM OS, in one place. A thin façade."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import cast

from llmos.config import LLMOSConfig
from llmos.cortex.agents import Agents, check_file
from llmos.cortex.agents.model_records import ModelRecords
from llmos.cortex.agents.selection import Record
from llmos.cortex.tool_search.offer import stored_offer
from llmos.crons import CronLevel, CycleReport, agent_changes
from llmos.crons.carriers import PlainCarrier
from llmos.crons.context import CronContext
from llmos.crons.cycles import run_cycle
from llmos.crons.deciding import Deciding
from llmos.crons.engine import CronEngine
from llmos.crons.holding import PROGRAM, CronsElsewhere
from llmos.crons.rewriting import Rewriting
from llmos.crons.status import CronStatus
from llmos.crons.wording import Wording
from llmos.errors import ConfigError, PermissionDenied, StoreError, UserError
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
from llmos.kernel.sweep import sweep, untouched_for
from llmos.memory.traces import Traces
from llmos.observability import ActivityReport, FeedEntry, ObservabilityHub, activity_report
from llmos.observability.harmless import harmless
from llmos.observability.report import LINES
from llmos.observability.report_html import as_html
from llmos.observability.report_text import as_markdown, as_text
from llmos.observability.rows import Reader
from llmos.observability.summary import global_summary, use_of
from llmos.observability.waiting import Waiting, waiting_for
from llmos.plugins.told import PluginRow, plugin_rows
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
from llmos.values import ArtifactType, Audit, Clock, Json, Processor, Trace, check_name, utc_now
from llmos.volumes import (
    Access,
    Artifact,
    Caller,
    Change,
    Mirror,
    Place,
    Status,
    UsageStats,
    Version,
    Volume,
    require,
    usage_stats,
)
from llmos.volumes.meant import Purge, is_run, subject_of
from llmos.volumes.privacy import Kept, keep_private, list_private, share
from llmos.volumes.projects import MadeGeneral, make_general
from llmos.volumes.records import VolumeType
from llmos.volumes.taking_back import find_happening, take_back

_FORMS = {"text": as_text, "markdown": as_markdown, "html": as_html}


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
        crons: Makes or returns the engine of the crons.
        project: The project that is worked in.
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
        crons: Callable[[], CronEngine] | None = None,
        project: str | None = None,
    ) -> None:
        self._kernel = kernel
        self._project = project
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
        return harmless("\n".join(lines))

    def get_activity_report(self, since_hours: float = 24, limit: int = LINES) -> ActivityReport:
        """What happened, what it saved and what needs the user.

        Args:
            since_hours: How far to look back.
            limit: Lines of a section at most.
        """
        now = self._clock()
        since = now - timedelta(hours=since_hours)
        store, user = self._kernel.store, self._user_id
        return store.read(lambda c: activity_report(c, user, since, now, limit))

    def format_activity_report(self, since_hours: float = 24, format: str = "text") -> str:
        """The report to print: as ``text``, ``markdown``, or ``html``, a page of its own.

        Raises:
            UserError: There is no such format.
        """
        if format not in _FORMS:
            raise UserError(f"there is no format {format!r}", f"use one of {', '.join(_FORMS)}")
        return _FORMS[format](self.get_activity_report(since_hours))

    def get_global_activity_summary(self, since_hours: float = 24) -> dict[str, Json]:
        """Numbers of what happened in the user's, their teams' and the system's volumes."""
        now = self._clock()
        since = now - timedelta(hours=since_hours)
        return self._kernel.store.read(lambda c: global_summary(c, self._user_id, since, now))

    def get_waiting(self) -> list[Waiting]:
        """Suggestions, proposals that the user decides, and external writes in doubt."""
        store, now = self._kernel.store, self._clock()
        return store.read(lambda c: waiting_for(c, Reader.of(c, self._user_id), now))

    def get_artifact_changes(
        self, volume_type: VolumeType = "user", owner_id: str | None = None, limit: int = 50
    ) -> list[Change]:
        """What was done with artifacts, the newest first.

        Args:
            volume_type: ``user``, ``team`` or ``system``.
            owner_id: Whose volume; the user's own, or that of their team, when left out.
            limit: How many at most.
        """
        return self.get_volume(volume_type, owner_id).get_recent_changes(limit)

    def analyze_volume(
        self, volume_type: VolumeType = "user", owner_id: str | None = None
    ) -> dict[str, Json]:
        """Numbers of a volume: by type and status, uses, estimated savings, frequent goals."""
        volume = self.get_volume(volume_type, owner_id)
        place, store = volume.place, self._kernel.store
        return volume.get_stats() | store.read(lambda c: use_of(c, place.volume, place.owner))

    def is_event(self, named: str) -> bool:
        """Whether an id, or the last six characters of it, is that of an event or a cycle.

        Raises:
            UserError: It is that of several.
        """
        find = find_happening
        return self._kernel.store.read(lambda c: find(c, named, self._user_id)) is not None

    def take_back(self, named: str) -> list[str]:
        """Take back what an event tells, or all that a cycle did; what was done, a line each.

        Raises:
            UserError: There is no such event, or something came after it.
            PermissionDenied: The volume is not the user's to change.
        """
        return self._kernel.store.write(lambda tx: take_back(tx, named, self._user_id))

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
        report = await self._run_now(level, owner, progress)
        if processor is None:
            return report
        more = await self._propose(processor, report.learnt, asking, self._policy())
        return replace(report, learnt=more)

    def run_cycle(
        self,
        level: CronLevel,
        owner: str,
        progress: Callable[[str], None] = lambda told: None,
    ) -> CycleReport:
        """One cycle of a cron; blocks. Who may ask for it is not looked at here."""
        return run_cycle(self._cron_context(), level, owner, progress)

    async def _run_now(
        self, level: CronLevel, owner: str, progress: Callable[[str], None]
    ) -> CycleReport:
        """One cycle by the engine of this process, or by one for this cycle alone."""
        raised: list[Exception] = []

        def work(level: CronLevel, owner: str) -> CycleReport:
            try:
                return self.run_cycle(level, owner, progress)
            except Exception as e:
                raised.append(e)  # the engine notes it as a failure and goes on
                raise

        store, plain = self._kernel.store, PlainCarrier()
        running = self._crons() if self._crons is not None else None
        if running is None or not running.running:
            running = CronEngine(store, work, clock=self._clock, carrier=plain, poll_s=None)
        report = await running.run_now(level, owner)
        if raised:
            raise raised[0]
        if report.error:
            raise StoreError(f"the cycle failed: {report.error}", "see: llmos crons status")
        return report

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
            self.get_team_volume(whose)  # only its members may
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

    def make_general(
        self, type: ArtifactType, name: str, project: str, team: str | None = None, why: str = ""
    ) -> MadeGeneral:
        """Promote what one project has to all of the user's, or the team's, projects and runs.

        Args:
            type: Kind of artifact.
            name: Its name.
            project: Whose it is now.
            team: The team whose project it is; None: the user's own.
            why: For the record.

        Raises:
            UserError: There is no such artifact, or there is another one of that name.
            PermissionDenied: The team's volume is not the user's to change.
        """
        target = self.get_user_volume() if team is None else self.get_team_volume(team)
        place, store = target.place.of(project), self._kernel.store
        source = Volume(store, place.volume, place.owner, caller=target.caller)
        return store.write(lambda tx: make_general(tx, source, target, type, name, why))

    def keep_private(
        self,
        private: bool = True,
        type: ArtifactType | None = None,
        name: str = "",
        project: str | None = None,
    ) -> bool:
        """Keep something of the user's from the crons of teams and of the system, or no longer.

        Args:
            private: Whether they shall not look at it.
            type: Kind of artifact; ``trace`` for a run. The whole volume when left out.
            name: Its name; the id of a run.
            project: In whose volume the artifact lies, or whose whole volume is meant; None for
                the user's own. Runs are the user's, whatever project they are of.

        Returns:
            Whether that is new.

        Raises:
            UserError: There is no such artifact.
        """
        volume = self.get_user_volume()
        if project is not None and not is_run(type, name):
            volume = self.get_user_volume(volume.place.of(project).owner)
        me, place = volume.caller, volume.place
        kind, subject = subject_of(volume, type, name)
        change = keep_private if private else share
        return self._kernel.store.write(lambda tx: change(tx, me, place, kind, subject))

    def get_private(self) -> list[Kept]:
        """What the user keeps private, also of projects: whole volumes first, then the newest."""
        place = Place("user", self._user_id)
        return self._kernel.store.read(lambda c: list_private(c, place))

    def would_purge(
        self,
        type: ArtifactType,
        name: str,
        volume_type: VolumeType = "user",
        owner_id: str | None = None,
    ) -> list[Version]:
        """The versions, in any volume, that `purge` would delete; without their contents.

        Raises:
            PermissionDenied: The user may not purge there.
            UserError: There is no such artifact, or it cannot be purged now.
        """
        purge = Purge(self.get_volume(volume_type, owner_id), type, name)
        return self._kernel.store.read(purge.would_go)

    def purge(
        self,
        type: ArtifactType,
        name: str,
        volume_type: VolumeType = "user",
        owner_id: str | None = None,
        why: str = "",
    ) -> int:
        """Delete an artifact or a run with all that was made from it. It cannot be undone.

        Copies of files that only a purged run needed for its undo go too; those that somebody has
        put in the last hour with a later cycle of the system's cron.

        Args:
            type: Kind of artifact; ``trace`` for a run.
            name: Its name; the id of a run.
            volume_type: Of which volume.
            owner_id: Of which team; the user's by default.
            why: For the record.

        Returns:
            How many versions were deleted.

        Raises:
            PermissionDenied: The user may not purge there.
            UserError: There is no such artifact, or it cannot be purged now.
        """
        store, purge = self._kernel.store, Purge(self.get_volume(volume_type, owner_id), type, name)
        gone = store.write(lambda tx: purge.carry_out(tx, why))
        with suppress(StoreError):  # the cron of the system tries again
            sweep(store, untouched_for(self.config.tool_timeout_s))
        return gone

    def get_team_volume(self, team_id: str | None = None) -> Volume:
        """A team's volume.

        Raises:
            UserError: No team is named and the user is of none.
            PermissionDenied: The user is no member of it.
        """
        team = team_id or self._team_id
        if team is None:
            raise UserError("you are of no team", "name it: --team TEAM")
        me, place, store = Caller.person(self._user_id), Place("team", team), self._kernel.store
        store.read(lambda c: require(c, me, place, Access.READ))
        return Volume(store, "team", team, caller=me)

    def get_system_volume(self) -> Volume:
        """The volume that everybody may read."""
        me = Caller.person(self._user_id)
        return Volume(self._kernel.store, "system", "system", caller=me)

    def _cron_context(self) -> CronContext:
        registry = self._kernel.registry
        return CronContext(
            self._kernel.store,
            self.traces,
            self._kernel.config,
            self._compiler,
            {tool.name: tool.effect for tool in registry},
            self._wording(),
            self._rewriting(),
        )

    def _wording(self) -> Wording | None:
        """Words what cycles find, where the settings want it."""
        kernel = self._kernel
        if not kernel.config.cron_wording:
            return None
        economy, config = kernel.economy, kernel.config
        return Wording(kernel.store, economy, config, self._processor, self._clock, self._cwd)

    def _rewriting(self) -> Rewriting | None:
        """Makes new texts for agents, where the settings want it."""
        kernel = self._kernel
        if not kernel.config.cron_rewriting:
            return None
        return Rewriting(
            kernel.store,
            self.traces,
            kernel.economy,
            kernel.config,
            kernel.registry,
            self._processor,
            self._clock,
            self._cwd,
        )

    def _deciding(self) -> Deciding:
        return Deciding(self._cron_context(), self._user_id)

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
            self._compiler(self._user_id),
            Model(processor, envelope, self._clock(), self._cwd),
            report,
            max_cost_usd=self._kernel.config.max_cost_usd * policy.exploration.value,
            seconds=policy.governed(self._kernel.config).learn_seconds,
            asking=asking,
        )

    def get_user_volume(self, user_id: str | None = None) -> Volume:
        """The user's volume; that of a project of theirs is called ``USER:PROJECT``.

        Raises:
            PermissionDenied: It is another user's.
        """
        owner = user_id or self._user_id
        if owner.partition(":")[0] != self._user_id:
            raise PermissionDenied(f"the volume of {owner!r} is not yours")
        me = Caller.person(self._user_id)
        return Volume(self._kernel.store, "user", owner, caller=me)

    @property
    def agents(self) -> Agents:
        """The agents of the user, their teams and the system: to list, to read and to change."""
        return Agents(self._kernel.store, self._user_id, self._project)

    def agent_models(self, name: str) -> Mapping[str, Record]:
        """What came of the user's runs under an agent, by the model that made them.

        Under its current version and those that differ from it in their model alone; nothing for
        one that is laid aside.
        """
        store, user, kept = self._kernel.store, self._user_id, self.agents.find(name)
        if kept is None or kept.status.out_of_use:
            return {}
        return ModelRecords.of(store, self.agents, user, self.agents.get(name)).records

    @property
    def tool_names(self) -> tuple[str, ...]:
        """Names of the tools that a model may be given."""
        return self._kernel.registry.names

    def list_plugins(self) -> list[PluginRow]:
        """Where the tools come from, and what is wrong with what takes no part."""
        self._kernel.refresh()
        return plugin_rows(self._kernel.registry)

    async def reload_plugins(self) -> list[PluginRow]:
        """Load all plugin files again and ask all MCP servers for their tools; `list_plugins`.

        Runs that are under way keep the tools that they began with.
        """
        await asyncio.to_thread(self._kernel.plugins.refresh, force=True)
        await self._kernel.mcp.read_all()
        return plugin_rows(self._kernel.registry)

    def get_mirror(self) -> Mirror:
        """The files that show what volumes hold."""
        store, me = self._kernel.store, Caller.person(self._user_id)
        return Mirror(store.home, store, me, checks={ArtifactType.AGENT: check_file})

    def get_readable_volumes(self) -> list[Volume]:
        """The volumes that concern the user: their own, those of their teams, the system's."""
        store = self._kernel.store
        places = store.read(lambda c: Reader.of(c, self._user_id)).places
        me = Caller.person(self._user_id)
        return [Volume(store, cast(VolumeType, v), owner, caller=me) for v, owner in places]

    def decide_suggestion(self, volume: Volume, name: str, status: Status) -> bool:
        """Accept a suggestion (``active``) or dismiss it (``archived``); whether that is new.

        What the user's cron suggests of an agent is done by accepting it.

        Raises:
            UserError: There is no such suggestion, or what it is about was changed since.
            PermissionDenied: The volume is not the user's to change.
        """
        before = volume.find(ArtifactType.SUGGESTION, name)
        if status is Status.ACTIVE and (before is None or before.status is not Status.ACTIVE):
            agent_changes.carry_out(self._kernel.store, self._user_id, volume, name)
        why = "accepted" if status is Status.ACTIVE else "dismissed"
        after = volume.set_status(
            ArtifactType.SUGGESTION, name, status, author=self._user_id, why=why
        )
        return before != after

    def get_volume(self, volume_type: VolumeType = "user", owner_id: str | None = None) -> Volume:
        """The user's volume, a team's or the system's.

        Raises:
            UserError: No team is named and the user is of none, or it is not the system's name.
            PermissionDenied: The user may not read it.
        """
        if volume_type == "user":
            return self.get_user_volume(owner_id)
        if volume_type == "team":
            return self.get_team_volume(owner_id)
        if owner_id not in (None, "system"):
            raise UserError(f"the system has no volume of {owner_id!r}", "leave the owner out")
        return self.get_system_volume()

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

    def get_offer(self, trace_id: str) -> Mapping[str, Json] | None:
        """Which tools the model of a run was given and why, and what it searched for.

        Args:
            trace_id: Id of the run; None comes back where all tools were given.
        """
        return stored_offer(self._kernel.store, trace_id)

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
