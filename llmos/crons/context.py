"""What all cycles share: the store, the runs, the settings, and the tools that there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from llmos.config import LLMOSConfig
from llmos.crons.rewriting import Rewriting
from llmos.crons.wording import Wording
from llmos.evolution.compiler import Compiler
from llmos.evolution.gates import Rule
from llmos.memory.traces import Traces, newest_good
from llmos.sentience import Policy, take_in
from llmos.store import Store
from llmos.store.schema import traces
from llmos.values import Effect, Trace
from llmos.volumes import Place, Volume, access, privacy
from llmos.volumes.access import Access, Caller

RUNS_EACH = 200
"""Runs of each user that a tool is held against: the newest good ones."""


@dataclass(frozen=True)
class CronContext:
    """Handed to every cycle.

    Attributes:
        compiler: Makes or returns the compiler of a user's traces.
        effects: Effect of every tool that there is.
        wording: Words what cycles find; None where nobody wants that.
        rewriting: Makes new texts for agents; None where nobody wants that.
    """

    store: Store
    traces: Traces
    config: LLMOSConfig
    compiler: Callable[[str], Compiler]
    effects: Mapping[str, Effect] = field(default_factory=dict)
    wording: Wording | None = None
    rewriting: Rewriting | None = None

    def volume(self, place: Place, caller: Caller) -> Volume:
        """A volume, as one caller sees it."""
        return Volume(self.store, place.volume, place.owner, caller=caller)

    def runs(self, caller: Caller, owners: Sequence[str], also: Sequence[str] = ()) -> list[Trace]:
        """Good runs of some users with their steps, as far as the caller may read them.

        Args:
            caller: Who reads.
            owners: Whose: the newest of each.
            also: Ids of runs that are wanted in any case.
        """

        def read(c: Connection) -> list[str]:
            wanted: list[str] = []
            for user in owners:
                place = Place("user", user)
                if access.may(c, caller, place, Access.READ):
                    shown = privacy.shown(place, "trace", traces.c.id)
                    wanted += newest_good(c, user, RUNS_EACH, shown)
                    wanted += [i for i in also if not privacy.is_private(c, place, "trace", i)]
            return wanted

        found = self.traces.by_ids(self.store.read(read))
        return [t for t in found.values() if t.user_id in set(owners)]

    def policy(self, user_id: str) -> Policy | None:
        """What a user's internal state turns; None where nobody goes by it."""
        if not self.config.enable_sentience:
            return None
        # Stored, else every reader would go through what is new again.
        return take_in(self.store, user_id).policy

    def rule(self, target: str) -> Rule:
        """From when on a tool is shared with a team, or with the system."""
        config = self.config
        if target == "team":
            return Rule(config.team_uses, config.team_success)
        return Rule(
            config.system_uses,
            config.system_success,
            config.system_users,
            authenticated=config.trust_users,
        )
