"""Words for what a cycle has found, by the agent ``cron-analyst`` of the system volume.

Asked for only where the setting ``cron_wording`` is on and there is something to word: a quiet
cycle calls no model. It comes after everything that the cycle does, and it decides nothing. The
model is told facts as data, has no tools, and brings words that are checked (`wording_check`); the
facts are shown beside them in any case. Whatever goes wrong leaves the code's own words and is told
in the report.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from llmos.config import LLMOSConfig
from llmos.cortex.agents import StoredAgent
from llmos.cortex.agents.registry import system_agent
from llmos.crons.cycle import CronLevel, CycleReport, CycleTask
from llmos.crons.wording_check import (
    GOAL,
    LONGEST_TITLE,
    LONGEST_WHY,
    Words,
    checked,
    read_wordings,
)
from llmos.errors import LLMOSError, LowBatteryError
from llmos.evolution.asking import Model, NoAnswer, question_of, shown
from llmos.evolution.hints import Refused
from llmos.kernel.economy import Economy
from llmos.kernel.envelope import Envelope
from llmos.store import Store, Transaction, new_id
from llmos.values import (
    ArtifactType,
    Clock,
    Context,
    Event,
    Json,
    Limits,
    Processor,
    Syscalls,
)
from llmos.volumes import Artifact, Caller, Version, Volume

AGENT = "cron-analyst"
QUESTION = "Word what a cron has found."
"""First line of the question."""

_KINDS = {"insight": ArtifactType.INSIGHT, "suggestion": ArtifactType.SUGGESTION}
_TOGETHER = 6
"""Findings of one question."""
_TEXT = 600
"""Characters kept of one text of a finding."""
_ANSWER = 1_500
"""Tokens that one answer may have, as `Model` asks for it."""
_BYTES = 3
"""For each token, as estimated: rather too many tokens than too few."""
_RULES = (
    'Answer {"findings": [{"title": "…", "why": "…"}, …]}: one for each finding below, in their '
    f"order. A title has at most {LONGEST_TITLE} characters, a why at most {LONGEST_WHY}. Plain "
    "English words and nothing else: no names, paths, addresses, commands, markup or quotes. A "
    f"figure only if it is one of the numbers in the finding's evidence. {GOAL} stands for the "
    "goal of a finding that has a shape; it is put in for you."
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Finding:
    """A finding of this cycle, as it is stored."""

    task: CycleTask
    artifact: Artifact
    version: Version

    @property
    def told(self) -> dict[str, Json]:
        """What the model is told of it."""
        content = self.version.content
        evidence = content.get("evidence")
        facts = evidence if isinstance(evidence, dict) else {}
        kept = {k: v for k, v in facts.items() if k not in ("traces", "failures")}
        return {
            "kind": self.task.kind,
            "title": shown("title", str(content.get("title", "")), _TEXT),
            "text": shown("text", str(content.get("text", "")), _TEXT),
            "evidence": shown("evidence", kept, 2 * _TEXT),
        }


class Wording:
    """Words what cycles find.

    Args:
        store: Of the home.
        economy: Pays.
        config: The settings.
        processor: Makes or returns the model, or raises `NeedsProcessor`.
        clock: Returns the present.
        cwd: The working directory, for the model.
    """

    def __init__(
        self,
        store: Store,
        economy: Economy,
        config: LLMOSConfig,
        processor: Callable[[], Processor],
        clock: Clock,
        cwd: Path,
    ) -> None:
        self._store = store
        self._economy = economy
        self._config = config
        self._processor = processor
        self._clock = clock
        self._cwd = cwd

    def word(self, report: CycleReport, volume: Volume) -> CycleReport:
        """The report of a cycle with words for what it found, and what they cost.

        Blocks, in a thread of its own event loop. Raises nothing: wording is worth no failure.

        Args:
            report: What the cycle did, all of it stored.
            volume: Of the cron, as it may write it.
        """
        if not any(task.kind in _KINDS for task in report):
            return report
        work = _Work(self, report, volume)
        try:
            asyncio.run(work.run())
        except LLMOSError as e:
            work.trouble.append(e.message)
        except Exception as e:
            _log.debug("wording failed", exc_info=True)
            work.trouble.append(f"{type(e).__name__}: {e}")
        return work.report()

    def agent(self, level: CronLevel, owner: str) -> StoredAgent:
        """The agent, read as the cron may: a user's cron reads as its user does.

        Raises:
            UserError: It was laid aside, or cannot be read.
        """
        if level is CronLevel.USER:
            caller = Caller.person(owner)
        else:
            team = level is CronLevel.TEAM
            caller = Caller.team_cron(owner) if team else Caller.system_cron()
        return system_agent(self._store, AGENT, caller)

    def model(self, agent: StoredAgent, level: CronLevel, owner: str) -> Model:
        """Who is asked: the processor as the agent, paid from the cron's own budget.

        Raises:
            NeedsProcessor: There is none.
            LowBatteryError: It may cost nothing, and would.
        """
        mine = [] if level is CronLevel.SYSTEM else [f"{level.value}:{owner}"]
        scopes = ["system", *mine, f"cron:{level.value}:{owner}"]
        note = f"{level.author}: wording"
        envelope = Envelope(self._economy, scopes, new_id(), note)
        processor = _Acting(self._processor(), agent)
        if self.max_cost_usd <= 0 and not processor.free:
            raise LowBatteryError("the wording of a cycle may cost nothing")
        return Model(processor, envelope, self._clock(), self._cwd, system=agent.agent.prompt)

    @property
    def tokens(self) -> int:
        """What one cycle may use."""
        return self._config.cron_tokens

    @property
    def max_cost_usd(self) -> float:
        """What one cycle may cost."""
        return self._config.cron_max_cost_usd

    @property
    def store(self) -> Store:
        """Of the home."""
        return self._store


class _Acting:
    """A processor that works with the model that an agent wants, where it can choose."""

    def __init__(self, processor: Processor, agent: StoredAgent) -> None:
        self.name = processor.name
        self.free = bool(getattr(processor, "free", False))
        self._processor = processor
        self._model = agent.agent.model

    def run(
        self, goal: str, context: Context, syscalls: Syscalls, limits: Limits
    ) -> AsyncIterator[Event]:
        """As the processor does."""
        return self._processor.run(goal, replace(context, model=self._model), syscalls, limits)

    async def aclose(self) -> None:
        """The processor is another's."""


