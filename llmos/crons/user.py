"""UserCron: what one user's runs have in common, what can be learnt of them, what keeps failing.

One cycle compiles the runs that are new into tools, counts them into patterns, says what it found,
and asks to share the tools that have proven themselves. The compiler commits its own work; the rest
is one transaction with the watermark: a cycle that dies is done again and nothing is there twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from llmos.crons import across, findings, patterns, refinement, side_exits
from llmos.crons.context import CronContext
from llmos.crons.cycle import CronLevel, CycleReport, CycleTask
from llmos.crons.findings import Finding, milestone
from llmos.crons.patterns import Pattern
from llmos.evolution import proposals
from llmos.evolution.compiler import LearnReport, teaches
from llmos.evolution.prove import MINIMUM
from llmos.evolution.standing import standing
from llmos.evolution.tool import TOOL, LearntTool
from llmos.memory.traces import Scope
from llmos.sentience import Policy
from llmos.store import Transaction
from llmos.values import ArtifactType, Trace
from llmos.volumes import Place, Status, get_watermark, set_watermark
from llmos.volumes.access import Caller
from llmos.volumes.roles import teams_of

WATERMARK = "user-cron"

_LEVEL = CronLevel.USER
_COMMON = 3
"""Runs of a model from which on a goal is said to come back."""
_UNEXPLAINED = 5
"""Runs without a tool from which on it is worth asking a model once."""
_FAILING = 3
"""Failures in a row that are no accident."""


class UserCycle:
    """One cycle for one user.

    Args:
        context: What all cycles share.
        user_id: Whose runs.
        progress: Told the goal that is being looked at.
    """

    def __init__(
        self,
        context: CronContext,
        user_id: str,
        progress: Callable[[str], None] = lambda told: None,
    ) -> None:
        self._context = context
        self._user = user_id
        self._progress = progress
        self._volume = context.volume(Place("user", user_id), Caller.user_cron(user_id))

    def run(self) -> CycleReport:
        """Work through what is new."""
        store, policy = self._context.store, self._context.policy(self._user)
        config = policy.governed(self._context.config) if policy else self._context.config
        budget, compiler = config.cron_runs, self._context.compiler(self._user)
        learnt = compiler.learn(self._progress, budget, seconds=config.learn_seconds)
        since = int(store.read(lambda c: get_watermark(c, WATERMARK, self._volume.place)) or 0)
        scope = Scope(self._user)
        ids, upto = self._context.traces.touched(scope, since, budget, failed=True)
        left = len(self._context.traces.touched(scope, upto, budget, failed=True)[0]) if ids else 0
        found = self._context.traces.by_ids(ids)
        fresh = [found[i] for i in ids if i in found]
        tasks = _of_tools(learnt)
        if fresh or tasks or store.read(lambda c: across.facts_moved(c, self._volume.place)):
            traces, model = self._context.traces, config.model
            seen = refinement.look(store, traces, self._user, fresh, model)
            tasks += store.write(lambda tx: self._note(tx, fresh, seen, learnt, upto))
        return CycleReport(
            _LEVEL,
            self._user,
            tasks=tuple(tasks),
            why=_why(tasks, len(fresh), left, policy),
            looked_at=len(fresh),
            left=left,
            learnt=learnt,
        )

    def _note(
        self,
        tx: Transaction,
        fresh: Sequence[Trace],
        seen: Sequence[refinement.Seen],
        learnt: LearnReport,
        upto: int,
    ) -> list[CycleTask]:
        touched = patterns.count(tx, self._user, fresh)
        for name in (*learnt.created, *learnt.evolved):
            version = self._volume.get(ArtifactType.TOOL, name, tx=tx)
            touched |= patterns.link(tx, self._user, name, version.lineage)
        for name in learnt.retired:
            touched |= patterns.unlink(tx, self._user, name)
        why = {_open(goal): reason for goal, _, reason in learnt.unlearnt}
        tasks: list[CycleTask | None] = []
        known = list(self._touched(tx, touched))
        for pattern in known:
            tasks += self._say(tx, pattern, why, fresh)
        tasks += across.say(tx, self._volume, _LEVEL, self._user, known, fresh)
        tasks += side_exits.say(tx, self._volume, _LEVEL, self._user, fresh)
        tasks += refinement.say(tx, self._volume, _LEVEL, seen)
        tasks += self._flag(tx, fresh)
        set_watermark(tx, WATERMARK, self._volume.place, str(upto))
        return [task for task in tasks if task is not None]

    def _touched(self, tx: Transaction, keys: Collection[str]) -> Iterator[Pattern]:
        """The patterns with these keys; all that one tool does is one."""
        tools: set[str] = set()
        for key in sorted(keys):
            pattern = patterns.find(tx.conn, self._user, key)
            if pattern is None or pattern.tool in tools:
                continue
            if pattern.tool is None:
                yield pattern
                continue
            tools.add(pattern.tool)
            template = str(self._tool(tx, pattern.tool).templates[0])
            told = _open(template[:1].upper() + template[1:])
            yield patterns.of_tool(tx.conn, self._user, pattern.tool, told)

    def _tool(self, tx: Transaction, name: str) -> LearntTool:
        return LearntTool.of(self._volume.get(ArtifactType.TOOL, name, tx=tx))

    # --- what is found -----------------------------------------------------------------------

    def _say(
        self, tx: Transaction, pattern: Pattern, why: Mapping[str, str], fresh: Sequence[Trace]
    ) -> list[CycleTask | None]:
        volume, said = self._volume, []
        if pattern.tool is not None:
            said.append(findings.keep(tx, volume, _LEVEL, self._learnt(tx, pattern)))
            gone = f"{pattern.tool} does it now"
            said.append(self._withdraw(tx, f"propose-{pattern.slug}", gone))
            said.append(self._withdraw(tx, f"vouch-{pattern.slug}", gone))
        elif pattern.model_runs >= _COMMON:
            reason = why.get(pattern.shape, "")
            said.append(findings.keep(tx, volume, _LEVEL, _recurring(pattern, reason)))
            said += self._suggest(tx, pattern, reason, fresh)
        if pattern.model_runs >= _UNEXPLAINED or pattern.runs >= _UNEXPLAINED:
            said.append(findings.keep(tx, volume, _LEVEL, _summary(pattern)))
        if pattern.failing >= _FAILING:
            said.append(findings.keep(tx, volume, _LEVEL, _failing(pattern, fresh)))
        elif pattern.failing == 0:
            name = f"failing-{pattern.slug}"
            why_not = "it has worked since"
            insight = ArtifactType.INSIGHT
            said.append(findings.withdraw(tx, volume, _LEVEL, insight, name, why_not))
        return said

    def _withdraw(self, tx: Transaction, name: str, why: str) -> CycleTask | None:
        return findings.withdraw(tx, self._volume, _LEVEL, ArtifactType.SUGGESTION, name, why)

    def _learnt(self, tx: Transaction, pattern: Pattern) -> Finding:
        assert pattern.tool is not None
        artifact = self._volume.find(ArtifactType.TOOL, pattern.tool, tx=tx)
        state = artifact.status.value if artifact is not None else "gone"
        proof = self._tool(tx, pattern.tool).proof
        does = {
            "active": f"now the tool {pattern.tool} does it without a model",
            "shadowing": f"the tool {pattern.tool} is learnt and waits until audits are clean",
        }.get(state, f"its tool {pattern.tool} is {state}")
        return Finding(
            ArtifactType.INSIGHT,
            f"recurring-{pattern.slug}",
            f"“{pattern.title}” is common: {_counts(pattern)}; {does}",
            f"{pattern.tool} explains {proof.runs} runs and said {proof.agreed} more before it had "
            f"seen them; its risk is {proof.risk:.4f}. See it: llmos tools show {pattern.tool}",
            {**_evidence(pattern), "tool": pattern.tool, "status": state},
            (milestone(pattern.model_runs), pattern.tool, state),
            tell="it is a job of yours that the system can do by itself now",
        )

    def _suggest(
        self, tx: Transaction, pattern: Pattern, reason: str, fresh: Sequence[Trace]
    ) -> list[CycleTask | None]:
        said: list[CycleTask | None] = []
        unvouched = [
            t for t in fresh if t.id in pattern.traces and t.verdict.good and not teaches(t)
        ]
        if unvouched and not any(t.verdict.evidence for t in unvouched):
            said.append(findings.keep(tx, self._volume, _LEVEL, _vouch(pattern, unvouched)))
        if reason and pattern.model_runs >= _UNEXPLAINED:
            said.append(findings.keep(tx, self._volume, _LEVEL, _ask(pattern, reason)))
        return said

    # --- what may be shared ------------------------------------------------------------------

    def _flag(self, tx: Transaction, fresh: Sequence[Trace]) -> list[CycleTask | None]:
        """Propose to share the tools that were set to work and have done it well."""
        teams = teams_of(tx.conn, self._user)
        used = {
            trace.source.removeprefix(TOOL).partition("@")[0]
            for trace in fresh
            if trace.source.startswith(TOOL)
        }
        return [
            self._flag_one(tx, name, Place("team", team)) for name in sorted(used) for team in teams
        ]

    def _flag_one(self, tx: Transaction, name: str, team: Place) -> CycleTask | None:
        artifact = self._volume.find(ArtifactType.TOOL, name, tx=tx)
        if artifact is None or artifact.status is not Status.ACTIVE:
            return None
        version = self._volume.get(ArtifactType.TOOL, name, tx=tx)
        of_all = [v.digest for v in self._volume.history(ArtifactType.TOOL, name, tx=tx)]
        done, rule = standing(tx.conn, of_all), self._context.rule("team")
        if done.uses < rule.uses or done.success <= rule.success:
            return None
        evidence = {"use": done.as_dict(), "why": str(done)}
        made = proposals.propose(tx, version, team, by=_LEVEL.author, evidence=evidence)
        if made is None:
            return None
        title = f"{name} may be worth sharing with {team.owner}"
        return CycleTask("proposal", made.id, title, str(done))


# --- what a cycle says -----------------------------------------------------------------------


def _of_tools(learnt: LearnReport) -> list[CycleTask]:
    kinds = {
        "is new": learnt.created,
        "has learnt more": learnt.evolved,
        "is out of use": learnt.retired,
        "is in use again": learnt.released,
    }
    return [
        CycleTask("tool", name, f"the tool {name} {what}")
        for what, names in kinds.items()
        for name in names
    ]


def _why(tasks: Sequence[CycleTask], fresh: int, left: int, policy: Policy | None) -> str:
    if left:
        careful = policy is not None and policy.cron_budget.value < 1
        because = f" ({policy.cron_budget.why})" if careful and policy else ""
        return f"budget exhausted: {left} runs or more are left to the next cycle{because}"
    if tasks:
        return ""
    return "nothing new" if not fresh else f"{fresh} new runs, and nothing to say of them"


def _counts(pattern: Pattern) -> str:
    days = "1 day" if pattern.days == 1 else f"{pattern.days} days"
    cost = f", ${pattern.cost_usd:.2f}" if pattern.cost_micro else ""
    return f"{pattern.runs} runs in {days}{cost}"


def _evidence(pattern: Pattern) -> dict[str, object]:
    told = pattern.as_dict()
    return {**told, "traces": told["traces"][:10], "days": pattern.days}


def _recurring(pattern: Pattern, reason: str) -> Finding:
    left = reason or "too few good runs so far"
    return Finding(
        ArtifactType.INSIGHT,
        f"recurring-{pattern.slug}",
        f"“{pattern.shape}” comes back: {_counts(pattern)}",
        f"There is no tool for it yet: {left}.",
        {**_evidence(pattern), "reason": left},
        (milestone(pattern.model_runs), "", ""),
        tell="a goal of yours that comes back may become a tool",
    )


def _failing(pattern: Pattern, fresh: Sequence[Trace]) -> Finding:
    errors = [t.error or t.verdict.value for t in fresh if t.id in pattern.failures]
    last = errors[-1] if errors else "it was said to be wrong"
    return Finding(
        ArtifactType.INSIGHT,
        f"failing-{pattern.slug}",
        f"“{pattern.title}” keeps failing: the last {pattern.failing} runs",
        f"The last of them: {' '.join(last.split())[:200]}",
        {**_evidence(pattern), "failing": pattern.failing, "failures": [*pattern.failures[-10:]]},
        ("failing", milestone(pattern.failing)),
        tell="a goal of yours has failed several times in a row",
    )


def _summary(pattern: Pattern) -> Finding:
    return Finding(
        ArtifactType.TRACE,
        f"family-{pattern.slug}",
        f"“{pattern.title}”: {_counts(pattern)}",
        "A summary of runs; the runs themselves are kept: llmos traces list",
        _evidence(pattern),
        (milestone(pattern.runs),),
    )


def _vouch(pattern: Pattern, unvouched: Sequence[Trace]) -> Finding:
    few = [t.id[-6:].lower() for t in unvouched[-MINIMUM:]]
    command = " && ".join(f"llmos feedback {run} right" for run in few)
    return Finding(
        ArtifactType.SUGGESTION,
        f"vouch-{pattern.slug}",
        f"Say whether “{pattern.shape}” was done right",
        "What cannot be undone is learnt only from runs that somebody vouched for; nobody has "
        f"vouched for the {pattern.model_runs} runs of this goal. {MINIMUM} that were right are "
        f"enough; for the last ones, if they were: {command}",
        _evidence(pattern),
        ("vouch",),
        {"do": "run", "command": command},
    )


def _ask(pattern: Pattern, reason: str) -> Finding:
    return Finding(
        ArtifactType.SUGGESTION,
        f"propose-{pattern.slug}",
        f"Ask a model once about “{pattern.shape}”",
        f"{pattern.model_runs} runs of it have no tool: {reason}. A model may see what explains "
        "them; it costs tokens once, and the same proof decides.",
        _evidence(pattern),
        ("ask",),
        {"do": "run", "command": "llmos sleep --propose"},
    )


def _open(template: str) -> str:
    """A template as shapes are written."""
    return re.sub(r"\{\w+\}", "…", template)
