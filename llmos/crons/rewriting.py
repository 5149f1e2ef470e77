"""A new text for an agent that often goes wrong, by reflection on its own runs, as a suggestion.

Only where the setting ``cron_rewriting`` is on. It comes after everything that a user's cycle does,
with a budget of its own, for one agent in a cycle, and for one version again only when there are
plainly more runs. A text is suggested where goals that were held out say that it is better, and
what became of all others is told as an insight. The user decides, as of every suggestion.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from llmos.config import LLMOSConfig
from llmos.cortex.agents import Agents
from llmos.cortex.agents.records import record_of, runs_of
from llmos.crons import findings, refinement
from llmos.crons.cycle import CronLevel, CycleReport, CycleTask
from llmos.crons.examining import Allowed, Examiner, NotWorking, UsedUp, telling_calls
from llmos.crons.findings import Finding
from llmos.crons.rewriting_exams import material_for
from llmos.crons.rewriting_said import Due, Used, finding_of
from llmos.crons.rewriting_search import missing
from llmos.crons.rewriting_try import Came, examined
from llmos.errors import LLMOSError, LowBatteryError, UserError
from llmos.evolution.asking import Model
from llmos.kernel.economy import Economy
from llmos.kernel.envelope import Envelope, is_free
from llmos.kernel.places import Places
from llmos.memory.traces import Traces
from llmos.plugins import Registry
from llmos.store import Store, Transaction, new_id
from llmos.values import ArtifactType, Clock, Processor
from llmos.volumes import Volume

_LEVEL = CronLevel.USER
_REFLECTS = (
    "You help to improve the instructions of an agent. There are no tools here: answer at once, "
    "in JSON."
)

_log = logging.getLogger(__name__)


class Rewriting:
    """Makes new texts for agents.

    Args:
        store: Of the home.
        traces: The stored runs.
        economy: Pays.
        config: The settings.
        registry: The tools that there are.
        processor: Makes or returns the model, or raises `NeedsProcessor`.
        clock: Returns the present.
        cwd: The working directory, for the model.
    """

    def __init__(
        self,
        store: Store,
        traces: Traces,
        economy: Economy,
        config: LLMOSConfig,
        registry: Registry,
        processor: Callable[[], Processor],
        clock: Clock,
        cwd: Path,
    ) -> None:
        self.store = store
        self.traces = traces
        self.economy = economy
        self.registry = registry
        self.processor = processor
        self.clock = clock
        self.cwd = cwd
        self.allowed = Allowed(config.cron_rewriting_tokens, config.cron_rewriting_max_cost_usd)

    def rewrite(self, report: CycleReport, volume: Volume) -> CycleReport:
        """The report of a user's cycle with what came of a new text, and what that cost.

        Blocks, in a thread of its own event loop. Raises nothing: it is worth no failed cycle.

        Args:
            report: What the cycle did, all of it stored.
            volume: Of the cron, as it may write it.
        """
        if not report.looked_at:
            return report
        work = _Work(self, report.owner, volume)
        try:
            asyncio.run(work.run())
        except NotWorking as e:
            work.trouble = str(e)
        except LLMOSError as e:
            work.trouble = f"{e.message} ({e.hint})" if e.hint else e.message
        except Exception as e:
            _log.debug("rewriting failed", exc_info=True)
            work.trouble = f"{type(e).__name__}: {e}"
        why = f"no new text for an agent: {work.trouble}" if work.trouble else ""
        return replace(
            report,
            tasks=(*report.tasks, *work.tasks),
            why="; ".join(part for part in (report.why, why) if part),
            tokens=report.tokens + work.tokens,
            cost_usd=report.cost_usd + work.cost_usd,
        )


class _Work:
    """What one cycle does for the agents of a user."""

    def __init__(self, rewriting: Rewriting, user_id: str, volume: Volume) -> None:
        self._with = rewriting
        self._user = user_id
        self._volume = volume
        self._places = Places.of(rewriting.cwd)
        self._examiner: Examiner | None = None
        self._envelope: Envelope | None = None
        self.tasks: list[CycleTask] = []
        self.trouble = ""

    @property
    def tokens(self) -> int:
        """What was used."""
        return self._examiner.tokens if self._examiner else 0

    @property
    def cost_usd(self) -> float:
        """What was paid."""
        return self._envelope.spent_usd if self._envelope else 0.0

    async def run(self) -> None:
        """Try one agent; say of others why not."""
        for name in await asyncio.to_thread(self._names):
            due = await asyncio.to_thread(self._due, name)
            if due is None:
                continue
            if due.hindered:
                await asyncio.to_thread(self._keep, due, Came(due.hindered))
                continue
            came = await self._try(due)
            await asyncio.to_thread(self._keep, due, came)
            return

    # --- which agent ---------------------------------------------------------------------------

    def _names(self) -> list[str]:
        runs = self._with.store.read(lambda c: runs_of(c, self._user))
        return sorted({run.name for run in runs if run.agent})

    def _due(self, name: str) -> Due | None:
        store = self._with.store
        try:
            stored = Agents(store, self._user).get(name)
        except LLMOSError:
            return None  # laid aside, or no agent any more: its owner's to mend
        record = record_of(store.read(lambda c: runs_of(c, self._user, agent=stored.label)))
        if not refinement.is_due(record):
            return None
        tools = stored.agent.granted(self._with.registry.names)
        given = (store, self._with.traces, self._user, stored, tools, self._places)
        due = Due(stored, record, material_for(*given))
        return None if self._was_tried(due) else due

    def _was_tried(self, due: Due) -> bool:
        if self._volume.find(ArtifactType.SUGGESTION, due.name("reword")) is not None:
            return True  # it waits, or was decided
        known = self._volume.find(ArtifactType.INSIGHT, due.name("tried"))
        if known is None:
            return False
        last = self._volume.changes(known.type, known.name, 1)
        if known.pinned or (last and last[0].by != _LEVEL.author):
            return True  # a person has made it theirs: what came of another try could not be told
        said = self._volume.get(ArtifactType.INSIGHT, known.name).content.get("news")
        return said == list(due.news)

    # --- the try -------------------------------------------------------------------------------

    async def _try(self, due: Due) -> Came:
        if problem := missing():
            raise UserError(problem)
        processor, allowed = self._with.processor(), self._with.allowed
        if allowed.cost_usd <= 0 and not is_free(processor):
            raise LowBatteryError("a new text may cost nothing")
        scopes = ["system", f"user:{self._user}", f"cron:user:{self._user}"]
        self._envelope = Envelope(
            self._with.economy, scopes, new_id(), f"{_LEVEL.author}: rewriting"
        )
        model = Model(
            processor, self._envelope, self._with.clock(), self._with.cwd, system=_REFLECTS
        )
        agent = due.stored.agent
        granted = agent.granted(self._with.registry.names)
        self._examiner = Examiner(
            processor,
            self._envelope,
            model,
            [spec for spec in self._with.registry.specs() if spec.name in granted],
            telling_calls(self._with.registry),
            agent.model,
            allowed,
        )
        async with model.paid(allowed.cost_usd):
            try:
                return await examined(self._examiner, agent, due.material)
            except UsedUp as e:
                return Came(f"the budget was used up before it was judged: {e}")
            except NotWorking as e:
                if not self.tokens:
                    raise  # it cost nothing, and may be mended by the next cycle
                return Came(f"the model stopped working: {e}")
            except Exception as e:  # the search is foreign code
                if not self.tokens:
                    raise
                # What was paid for is told, and not paid for again in every cycle.
                _log.debug("rewriting failed", exc_info=True)
                return Came(f"the search broke: {type(e).__name__}: {str(e)[:200]}")

    # --- what is said --------------------------------------------------------------------------

    def _keep(self, due: Due, came: Came) -> None:
        exams = self._examiner.exams if self._examiner else 0
        used = Used(self.tokens, round(self.cost_usd, 6), exams)
        finding = finding_of(self._user, due, came, used)
        tasks = self._with.store.write(partial(self._put, due=due, finding=finding))
        self.tasks += [task for task in tasks if task is not None]

    def _put(self, tx: Transaction, *, due: Due, finding: Finding) -> list[CycleTask | None]:
        kind, name = ArtifactType.INSIGHT, re.escape(due.stored.agent.name)
        mine, gone = re.compile(rf"tried-{name}-[0-9a-f]{{8}}"), "something newer is known"
        tasks: list[CycleTask | None] = []
        for artifact in self._volume.list_artifacts(kind, limit=1000, tx=tx):
            if mine.fullmatch(artifact.name) and artifact.name != finding.name:
                tasks.append(findings.withdraw(tx, self._volume, _LEVEL, kind, artifact.name, gone))
        return [*tasks, findings.keep(tx, self._volume, _LEVEL, finding)]
