"""What people decide: to share, not to share, and to take back what was shared."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from llmos.crons.context import CronContext
from llmos.crons.cycle import CronLevel
from llmos.crons.sharing import Sharing
from llmos.errors import PermissionDenied, UserError
from llmos.evolution import proposals
from llmos.evolution.gates import Gate
from llmos.evolution.proposals import Promotion, ProposalStatus
from llmos.store import Transaction
from llmos.values import ArtifactType
from llmos.volumes import Place, Version
from llmos.volumes.access import Access, Caller, may
from llmos.volumes.promotion import recall
from llmos.volumes.roles import teams_of

_TOOL = ArtifactType.TOOL
_SYSTEM = Place("system", "system")


class Deciding:
    """Promotions in the hands of one person.

    Args:
        context: What crons share.
        user_id: Who decides.
    """

    def __init__(self, context: CronContext, user_id: str) -> None:
        self._context = context
        self._user = user_id
        self._caller = Caller.person(user_id)

    def approve(self, which: str) -> Promotion:
        """Agree to a proposal; it is applied at once when nobody else must.

        Raises:
            UserError: It is not open, or a gate is closed.
            PermissionDenied: It is not this person's to decide.
        """
        store = self._context.store
        promotion = store.read(lambda c: proposals.get(c, which))
        self._require_open(promotion)
        parts = store.read(lambda c: self._parts(c, promotion))
        case = self._sharing(promotion.target).examine(promotion)
        if isinstance(case, Gate) or case.red is not None:
            closed = case if isinstance(case, Gate) else case.red
            assert closed is not None
            found = {"gates": [closed.as_dict()]} if isinstance(case, Gate) else case.evidence
            store.write(lambda tx: proposals.note_evidence(tx, promotion, found))
            raise UserError(
                f"{promotion.name} cannot be shared with {promotion.target} now: {closed.why}",
                "it is looked at again when that has changed",
            )

        def write(tx: Transaction) -> Promotion:
            now = proposals.get(tx.conn, promotion.id)
            self._require_open(now)
            for part in parts:
                now = proposals.agree(tx, now, part, self._user)
            again = replace(case, promotion=now)
            self._sharing(now.target).settle(tx, again)
            return proposals.get(tx.conn, now.id)

        return store.write(write)

    def reject(self, which: str, why: str = "") -> Promotion:
        """Say no to a proposal; just this version is never proposed again.

        Raises:
            UserError: It is not open.
            PermissionDenied: It is not this person's to decide.
        """

        def write(tx: Transaction) -> Promotion:
            promotion = proposals.get(tx.conn, which)
            self._require_open(promotion)
            self._parts(tx.conn, promotion)
            return proposals.decide(tx, promotion, ProposalStatus.REJECTED, by=self._user, why=why)

        return self._context.store.write(write)

    def promote(self, name: str, target: Place) -> Promotion:
        """Propose to share a tool now, and share it where all gates are open.

        Args:
            name: A tool of the person's volume, or of a team they look after.
            target: Where to: one of their teams, or the system.

        Raises:
            UserError: A gate is closed; the proposal says which.
        """
        source = self._source(target)
        version = self._context.volume(source, self._caller).get(_TOOL, name)

        def write(tx: Transaction) -> Promotion:
            made = proposals.propose(tx, version, target, by=self._user, evidence={})
            known = made or proposals.find(tx.conn, version.digest, source, target)
            assert known is not None
            return known

        promotion = self._context.store.write(write)
        return self.approve(promotion.id)

    def recall(self, name: str, why: str = "") -> list[Version]:
        """Take back everything that was made of a tool in farther volumes.

        Args:
            name: A tool of the person's volume, of a team they look after, or its digest.
            why: For the record.

        Returns:
            What is out of use now.

        Raises:
            UserError: There is no such tool, or nothing was made of it.
        """
        version = self._shared(name)
        reason = why or f"recalled by {self._user}"

        def write(tx: Transaction) -> list[Version]:
            taken = recall(tx, self._caller, version.digest, reason)
            self._note_recalled(tx, version, reason)
            return taken

        taken = self._context.store.write(write)
        if not taken:
            raise UserError(f"nothing was made of {version.label} in other volumes")
        return taken

    def listed(
        self, status: ProposalStatus | None = ProposalStatus.PROPOSED, limit: int = 100
    ) -> list[Promotion]:
        """Proposals from or to the volumes that the person may read."""
        places = self._context.store.read(self._places)
        return self._context.store.read(lambda c: proposals.listed(c, places, status, limit))

    def may_decide(self, promotion: Promotion) -> bool:
        """Whether a proposal waits for this person."""
        if promotion.status is not ProposalStatus.PROPOSED or not promotion.waits_for:
            return False
        mine = self._context.store.read(lambda c: self._roles(c, promotion))
        return bool(set(mine) & set(promotion.waits_for))

    # --- small things ------------------------------------------------------------------------

    def _places(self, c: Connection) -> list[Place]:
        teams = [Place("team", t) for t in teams_of(c, self._user)]
        return [Place("user", self._user), *teams, _SYSTEM]

    def _roles(self, c: Connection, promotion: Promotion) -> list[str]:
        sides = {"owner": promotion.source, "target": promotion.target}
        return [w for w, p in sides.items() if may(c, self._caller, p, Access.WRITE)]

    def _parts(self, c: Connection, promotion: Promotion) -> list[str]:
        """In which roles the person may decide a proposal."""
        parts = self._roles(c, promotion)
        if not parts:
            raise PermissionDenied(
                f"it is not yours to decide whether {promotion.name} is shared with "
                f"{promotion.target}",
                "its owner and who looks after that volume decide",
            )
        return parts

    @staticmethod
    def _require_open(promotion: Promotion) -> None:
        if promotion.status is not ProposalStatus.PROPOSED:
            raise UserError(
                f"the proposal to share {promotion.name} is {promotion.status.value}",
                "see `llmos proposals --all`",
            )

    def _sharing(self, target: Place) -> Sharing:
        level = CronLevel(target.volume)
        cron = Caller.team_cron(target.owner) if level is CronLevel.TEAM else Caller.system_cron()
        return Sharing(self._context, level, target, cron)

    def _source(self, target: Place) -> Place:
        if target.volume == "team":
            return Place("user", self._user)
        teams = self._context.store.read(lambda c: teams_of(c, self._user))
        if len(teams) != 1:
            raise UserError(
                "a tool comes to everybody from a team, and you are of "
                + (f"several: {', '.join(teams)}" if teams else "none"),
                "promote it to a team first: llmos promote NAME TEAM",
            )
        return Place("team", teams[0])

    def _shared(self, name: str) -> Version:
        """The tool that was shared: the person's own, or one of a volume they look after."""
        places = self._context.store.read(self._places)
        for place in places:
            volume = self._context.volume(place, self._caller)
            if volume.find(_TOOL, name) is not None:
                return volume.get(_TOOL, name)
        raise UserError(f"there is no tool {name!r} in your volumes", "see `llmos tools`")

    def _note_recalled(self, tx: Transaction, version: Version, why: str) -> None:
        for promotion in proposals.made_of(tx.conn, version.digest):
            proposals.decide(tx, promotion, ProposalStatus.RECALLED, by=self._user, why=why)
