"""Which agent a name stands for, and who may change it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmos.cortex.agents import Agents, parse
from llmos.cortex.agents.importing import import_agents
from llmos.cortex.agents.shipped import shipped
from llmos.errors import PermissionDenied, UserError
from llmos.store import Store
from llmos.values import ArtifactType
from llmos.volumes import Caller, Mirror, Place, Status, Volume
from llmos.volumes.roles import first_user, join
from tests.conftest import TestClock

AGENT = ArtifactType.AGENT
ALICE, TEAM, SYSTEM = Place("user", "alice"), Place("team", "eng"), Place("system", "system")


@pytest.fixture
def store(home: Path, clock: TestClock) -> Iterator[Store]:
    """Alice looks after the home and the team; bob is of the team."""
    with Store.open(home, clock=clock) as opened:
        opened.write(lambda tx: first_user(tx, "alice"))
        opened.write(lambda tx: join(tx, "eng", "alice"))
        opened.write(lambda tx: join(tx, "eng", "bob"))
        yield opened


@pytest.fixture
def alice(store: Store) -> Agents:
    return Agents(store, "alice")


@pytest.fixture
def bob(store: Store) -> Agents:
    return Agents(store, "bob")


def text(name: str = "kind", says: str = "Be kind.") -> str:
    return f"---\nname: {name}\ndescription: For kindness.\n---\n\n{says}\n"


def test_the_shipped_agents_are_there_without_a_write(alice: Agents, store: Store) -> None:
    assert {row.name for row in alice.listed()} == set(shipped())
    coder = alice.get("coder")
    assert (coder.version, coder.place) == (0, SYSTEM)
    volume = Volume(store, "system", "system", caller=Caller.person("alice"))
    assert volume.list_artifacts(AGENT) == []


def test_the_nearest_agent_of_a_name_counts(alice: Agents, bob: Agents) -> None:
    alice.create(text("coder", "The team's."), TEAM)
    assert bob.get("coder").agent.prompt == "The team's."
    alice.create(text("coder", "Mine."))
    assert alice.get("coder").agent.prompt == "Mine."
    assert bob.get("coder").agent.prompt == "The team's."
    used = [(row.place, row.used) for row in alice.listed() if row.name == "coder"]
    assert used == [(ALICE, True), (TEAM, False), (SYSTEM, False)]
    alice.archive("coder")
    assert alice.get("coder").agent.prompt == "The team's."
    alice.restore("coder", ALICE)
    assert alice.get("coder").agent.prompt == "Mine."


def test_a_change_is_read_at_once_by_who_holds_the_registry_already(
    alice: Agents, store: Store
) -> None:
    first = alice.create(text())
    other = Agents(store, "alice")
    second = other.modify("kind", text(says="Be brief."))
    assert alice.get("kind") == second
    assert (first.version, second.version) == (1, 2)
    assert first.label != second.label and len(second.label) == len("kind@") + 12
    assert "-  Be kind." in alice.diff("kind") and "+  Be brief." in alice.diff("kind")
    alice.rollback("kind")
    assert alice.get("kind").agent.prompt == "Be kind."


def test_a_shipped_agent_that_is_changed_can_be_compared_and_taken_back(alice: Agents) -> None:
    before = alice.get("coder")
    changed = before.agent.text.replace("You change code", "You change code with care")
    assert alice.modify("coder", changed).version == 2
    assert "with care" in alice.diff("coder")
    alice.rollback("coder", 1)
    now = alice.get("coder")
    assert (now.agent, now.digest, now.label) == (before.agent, before.digest, before.label)
    assert [v.note for v in alice.history("coder")] == ["as shipped", ""]


def test_a_shipped_agent_can_be_laid_aside(alice: Agents, bob: Agents) -> None:
    alice.archive("researcher", why="no web here")
    with pytest.raises(UserError, match="there is no agent 'researcher'"):
        bob.get("researcher")
    alice.restore("researcher")
    assert bob.get("researcher").agent == shipped()["researcher"]


@pytest.mark.parametrize("where", [TEAM, SYSTEM, Place("user", "alice")])
def test_nobody_changes_what_is_not_theirs(bob: Agents, alice: Agents, where: Place) -> None:
    alice.create(text(), where)
    refused = (PermissionDenied, UserError)
    for change in (
        lambda: bob.modify("kind", text(says="Be mine."), where),
        lambda: bob.archive("kind", where),
        lambda: bob.rollback("kind", 1, where),
        lambda: bob.create(text("other"), where),
    ):
        with pytest.raises(refused):
            change()
    assert alice.get("kind").agent.prompt == "Be kind."


def test_only_an_admin_changes_what_was_shipped(bob: Agents) -> None:
    coder = bob.get("coder")
    for change in (
        lambda: bob.modify("coder", coder.agent.text + "\nBe mine."),
        lambda: bob.archive("coder"),
        lambda: bob.rollback("coder", 1),
    ):
        with pytest.raises(PermissionDenied):
            change()
    assert bob.get("coder") == coder
    mine = bob.create(coder.agent.text + "\nBe mine.")
    assert bob.get("coder") == mine, "to have one of one's own is another thing"


def test_another_users_agents_are_not_seen(alice: Agents, bob: Agents) -> None:
    alice.create(text())
    assert "kind" not in {row.name for row in bob.listed()}
    with pytest.raises(UserError, match="there is no agent"):
        bob.get("kind")


def test_nothing_malformed_is_stored_and_the_old_version_stays(alice: Agents) -> None:
    alice.create(text())
    for bad in ("Be kind.", text("other"), text().replace("name: kind", "name: kind\nname: kind")):
        with pytest.raises(UserError, match=r"^line "):
            alice.modify("kind", bad)
    assert len(alice.history("kind")) == 1
    with pytest.raises(UserError, match="there is an agent 'kind' in the user volume of alice"):
        alice.create(text())


def test_an_agent_that_cannot_be_read_is_an_error_and_hides_no_other(
    alice: Agents, store: Store
) -> None:
    volume = Volume(store, "user", "alice", caller=Caller.person("alice"))
    volume.put(None, AGENT, "coder", {"text": "Be kind."}, author="alice")
    with pytest.raises(UserError, match=r"agent 'coder', version 1: line 1: "):
        alice.get("coder")
    row = next(row for row in alice.listed() if row.name == "coder" and row.used)
    assert row.problem.startswith("agent 'coder', version 1: line 1")
    assert {row.name for row in alice.listed() if not row.problem} >= set(shipped())


def test_a_text_that_was_quarantined_is_in_use_when_a_person_puts_it_again(
    alice: Agents, store: Store
) -> None:
    alice.create(text())
    volume = Volume(store, "user", "alice", caller=Caller.person("alice"))
    volume.set_status(AGENT, "kind", Status.QUARANTINED, author="alice")
    assert alice.modify("kind", text()).status is Status.ACTIVE


# --- files ---------------------------------------------------------------------------------------


def test_a_pushed_file_is_checked_and_what_is_malformed_costs_nothing_else(
    alice: Agents, store: Store, home: Path
) -> None:
    from llmos.cortex.agents import check_file

    alice.create(text())
    alice.create(text("brief", "Be brief."))
    me = Caller.person("alice")
    mirror = Mirror(home, store, me, checks={AGENT: check_file})
    mirror.refresh(ALICE)
    folder = mirror.folder(ALICE) / "agents"
    assert (folder / "kind.md").read_text() == text()
    (folder / "kind.md").write_text(text(says="Be kinder."))
    broken = text("brief").replace("description: For", "description: [For")
    (folder / "brief.md").write_text(broken)
    (folder / "other.md").write_text(text("name-of-another"))
    report = mirror.push(ALICE)
    assert [p.name for p in report.pushed] == ["kind"]
    told = {note.path.rpartition("/")[2]: note.told for note in report.refused}
    assert told["brief.md"].startswith("line 4: ") or told["brief.md"].startswith("line 3: ")
    assert told["other.md"].startswith("line 2: it is named 'name-of-another'")
    assert (folder / "brief.md").read_text() == broken
    assert alice.get("kind").agent.prompt == "Be kinder.", "in use, without a word more"
    assert alice.get("brief").agent.prompt == "Be brief."


def test_a_folder_is_imported_file_by_file(alice: Agents, tmp_path: Path) -> None:
    folder = tmp_path / "agents"
    (folder / "more").mkdir(parents=True)
    (folder / "a.md").write_text(text("kind") + "color: red\n")
    (folder / "more" / "b.md").write_text(text("brief"))
    (folder / "c.md").write_text("no agent")
    (folder / "d.md").write_bytes(b"---\nname: \xff")

    def outcomes(**more: bool) -> dict[str, str]:
        done = import_agents(alice, [folder], ALICE, **more)
        return {one.file.name: one.outcome for one in done}

    first = {"a.md": "new", "b.md": "new", "c.md": "refused", "d.md": "refused"}
    assert outcomes(dry_run=True) == first
    assert "kind" not in {row.name for row in alice.listed()}
    assert outcomes() == first
    assert alice.get("kind").agent == parse((folder / "a.md").read_text())
    assert outcomes() == first | {"a.md": "unchanged", "b.md": "unchanged"}
    (folder / "a.md").write_text(text("kind", "Be other."))
    assert outcomes()["a.md"] == "refused"
    assert outcomes(replace=True)["a.md"] == "changed"
    assert alice.get("kind").version == 2