class _Work:
    """The wording of one cycle."""

    def __init__(self, wording: Wording, report: CycleReport, volume: Volume) -> None:
        self._wording = wording
        self._report = report
        self._volume = volume
        self._model: Model | None = None
        self._worded: dict[tuple[str, str], str] = {}
        self.trouble: list[str] = []
        """Why something was not worded."""

    async def run(self) -> None:
        """Ask, check, store."""
        wording, report = self._wording, self._report
        findings = await asyncio.to_thread(self._findings)
        if not findings:
            return
        agent = await asyncio.to_thread(wording.agent, report.level, report.owner)
        self._model = model = wording.model(agent, report.level, report.owner)
        async with model.paid(wording.max_cost_usd):
            for k in range(0, len(findings), _TOGETHER):
                some = findings[k : k + _TOGETHER]
                try:
                    words = await self._ask(model, agent, some)
                except (NoAnswer, Refused) as e:
                    self.trouble.append(str(e))
                    if isinstance(e, NoAnswer):
                        return
                    continue
                await asyncio.to_thread(self._keep, some, words, model.by, agent.label)

    def report(self) -> CycleReport:
        """The report of the cycle, completed."""
        report, model = self._report, self._model
        why = f"not worded: {'; '.join(dict.fromkeys(self.trouble))}" if self.trouble else ""
        return replace(
            report,
            tasks=tuple(
                replace(t, worded=self._worded.get((t.kind, t.subject), "")) for t in report.tasks
            ),
            why="; ".join(part for part in (report.why, why) if part),
            tokens=report.tokens + (model.usage.total_tokens if model else 0),
            cost_usd=report.cost_usd + (model.cost_usd if model else 0.0),
        )

    def _findings(self) -> list[Finding]:
        found = []
        for task in self._report.tasks:
            type = _KINDS.get(task.kind)
            artifact = self._volume.find(type, task.subject) if type else None
            if type and artifact is not None:
                found.append(Finding(task, artifact, self._volume.get(type, task.subject)))
        return found

    async def _ask(
        self, model: Model, agent: StoredAgent, findings: Sequence[Finding]
    ) -> list[Words]:
        told = {"findings": [finding.told for finding in findings]}
        question = question_of(QUESTION, _RULES, told)
        left = self._wording.tokens - model.usage.total_tokens
        size = len(f"{agent.agent.prompt}{question}".encode()) // _BYTES + _ANSWER
        if size > left:
            raise NoAnswer(
                f"budget exhausted: a question may use {size:,} tokens, and {max(0, left):,} of "
                f"the {self._wording.tokens:,} of a cycle are left"
            )
        answer = await model.ask(question)
        return read_wordings(answer, [finding.version.content for finding in findings])

    def _keep(
        self, findings: Sequence[Finding], words: Sequence[Words], by: str, label: str
    ) -> None:
        for finding, said in zip(findings, words, strict=True):
            try:
                shown_as = checked(said, finding.version.content)
            except Refused as e:
                self.trouble.append(f"{finding.task.subject}: {e}")
                continue
            worded = {"title": shown_as.title, "why": shown_as.why, "by": by, "agent": label}
            if self._wording.store.write(partial(self._put, finding=finding, worded=worded)):
                line = f"{shown_as.title} · {shown_as.why}"
                self._worded[finding.task.kind, finding.task.subject] = line

    def _put(self, tx: Transaction, *, finding: Finding, worded: Mapping[str, Json]) -> bool:
        """Store the words beside the facts, unless somebody has touched the finding meanwhile."""
        type, name = finding.artifact.type, finding.artifact.name
        now = self._volume.find(type, name, tx=tx)
        if now is None or now != finding.artifact:
            return False
        author = self._report.level.author
        self._volume.put(
            tx,
            type,
            name,
            {**finding.version.content, "worded": dict(worded)},
            author=author,
            lineage=finding.version.lineage,
            note=f"worded by {worded['agent']}"[:200],
            status=finding.artifact.status,
            automatic=True,
        )
        return True
