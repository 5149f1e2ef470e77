"""The trace compiler: works through what is new in a user's traces and puts the tools it makes.

A cycle reads only what has happened since the last one. What it made, what it knows and how far
it has come are stored in one transaction, so that a cycle that dies has not been.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from llmos.errors import IntegrityError, UserError
from llmos.evolution.audits import freeze
from llmos.evolution.contents import content_of, note_of
from llmos.evolution.learner import Learner
from llmos.evolution.settle import release, settle
from llmos.evolution.state import learner_from, rest_json, trace_ids
from llmos.evolution.tool import TOOL
from llmos.kernel.places import Places
from llmos.memory.traces import Scope, Traces
from llmos.replay.eligible import EXAMPLE
from llmos.store import Store, Transaction
from llmos.store.schema import REPLAY
from llmos.values import ArtifactType, EventType, Json, Step, Trace, Usage, Verdict
from llmos.volumes import PURGED, Caller, Status, Volume, get_watermark, set_watermark, usage_stats

_log = logging.getLogger(__name__)

WATERMARK = "trace-compiler"

FORMAT = 2
"""How goals are read. What was learnt under another one is learnt anew, from the same traces."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a model proposed, and what became of it."""

    about: str
    """For people: what it was asked."""
    accepted: bool
    told: str
    """What is so now, or why it was refused."""


@dataclass(frozen=True, slots=True)
class LearnReport:
    """What one cycle did."""

    traces: int
    """Good runs that were looked at for the first time."""
    created: tuple[str, ...] = ()
    evolved: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    """Tools that are learnt and not in use, since audits differ too often."""
    released: tuple[str, ...] = ()
    """Tools that had been held and are in use now."""
    frozen: str = ""
    """Why tools are held; "" if they are not."""
    unlearnt: tuple[tuple[str, int, str], ...] = ()
    """Goals that there is no tool for: (wording, runs, why)."""
    seconds: float = 0.0
    proposals: tuple[Proposal, ...] = ()
    """What a model was asked for, in the order of asking."""
    proposer: str = ""
    """The processor and model that was asked; ``""`` where none was."""
    usage: Usage = field(default_factory=Usage)
    """Tokens of the model that was asked."""
    cost_usd: float = 0.0
    stopped: str = ""
    """Why no more was asked, where that was not because all had been."""

    def as_dict(self) -> dict[str, Json]:
        """The report as JSON."""
        return {
            "traces": self.traces,
            "created": list(self.created),
            "evolved": list(self.evolved),
            "retired": list(self.retired),
            "held": list(self.held),
            "released": list(self.released),
            "frozen": self.frozen,
            "unlearnt": [{"goal": g, "runs": n, "reason": why} for g, n, why in self.unlearnt],
            "seconds": round(self.seconds, 3),
            "proposals": [asdict(p) for p in self.proposals],
            "proposer": self.proposer,
            "tokens": self.usage.total_tokens,
            "cost_usd": self.cost_usd,
            "stopped": self.stopped,
        }


