"""A project's volume: whoever may what in the volume that it lies in, and nothing leaves it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from llmos.errors import LLMOSError, PermissionDenied, UserError
from llmos.observability.rows import Reader, among
from llmos.store import Store
from llmos.store.schema import events, projects, stamp
from llmos.values import ArtifactType
from llmos.volumes import Access, Caller, Place, Volume, is_private, keep_private, may
from llmos.volumes.projects import make_general
from llmos.volumes.promotion import promote, recall
from llmos.volumes.roles import Role, first_user, grant, join, teams_of
from llmos.volumes.taking_back import take_back

AGENT = ArtifactType.AGENT
ALICE, TEAM, SYSTEM = Place("user", "alice"), Place("team", "red"), Place("system", "system")
CALLERS = [
    *(make(u) for u in ("alice", "bob", "carer") for make in (Caller.person, Caller.user_cron)),
    *map(Caller.team_cron, ("red", "blue")),
    Caller.system_cron(),
]
NAMES = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,8}", fullmatch=True)
TEXT = {"text": "Be kind."}
NOW = datetime(2026, 3, 2, tzinfo=UTC)


@contextmanager
def home() -> Iterator[Store]:
    """Alice looks after the system and the team red, where bob is; carer is a stranger."""
    with Store.memory(lambda: NOW) as store:
        store.write(lambda tx: first_user(tx, "alice"))
        store.write(lambda tx: join(tx, "red", "alice"))
        store.write(lambda tx: join(tx, "red", "bob"))
        yield store


@pytest.fixture
def store() -> Iterator[Store]:
    with home() as opened:
        yield opened


def of(store: Store, place: Place, caller: Caller | None = None) -> Volume:
    return Volume(store, place.volume, place.owner, caller=caller or Caller.person("alice"))


def told_by(call: object) -> str:
    try:
        call()  # type: ignore[operator]
    except LLMOSError as e:
        return f"{type(e).__name__}: {e.message}; {e.hint}"
    return "nothing"


def test_nobody_belongs_to_a_project_of_a_team(store: Store) -> None:
    within, alice = TEAM.of("web"), Caller.person("alice")
    with pytest.raises(UserError, match="'red:web' is not a usable name"):
        store.write(lambda tx: join(tx, within.owner, "carer"))
    with pytest.raises(UserError, match="'red:web' is not a usable name"):
        store.write(lambda tx: grant(tx, alice, within, "carer", Role.MEMBER))
    assert store.read(lambda c: teams_of(c, "carer")) == []


def test_somebody_may_have_a_thousand_projects(store: Store) -> None:
    rows = [
        {"volume": "user", "owner": "alice", "name": f"p{n}", "at": stamp(NOW)} for n in range(1200)
    ]
    store.write(lambda tx: tx.conn.execute(insert(projects), rows))
    last = of(store, ALICE.of("p1199"))
    store.write(lambda tx: last.put(tx, AGENT, "kind", TEXT, author="alice"))
    window = store.read(lambda c: Reader.of(c, "alice"))
    seen = store.read(lambda c: c.execute(select(events).where(among(events, window.mine))).all())
    assert [row.owner for row in seen] == ["alice:p1199"]


@settings(max_examples=25, deadline=None)
@given(
    caller=st.sampled_from(CALLERS),
    whole=st.sampled_from([ALICE, Place("user", "bob"), TEAM, Place("team", "blue")]),
    project=NAMES,
    access=st.sampled_from(Access),
    closed=st.booleans(),
)
def test_in_a_project_everybody_may_what_they_may_in_the_volume_that_it_lies_in(
    caller: Caller, whole: Place, project: str, access: Access, closed: bool
) -> None:
    with home() as store:
        if closed and whole == ALICE:
            me = Caller.person("alice")
            store.write(lambda tx: keep_private(tx, me, whole, "volume"))
        within, outer = store.read(
            lambda c: (may(c, caller, whole.of(project), access), may(c, caller, whole, access))
        )
    assert within == outer


@settings(max_examples=10, deadline=None)
@given(name=NAMES, project=NAMES, other=NAMES)
def test_what_is_of_a_project_is_nowhere_else(name: str, project: str, other: str) -> None:
    with home() as store:
        mine = of(store, ALICE.of(project))
        version = mine.put(None, AGENT, name, TEXT, author="alice")
        elsewhere = [ALICE, TEAM, SYSTEM, Place("user", project), TEAM.of(project)]
        elsewhere += [ALICE.of(other)] if other != project else []
        for place in elsewhere:
            volume = of(store, place, Caller.system_cron())
            assert volume.find(AGENT, name) is None
            assert volume.list_artifacts() == [] and volume.get_recent_changes() == []
            assert volume.get_stats()["versions"] == 0 and volume.edition() == 0
            with pytest.raises(UserError):
                volume.version(version.digest)
        assert [a.name for a in mine.list_artifacts()] == [name]


@settings(max_examples=10, deadline=None)
@given(project=NAMES, other=NAMES, name=NAMES)
def test_a_stranger_cannot_tell_whether_there_is_a_project(
    project: str, other: str, name: str
) -> None:
    with home() as store:
        of(store, ALICE.of(project)).put(None, AGENT, name, TEXT, author="alice")
        for who in (Caller.person("carer"), Caller.person("bob"), Caller.user_cron("bob")):
            said = []
            for place in (ALICE.of(project), ALICE.of(f"{other}-x")):
                volume = of(store, place, who)
                asked = [
                    lambda v=volume: v.find(AGENT, name),
                    lambda v=volume: v.get_stats(),
                    lambda v=volume: v.put(None, AGENT, name, TEXT, author=v.caller.author),
                ]
                said.append(
                    [told_by(a).replace(f"project {place.project}:", "project:") for a in asked]
                )
            assert said[0] == said[1]
            assert all(told.startswith("PermissionDenied") for told in said[0])


@pytest.mark.parametrize(
    "owner", ["alice:", ":web", "alice:a:b", "alice:../x", "alice:A", "al/ice"]
)
def test_no_unchecked_project_gets_in(store: Store, owner: str) -> None:
    with pytest.raises(UserError):
        Place("user", owner)


def test_the_system_has_no_projects() -> None:
    with pytest.raises(UserError, match="no owner"):
        SYSTEM.of("web")


# --- for all that its owner does -----------------------------------------------------------------


def general(store: Store, name: str = "kind") -> tuple[str, str]:
    """Make alice's agent of the project web general: status and event."""
    source, target = of(store, ALICE.of("web")), of(store, ALICE)
    made = store.write(lambda tx: make_general(tx, source, target, AGENT, name, "it serves all"))
    return made.version.status.value, made.event


