"""Whoever does what in whatever order: access is what the matrix says, as a model has it."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from llmos.errors import PermissionDenied, UserError
from llmos.store import Store
from llmos.values import ArtifactType
from llmos.volumes import Access, Caller, Place, Volume, keep_private, may, share
from llmos.volumes.roles import SYSTEM, Role, first_user, grant, join, leave, members

TOOL = ArtifactType.TOOL
USERS, TEAMS = ["alice", "bob", "carer"], ["red", "alice"]
PLACES = [Place("user", u) for u in USERS] + [Place("team", t) for t in TEAMS] + [SYSTEM]
CALLERS = [
    *(make(u) for u in USERS for make in (Caller.person, Caller.user_cron)),
    *map(Caller.team_cron, TEAMS),
    Caller.system_cron(),
]


class Model:
    """The matrix of the design, written down once more and otherwise."""

    def __init__(self) -> None:
        self.teams: dict[str, dict[str, str]] = {t: {} for t in TEAMS}
        self.admins: set[str] = set()
        self.closed: set[str] = set()
        self.hidden: set[tuple[str, str]] = set()

    def rights(self, caller: Caller, place: Place) -> str:
        kind, name, owner = caller.kind.value, caller.name, place.owner
        table = {
            ("person", "user"): "rw" if owner == name else "",
            ("person", "team"): {"member": "r", "maintainer": "rw"}.get(
                self.teams.get(owner, {}).get(name, ""), ""
            ),
            ("person", "system"): "rw" if name in self.admins else "r",
            ("user-cron", "user"): "rw" if owner == name else "",
            ("user-cron", "team"): "r" if name in self.teams.get(owner, {}) else "",
            ("team-cron", "user"): "r"
            if owner in self.teams.get(name, {}) and owner not in self.closed
            else "",
            ("team-cron", "team"): "rw" if owner == name else "",
            ("team-cron", "system"): "r",
            ("system-cron", "user"): "" if owner in self.closed else "rw",
            ("system-cron", "team"): "rw",
            ("system-cron", "system"): "rw",
        }
        return table.get((kind, place.volume), "")


class AnyCallers(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.store = Store.memory(lambda: datetime(2026, 3, 2, tzinfo=UTC))
        self.model = Model()
        self.there: dict[Place, set[str]] = {place: set() for place in PLACES}

    def teardown(self) -> None:
        self.store.close()

    @rule(team=st.sampled_from(TEAMS), user=st.sampled_from(USERS))
    def join(self, team: str, user: str) -> None:
        self.store.write(lambda tx: join(tx, team, user))
        theirs = self.model.teams[team]
        theirs.setdefault(user, "member" if theirs else "maintainer")

    @rule(team=st.sampled_from(TEAMS), user=st.sampled_from(USERS))
    def leave(self, team: str, user: str) -> None:
        self.store.write(lambda tx: leave(tx, team, user))
        theirs = self.model.teams[team]
        theirs.pop(user, None)
        if theirs and "maintainer" not in theirs.values():
            theirs[min(theirs)] = "maintainer"  # at one moment, the first by name

    @rule(user=st.sampled_from(USERS))
    def come_first(self, user: str) -> None:
        self.store.write(lambda tx: first_user(tx, user))
        self.model.admins = self.model.admins or {user}

    @rule(
        caller=st.sampled_from(CALLERS),
        team=st.sampled_from(TEAMS),
        user=st.sampled_from(USERS),
        role=st.sampled_from([None, Role.MEMBER, Role.MAINTAINER]),
    )
    def grant(self, caller: Caller, team: str, user: str, role: Role | None) -> None:
        theirs = self.model.teams[team]
        person = caller.kind == "person"
        allowed = person and (
            theirs.get(caller.name) == "maintainer" or caller.name in self.model.admins
        )
        after = {u: r for u, r in theirs.items() if u != user}
        if role is not None:
            after[user] = role.value if after else "maintainer"
        left_alone = user in theirs and "maintainer" not in after.values() and role is None
        demoted = theirs.get(user) == "maintainer" and role is Role.MEMBER
        demoted = demoted and "maintainer" not in [r for u, r in theirs.items() if u != user]
        try:
            place = Place("team", team)
            self.store.write(lambda tx: grant(tx, caller, place, user, role))
        except PermissionDenied:
            assert not allowed or left_alone or demoted
        else:
            assert allowed and not left_alone and not demoted
            self.model.teams[team] = after

    @rule(caller=st.sampled_from(CALLERS), place=st.sampled_from(PLACES), private=st.booleans())
    def close(self, caller: Caller, place: Place, private: bool) -> None:
        change = keep_private if private else share
        try:
            self.store.write(lambda tx: change(tx, caller, place, "volume", ""))
        except PermissionDenied:
            assert (caller.kind, caller.name, place.volume) != ("person", place.owner, "user")
        else:
            assert (caller.kind, caller.name, place.volume) == ("person", place.owner, "user")
            (self.model.closed.add if private else self.model.closed.discard)(place.owner)

    @rule(user=st.sampled_from(USERS), name=st.sampled_from(["f", "g"]), private=st.booleans())
    def hide(self, user: str, name: str, private: bool) -> None:
        me, place = Caller.person(user), Place("user", user)
        found = Volume(self.store, "user", user, caller=me).find(TOOL, name)
        assert (found is not None) == (name in self.there[place])
        if found is not None:
            change = keep_private if private else share
            self.store.write(lambda tx: change(tx, me, place, "artifact", found.id))
            (self.model.hidden.add if private else self.model.hidden.discard)((user, name))

    @rule(
        caller=st.sampled_from(CALLERS),
        place=st.sampled_from(PLACES),
        name=st.sampled_from(["f", "g"]),
        content=st.integers(0, 2),
    )
    def put(self, caller: Caller, place: Place, name: str, content: int) -> None:
        volume = Volume(self.store, place.volume, place.owner, caller=caller)
        allowed = "w" in self.model.rights(caller, place)
        try:
            volume.put(None, TOOL, name, {"n": content}, author=caller.author)
        except PermissionDenied:
            assert not allowed or self.unseen(caller, place, name)
        else:
            assert allowed and not self.unseen(caller, place, name)
            self.there[place].add(name)

    @rule(
        caller=st.sampled_from(CALLERS),
        place=st.sampled_from(PLACES),
        name=st.sampled_from(["f", "g"]),
    )
    def read(self, caller: Caller, place: Place, name: str) -> None:
        volume = Volume(self.store, place.volume, place.owner, caller=caller)
        seen = {n for n in self.there[place] if not self.unseen(caller, place, n)}
        try:
            listed = {a.name for a in volume.list_artifacts()}
        except PermissionDenied:
            assert "r" not in self.model.rights(caller, place)
            return
        assert "r" in self.model.rights(caller, place)
        assert listed == seen
        assert volume.get_stats()["artifacts"] == len(seen)
        assert {c.name for c in volume.get_recent_changes(limit=1000)} == seen
        try:
            assert volume.get(TOOL, name).name in seen
        except UserError as e:
            assert name not in seen
            assert all(n in e.hint for n in seen)

    def unseen(self, caller: Caller, place: Place, name: str) -> bool:
        foreign = caller.kind.value in ("team-cron", "system-cron") and place.volume == "user"
        return foreign and (place.owner, name) in self.model.hidden

    @invariant()
    def the_matrix_is_the_models(self) -> None:
        def found(conn) -> dict[tuple[Caller, Place], str]:
            asked = {"r": Access.READ, "w": Access.WRITE}
            return {
                (c, p): "".join(k for k, a in asked.items() if may(conn, c, p, a))
                for c in CALLERS
                for p in PLACES
            }

        told = self.store.read(found)
        assert told == {(c, p): self.model.rights(c, p) for c in CALLERS for p in PLACES}

    @invariant()
    def somebody_looks_after_every_team(self) -> None:
        for team, theirs in self.model.teams.items():
            now = self.store.read(lambda c, t=team: members(c, t))
            assert {m.user_id: m.role.value for m in now} == theirs
            assert not theirs or "maintainer" in theirs.values()


TestAnyCallers = AnyCallers.TestCase
TestAnyCallers.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