class Compiler:
    """Learns from the traces of one user.

    Args:
        store: Where traces and tools are kept.
        traces: The stored runs.
        user_id: Whose.
        seconds: Search time for one family of traces.
        author: Who is said to have made the tools; the user's cron when left out.
        error_budget: Share of wrong free runs up to which new tools come into use.
        leave_open: Whether a tool may leave a value to a model.
    """

    def __init__(
        self,
        store: Store,
        traces: Traces,
        user_id: str,
        *,
        seconds: float = 10.0,
        author: str = "",
        error_budget: float = 0.01,
        leave_open: bool = True,
    ) -> None:
        self._store = store
        self._traces = traces
        self._scope = Scope(user_id)
        caller = Caller.user_cron(user_id, author)
        self._volume = Volume(store, "user", user_id, caller=caller)
        self._seconds = seconds
        self._author = caller.author
        self._error_budget = error_budget
        self._leave_open = leave_open
        self._learner: Learner | None = None
        self._outdated: set[str] = set()
        """Families that were learnt under another format."""
        self._at = -1
        self._purged: str | None = None
        """What `PURGED` said then: what was purged since is not to be put again."""
        self._digests: dict[str, str] = {}
        """Version of each family's tool that holds what is known of it."""
        self._held: list[str] = []
        """Tools that wait until audits are clean again."""

    def learn(
        self,
        progress: Callable[[str], None] = lambda told: None,
        limit: int | None = None,
        *,
        seconds: float | None = None,
    ) -> LearnReport:
        """Learn from what is new; nothing new costs next to nothing.

        Args:
            progress: Told the goal that is being looked at.
            limit: How many runs at most, the oldest first; the rest is left to the next time.
            seconds: Search time for one family, if not that of the compiler.
        """
        began = time.perf_counter()
        since, rest = self._stored()
        self._held = list(rest.get("held", ())) if rest else []
        if rest is not None and rest.get("format", 1) != FORMAT:
            self._outdated, self._learner = set(rest["families"]), None
            since, rest = 0, None
        ids, upto = self._traces.touched(self._scope, since, limit)
        if not ids:
            idle = self._without_news(rest) if rest and self._held else LearnReport(0)
            return replace(idle, seconds=time.perf_counter() - began)
        learner = self._current(since, rest)
        learner.seconds = self._seconds if seconds is None else seconds
        learner.taken = self._taken(learner)
        fresh = self._take(learner, ids)
        learner.learn(progress)
        report = self._put(learner, upto)
        learner.changed = set()
        self._learner, self._at = learner, upto
        unlearnt = (
            *(
                (str(g.template), len(g.traces), g.why or "too few good runs")
                for g in learner.loose
            ),
            *((t.goal, 1, "the goal can be read in two ways") for t in learner.unreadable),
        )
        learner.unreadable = []
        seconds = time.perf_counter() - began
        return replace(report, traces=fresh, unlearnt=unlearnt, seconds=seconds)

    def known(self) -> Learner | None:
        """What is known by now, for `keep`; None where nothing was ever learnt."""
        since, rest = self._stored()
        if rest is None or rest.get("format", 1) != FORMAT:
            return None
        self._learner = None  # what is given away here may be changed and never kept
        learner = self._current(since, rest)
        self._at = since
        learner.taken = self._taken(learner)
        return learner

    def unused(self, name: str) -> bool:
        """Whether a tool has never been set to work, and nobody has said which version counts."""
        tool = self._volume.find(ArtifactType.TOOL, name)
        if tool is None:
            return True
        if tool.pinned or tool.status is not Status.ACTIVE:
            return False
        return self._store.read(lambda c: usage_stats(c, tool)).uses == 0

    def keep(self, learner: Learner, proposals: Sequence[Proposal], by: str) -> LearnReport:
        """Store what a model was asked and what came of it.

        Args:
            learner: What `known` gave, changed since.
            proposals: What was proposed.
            by: The processor and model.

        Raises:
            Overtaken: More has been learnt meanwhile; nothing is stored.
        """
        return self._put(learner, self._at, proposals, by)

    # --- what is known -------------------------------------------------------------------------

    def _taken(self, learner: Learner) -> set[str]:
        """Names of tools that are not the learner's."""
        tools = self._volume.list_artifacts(ArtifactType.TOOL, limit=100_000)
        own = learner.tools.keys() | self._outdated
        return {a.name for a in tools if a.name not in own}

    def _stored(self) -> tuple[int, Mapping[str, Json] | None]:
        text = self._store.read(lambda c: get_watermark(c, WATERMARK, self._volume.place))
        if text is None:
            return 0, None
        kept = json.loads(text)
        return kept["seq"], kept

    def _current(self, since: int, rest: Mapping[str, Json] | None) -> Learner:
        """The learner of the last cycle, from memory if it was this process that made it."""
        place = self._volume.place
        purged = self._store.read(lambda c: get_watermark(c, PURGED, place))
        if self._learner is not None and self._at == since and self._purged == purged:
            return self._learner
        self._purged = purged
        if rest is None:
            return Learner(self._seconds, leave_open=self._leave_open)
        self._digests = dict(rest["families"])
        # By digest: a person may have made another version the current one.
        families = {}
        for name, digest in rest["families"].items():
            try:
                families[name] = self._volume.version(digest).content
            except (IntegrityError, UserError) as e:
                # Nothing is built on what somebody changed behind the store's back, or purged.
                _log.error("what was learnt as %s is given up: %s", name, e.message)
        wanted = trace_ids(rest, *families.values())
        stored = self._traces.by_ids(wanted)
        traces = {i: as_learnt(t) for i, t in stored.items()}
        learner = learner_from(rest, families, traces, seconds=self._seconds)
        learner.leave_open = self._leave_open
        return learner

    def _take(self, learner: Learner, ids: Iterable[str]) -> int:
        stored = self._traces.by_ids(ids)

        def lesson(trace: Trace) -> Trace | None:
            return as_learnt(trace) if teaches(trace) and not learner.knows(trace.id) else None

        # First and each by itself, so that what an audit found is counted once.
        settled = settle(self._store, learner, stored, lesson)
        fresh = len(settled)
        for trace in (t for i, t in stored.items() if i not in settled):
            if trace.source.startswith(TOOL) and trace.verdict is Verdict.REFUTED:
                learner.refute(trace.source.removeprefix(TOOL).partition("@")[0])
                continue
            known = learner.knows(trace.id)
            if known and not teaches(trace):
                learner.forget(trace.id)
            elif not known and teaches(trace):
                learner.add(as_learnt(trace))
                fresh += 1
        return fresh

    # --- what is made --------------------------------------------------------------------------

    def _put(
        self, learner: Learner, upto: int, proposals: Sequence[Proposal] = (), by: str = ""
    ) -> LearnReport:
        contents: Mapping[str, tuple[dict[str, Json], list[str]]] = {
            name: content_of(learner, name)
            for name in sorted(learner.changed & learner.tools.keys())
        }
        digests = dict(self._digests)
        created: list[str] = []
        evolved: list[str] = []
        retired: list[str] = []
        holding = _Holding()

        def write(tx: Transaction) -> None:
            if by and upto != self._seq(tx):
                raise Overtaken
            for proposal in proposals:
                self._tell(tx, proposal, by)
            holding.frozen = freeze(tx, self._volume.place, self._error_budget) or ""
            for name, (content, lineage) in contents.items():
                known = self._volume.find(ArtifactType.TOOL, name, tx=tx)
                if by and known and name not in self._digests:
                    raise Overtaken
                in_use = known is not None and known.status is Status.ACTIVE
                version = self._volume.put(
                    tx,
                    ArtifactType.TOOL,
                    name,
                    content,
                    author=self._author,
                    lineage=lineage,
                    note=note_of(content),
                    status=Status.SHADOWING if holding.frozen and not in_use else Status.ACTIVE,
                    automatic=True,
                )
                digests[name] = version.digest
                now = self._volume.find(ArtifactType.TOOL, name, tx=tx)
                if now is not None and now.current == version.digest:
                    (evolved if known else created).append(name)
                    if holding.frozen and now.status is Status.SHADOWING:
                        holding.held.append(name)
            for name in sorted(learner.retired):
                old = self._volume.find(ArtifactType.TOOL, name, tx=tx)
                if old is not None and not old.status.out_of_use:
                    retired.append(name)
                    why = "runs contradict it"
                    self._volume.set_status(
                        ArtifactType.TOOL,
                        name,
                        Status.QUARANTINED,
                        author=self._author,
                        why=why,
                        tx=tx,
                    )
            for name, into in learner.merged.items():
                old = self._volume.find(ArtifactType.TOOL, name, tx=tx)
                if old is not None and not old.status.out_of_use:
                    why = f"what it does is {into} now"
                    self._volume.archive(
                        ArtifactType.TOOL, name, author=self._author, why=why, tx=tx
                    )
            for name in sorted(self._outdated - learner.tools.keys()):
                old = self._volume.find(ArtifactType.TOOL, name, tx=tx)
                if old is not None and not old.status.out_of_use:
                    why = "learnt anew, its runs make another tool"
                    self._volume.archive(
                        ArtifactType.TOOL, name, author=self._author, why=why, tx=tx
                    )
            waiting = [n for n in self._held if n in learner.tools and n not in holding.held]
            self._hold(tx, holding, waiting, digests)
            families = {n: digests[n] for n in sorted(learner.tools)}
            kept = {"format": FORMAT, "seq": upto, "families": families, **rest_json(learner)}
            self._keep(tx, kept | {"held": holding.held})

        self._store.write(write)
        self._digests, self._held, self._outdated = digests, holding.held, set()
        report = LearnReport(0, tuple(created), tuple(evolved), tuple(retired))
        return holding.told(report)

    def _without_news(self, rest: Mapping[str, Json]) -> LearnReport:
        """Only look whether tools that wait may be used by now."""
        holding = _Holding()

        def write(tx: Transaction) -> None:
            holding.frozen = freeze(tx, self._volume.place, self._error_budget) or ""
            self._hold(tx, holding, self._held, rest["families"])
            if holding.held != self._held:
                self._keep(tx, {**rest, "held": holding.held})

        self._store.write(write)
        return holding.told(LearnReport(0))

    def _hold(
        self, tx: Transaction, holding: _Holding, waiting: list[str], digests: Mapping[str, str]
    ) -> None:
        """Let tools that have waited go on waiting, or put them in use."""
        if holding.frozen:
            # A person may have put one in use, or laid it aside.
            found = {n: self._volume.find(ArtifactType.TOOL, n, tx=tx) for n in waiting}
            holding.held += [n for n, a in found.items() if a and a.status is Status.SHADOWING]
        else:
            holding.released = release(tx, self._volume, waiting, digests, self._author)

    def _keep(self, tx: Transaction, kept: Mapping[str, Json]) -> None:
        text = json.dumps(kept, ensure_ascii=False)
        set_watermark(tx, WATERMARK, self._volume.place, text)

    def _seq(self, tx: Transaction) -> int:
        text = get_watermark(tx.conn, WATERMARK, self._volume.place)
        return int(json.loads(text)["seq"]) if text else 0

    def _tell(self, tx: Transaction, proposal: Proposal, by: str) -> None:
        applied = proposal.accepted
        tx.event(
            EventType.PROPOSAL_APPLIED if applied else EventType.PROPOSAL_REJECTED,
            volume=self._volume.place.volume,
            owner=self._volume.place.owner,
            actor=self._author,
            title=f"{proposal.about}: {proposal.told}",
            payload={**asdict(proposal), "proposed_by": by},
        )