def test_making_it_general_copies_it_once_and_can_be_taken_back(store: Store) -> None:
    of(store, ALICE.of("web")).put(None, AGENT, "kind", TEXT, author="alice")
    status, event = general(store)
    assert status == "active" and event
    copy = of(store, ALICE).get(AGENT, "kind")
    assert copy.content == TEXT and copy.parent is not None
    assert of(store, ALICE.of("web")).find(AGENT, "kind") is not None, "the project keeps its own"
    assert general(store) == ("active", ""), "it is there already"
    store.write(lambda tx: take_back(tx, event, "alice"))
    assert of(store, ALICE).get(AGENT, "kind").status == "archived"


def test_a_new_version_of_the_projects_follows_and_anothers_name_is_not_taken(store: Store) -> None:
    project = of(store, ALICE.of("web"))
    project.put(None, AGENT, "kind", TEXT, author="alice")
    general(store)
    project.put(None, AGENT, "kind", {"text": "Be kinder."}, author="alice")
    general(store)
    assert of(store, ALICE).get(AGENT, "kind").content == {"text": "Be kinder."}
    of(store, ALICE).put(None, AGENT, "own", TEXT, author="alice")
    project.put(None, AGENT, "own", {"text": "Another."}, author="alice")
    with pytest.raises(UserError, match="another agent 'own' in the user volume of alice"):
        general(store, "own")


def test_what_was_private_in_the_project_is_private_outside_of_it(store: Store) -> None:
    project, me = of(store, ALICE.of("web")), Caller.person("alice")
    version = project.put(None, AGENT, "kind", TEXT, author="alice")
    place, subject = project.place, version.artifact_id
    store.write(lambda tx: keep_private(tx, me, place, "artifact", subject))
    general(store)
    copy = of(store, ALICE).get(AGENT, "kind")
    assert store.read(lambda c: is_private(c, ALICE, "artifact", copy.artifact_id))
    assert of(store, ALICE, Caller.team_cron("red")).find(AGENT, "kind") is None


def test_nobody_makes_general_what_is_anothers(store: Store) -> None:
    of(store, ALICE.of("web")).put(None, AGENT, "kind", TEXT, author="alice")
    bob = Caller.person("bob")
    source = of(store, ALICE.of("web"), bob)
    for target in (of(store, ALICE, bob), of(store, Place("user", "bob"), bob)):
        with pytest.raises(PermissionDenied):
            store.write(lambda tx, t=target: make_general(tx, source, t, AGENT, "kind", ""))
    assert of(store, ALICE).find(AGENT, "kind") is None


def test_recalling_the_projects_reaches_what_was_made_of_it(store: Store) -> None:
    version = of(store, ALICE.of("web")).put(None, AGENT, "kind", TEXT, author="alice")
    general(store)
    copy, team = of(store, ALICE).get(AGENT, "kind"), of(store, TEAM)
    store.write(lambda tx: promote(tx, copy, team, author="alice", why=""))
    me = Caller.person("alice")
    gone = store.write(lambda tx: recall(tx, me, version.digest, "it was wrong"))
    assert {(v.volume, v.owner) for v in gone} == {("user", "alice"), ("team", "red")}
    assert of(store, ALICE.of("web")).get(AGENT, "kind").status == "draft", "the source stays"
