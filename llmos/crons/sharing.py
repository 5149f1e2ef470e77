"""Sharing a tool with more people: the gates, what they look at, and the promotion itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from llmos.crons import findings
from llmos.crons.context import CronContext
from llmos.crons.cycle import CronLevel, CycleTask
from llmos.errors import LLMOSError
from llmos.evolution import gates, proposals
from llmos.evolution.disclosure import shared_content, telling, vocabulary
from llmos.evolution.gates import Gate, Light
from llmos.evolution.proposals import Promotion, ProposalStatus
from llmos.evolution.reproof import Reproof, reprove
from llmos.evolution.standing import Standing, standing
from llmos.evolution.tool import LearntTool
from llmos.store import Transaction
from llmos.values import ArtifactType, EventType, Json, Trace
from llmos.volumes import Place, Status, Version, Volume
from llmos.volumes.access import Access, Caller, may
from llmos.volumes.privacy import is_private
from llmos.volumes.promotion import promote
from llmos.volumes.records import place_of
from llmos.volumes.roles import all_teams, members

ULID = 26
"""Characters of the id of a run; digests in a lineage are longer."""

_TOOL = ArtifactType.TOOL


@dataclass(frozen=True)
class Case:
    """One tool that may be shared, and all that the gates need to know of it."""

    promotion: Promotion
    version: Version
    tool: LearntTool
    content: dict[str, Json]
    """What would leave the volume."""
    twins: tuple[Version, ...]
    """Tools of others that are known to do the same."""
    standing: Standing
    reproof: Reproof
    gates: tuple[Gate, ...]

    @property
    def red(self) -> Gate | None:
        """A gate that is closed."""
        return next((g for g in self.gates if g.light is Light.RED), None)

    @property
    def evidence(self) -> dict[str, Json]:
        """What a person decides by."""
        return {
            "why": (self.red or self.gates[0]).why,
            "gates": [g.as_dict() for g in self.gates],
            "use": self.standing.as_dict(),
            "proof": self.reproof.as_dict(),
            "twins": [f"{v.owner}/{v.name}@{v.digest}" for v in self.twins],
        }


Examined = tuple[Promotion, Case | Gate]
"""A proposal and what was found; a gate alone where its source may not be looked at."""


class Sharing:
    """Decides on promotions into one volume.

    Args:
        context: What all cycles share.
        level: Which cron decides: ``team`` or ``system``.
        target: The volume.
        caller: Who that cron is.
    """

    def __init__(
        self, context: CronContext, level: CronLevel, target: Place, caller: Caller
    ) -> None:
        self._context = context
        self._level = level
        self._caller = caller
        self._target = context.volume(target, caller)

    def examine(self, promotion: Promotion) -> Case | Gate:
        """Look at a proposal through all gates, in the runs that the cron may read.

        Returns:
            What was found; the closed gate alone where the source may not be looked at.
        """
        context, place = self._context, promotion.source
        if not context.store.read(lambda c: may(c, self._caller, place, Access.READ)):
            return gates.consent_gate(True)
        source = context.volume(place, self._caller)
        version = source.version(promotion.digest)
        tool = LearntTool.of(version)
        content = shared_content(version.content)
        runs = context.runs(self._caller, self._people(), self._known(version))
        reproof = reprove(tool, runs)
        twins = self._twins(version, reproof, runs)
        digests = [*self._all(source, version), *(t.digest for t in twins)]
        done = context.store.read(lambda c: standing(c, digests))
        active = source.find(_TOOL, version.name)
        in_use = active is not None and active.status is Status.ACTIVE
        rule = context.rule(self._target.place.volume)
        known = context.effects
        looked_at = (
            gates.use_gate(done, rule),
            gates.proof_gate(in_use, tool.proof.risk, context.config.error_budget, reproof),
            gates.privacy_gate(self._own(content, runs), place.owner, _held(content)),
            gates.capability_gate(list(tool.tools), known),
            gates.consent_gate(self._is_private(version)),
            *self._policy(),
        )
        return Case(promotion, version, tool, content, twins, done, reproof, looked_at)

    def settle_all(self, tx: Transaction, found: Sequence[Examined]) -> Iterator[CycleTask | None]:
        """`settle` what was examined, as far as nobody has decided it meanwhile."""
        for promotion, case in found:
            now = proposals.get(tx.conn, promotion.id)
            if now.status is not ProposalStatus.PROPOSED:
                continue
            if isinstance(case, Gate):
                told = {"gates": [case.as_dict()], "why": case.why}
                proposals.note_evidence(tx, now, told)
            else:
                yield self.settle(tx, case)

    def settle(self, tx: Transaction, case: Case) -> CycleTask | None:
        """Apply a proposal whose gates are open, or note what it waits for."""
        promotion = proposals.note_evidence(tx, case.promotion, case.evidence)
        if case.red is not None:
            return None
        if promotion.waits_for:
            return self._ask(tx, promotion)
        return self._apply(tx, promotion, case)

    # --- applying ----------------------------------------------------------------------------

    def _apply(self, tx: Transaction, promotion: Promotion, case: Case) -> CycleTask:
        lineage = [*(t.digest for t in case.twins)]
        why = f"{case.standing}; {case.reproof}"
        made = promote(
            tx,
            case.version,
            self._target,
            author=self._level.author,
            why=why,
            content=case.content,
            lineage=lineage,
        )
        proposals.decide(tx, promotion, ProposalStatus.APPLIED, by=self._level.author, why=why)
        for twin in case.twins:
            other = proposals.find(
                tx.conn,
                twin.digest,
                place_of(twin),
                self._target.place,
            )
            if other is not None and other.status is ProposalStatus.PROPOSED:
                same = f"{made.name} is shared already and does the same"
                by = self._level.author
                proposals.decide(tx, other, ProposalStatus.REJECTED, by=by, why=same)
        self._announce(tx, made, case, why)
        title = f"{made.name} is shared with {self._target.place} now"
        return CycleTask("promotion", made.name, title, why)

    def _announce(self, tx: Transaction, made: Version, case: Case, why: str) -> None:
        promoted = [e.id for e in tx.events if e.type is EventType.ARTIFACT_PROMOTED]
        if not promoted or self._level is CronLevel.SYSTEM:
            return  # it was there already; what everybody has now is in everybody's report
        also = ", ".join(f"{t.name} of {t.owner}" for t in case.twins)
        text = f"{why}." + (f" It also does what {also} does." if also else "")
        findings.tell(
            tx,
            self._target,
            promoted[-1],
            f"{made.name} of {case.version.owner} is shared with {self._target.place}",
            f"{text} Take it back: llmos recall {made.name}",
            "a tool that others have proven is yours to use now",
            f"shared:{made.digest}",
        )

    def _ask(self, tx: Transaction, promotion: Promotion) -> CycleTask | None:
        """Tell those who must decide, once."""
        title = f"share {promotion.name} with {promotion.target}?"
        asked = set(promotion.evidence.get("asked", ()))
        waiting = [who for who in promotion.waits_for if who not in asked]
        for who in waiting:
            why = next(g["why"] for g in promotion.evidence["gates"] if g["who"] == who)
            self._ask_one(tx, promotion, who, title, why)
        if not waiting:
            return None
        proposals.note_asked(tx, promotion, [*asked, *waiting])
        return CycleTask("proposal", promotion.id, title, promotion.evidence["why"])

    def _ask_one(
        self, tx: Transaction, promotion: Promotion, who: str, title: str, why: str
    ) -> None:
        # The one thing that a cron writes into a feed that is not its own volume's: what an owner
        # is asked quotes what nobody else's runs hold, which those of the target must not see.
        place = promotion.source if who == "owner" else promotion.target
        event = tx.event(
            EventType.PROPOSAL_CREATED,
            volume=place.volume,
            owner=place.owner,
            actor=self._level.author,
            subject=promotion.id,
            title=title,
            payload={"why": why, "waits_for": who, "name": promotion.name},
        )
        tx.notify(
            event,
            audience=place.volume,
            owner=place.owner,
            title=title,
            description=f"{why}. llmos approve {promotion.id[-6:].lower()}",
            reason="it waits for your decision",
            finding=f"decide:{promotion.id}:{who}",
        )

    # --- what the gates look at --------------------------------------------------------------

    def _people(self) -> list[str]:
        """Whose runs the target's cron may look at."""
        place = self._target.place

        def read(c: Connection) -> list[str]:
            teams = [place.owner] if place.volume == "team" else all_teams(c)
            return sorted({m.user_id for team in teams for m in members(c, team)})

        return self._context.store.read(read)

    def _known(self, version: Version) -> list[str]:
        """Ids of the runs that the version was learnt from."""
        return [i for i in version.lineage if len(i) == ULID]

    def _all(self, source: Volume, version: Version) -> list[str]:
        return [v.digest for v in source.history(_TOOL, version.name)]

    def _policy(self) -> tuple[Gate, ...]:
        if self._context.config.promotion == "auto":
            return ()
        why = "the policy is to review every promotion"
        return (Gate("policy", Light.REVIEW, why, "target"),)

    def _is_private(self, version: Version) -> bool:
        place = place_of(version)

        def read(c: Connection) -> bool:
            kept = is_private(c, place, "volume", "")
            kept = kept or is_private(c, place, "artifact", version.artifact_id)
            return kept or any(is_private(c, place, "trace", t) for t in version.lineage)

        return self._context.store.read(read)

    def _own(self, content: dict[str, Json], runs: Sequence[Trace]) -> list[str]:
        """What of a tool no two users' runs hold, as far as they can be read."""
        known = vocabulary(runs)
        said = [t for t in telling(content) if t.lower() not in known]
        told: dict[str, str] = {}
        for trace in runs:
            told[trace.user_id] = told.get(trace.user_id, "") + _text_of(trace)
        return sorted(t for t in said if sum(_inside(t) in text for text in told.values()) < 2)

    def _twins(
        self, version: Version, reproof: Reproof, runs: Sequence[Trace]
    ) -> tuple[Version, ...]:
        """Tools of other users all of whose runs the tool reproduces."""
        agreed, found = set(reproof.agreed), []
        for user in reproof.users:
            if (version.volume, version.owner) == ("user", user):
                continue
            volume = self._context.volume(Place("user", user), self._caller)
            try:
                theirs = volume.list_artifacts(_TOOL, Status.ACTIVE, limit=1000)
                versions = [volume.get(_TOOL, a.name) for a in theirs]
            except LLMOSError:
                continue
            readable = {t.id for t in runs}
            found += [
                v
                for v in versions
                if v.lineage and set(v.lineage) & readable <= agreed and set(v.lineage) & agreed
            ]
        return tuple(found)


def _held(content: dict[str, Json]) -> list[str]:
    """All texts of a shared content."""
    return [content["code"], *telling(content)]


def _text_of(trace: Trace) -> str:
    """All that a run said and saw, as one text in small letters."""
    told = [trace.goal, *((dict(s.arguments), s.observation) for s in trace.steps)]
    return json.dumps(told, ensure_ascii=False, default=str).lower()


def _inside(text: str) -> str:
    """A text as it stands inside of JSON, in small letters."""
    return json.dumps(text, ensure_ascii=False)[1:-1].lower()