@dataclass
class _Holding:
    """What becomes of new tools in one cycle, as audits are."""

    frozen: str = ""
    """Why no new tool comes into use; "" if they do."""
    held: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)

    def told(self, report: LearnReport) -> LearnReport:
        """The report with it."""
        frozen = self.frozen if self.held else ""
        return replace(report, held=tuple(self.held), released=tuple(self.released), frozen=frozen)


class Overtaken(Exception):
    """Somebody else has stored what this cycle would overwrite since it has looked."""


def teaches(trace: Trace) -> bool:
    """Whether a run is good enough to learn from: vouched for, or good and all of it undoable."""
    if not trace.verdict.good or trace.quarantined or "redacted" in trace.tools.values():
        return False
    if trace.source.startswith((REPLAY, TOOL, EXAMPLE)) and not trace.verdict.evidence:
        return False
    if trace.source.startswith((REPLAY, TOOL)) or not trace.steps or trace.context_digest:
        return False
    if any(s.effect.writes for s in trace.steps[: trace.prefix]):
        return False
    if trace.verdict.evidence:
        return True
    return all(s.footprint.undoable for s in trace.steps if s.effect.writes)


def as_learnt(trace: Trace) -> Trace:
    """A stored run as the learner takes it: its own way, and the goal's folders named as in it."""
    goal = Places.of(Path(trace.cwd)).relative(trace.goal) if trace.cwd else trace.goal
    return replace(trace, goal=goal, steps=own_way(trace))


def own_way(trace: Trace) -> tuple[Step, ...]:
    """The steps that make up the way a model went.

    Without what failed: wrong tries are no part of the way. Without what a replay or a tool had
    looked at before the model took over, if the model looked at it again itself.
    """
    steps = trace.steps[trace.prefix :]
    before = trace.steps[: trace.prefix]
    again = any(b.tool == s.tool and b.arguments == s.arguments for b in before for s in steps)
    return tuple(s for s in (steps if again else trace.steps) if not s.is_error)
