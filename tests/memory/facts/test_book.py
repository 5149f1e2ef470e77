"""The laws of facts: one current per subject, evidence kept, history never lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmos.errors import UserError
from llmos.memory.facts import PERSON, FactKind, Facts, FactStatus
from llmos.store import Store
from llmos.store.schema import fact_evidence
from llmos.store.schema import facts as table
from tests.conftest import OpenStore, TestClock


@pytest.fixture
def store(open_store: OpenStore, clock: TestClock) -> Iterator[Store]:
    with open_store(clock) as opened:
        yield opened


def sentences(facts: Facts) -> list[str]:
    return [f.sentence for f in facts.current()]


def test_the_same_fact_twice_is_one_with_two_evidences(store: Store) -> None:
    mine = Facts(store, "alice")
    assert mine.heard("My editor is vim.", "RUN1")[0].what == "new"
    assert mine.heard("My editor is vim. Open a.txt.", "RUN2")[0].what == "again"
    assert mine.heard("My editor is vim.", "RUN2")[0].what == "again"
    assert mine.add("my editor is vim").what == "again"
    (fact,) = mine.current()
    assert {e.source for e in fact.evidence} == {"RUN1", "RUN2", PERSON}
    assert len(fact.evidence) == 3


def test_a_new_statement_about_the_same_replaces_the_old_one_which_is_kept(store: Store) -> None:
    mine = Facts(store, "alice")
    old = mine.heard("My editor is vim.", "RUN1")[0].fact
    new = mine.heard("My editor is emacs.", "RUN2")[0]
    assert (new.what, new.was) == ("superseded", "My editor is vim.")
    assert sentences(mine) == ["My editor is emacs."]
    assert mine.get(old.id).status is FactStatus.SUPERSEDED
    assert mine.get(old.id).successor == new.fact.id
    assert [f.id for f in mine.history(new.fact.id)] == [old.id, new.fact.id]
    never = mine.add("Never use tabs")
    assert mine.add("Always use tabs").was == never.fact.sentence


def test_facts_of_a_project_and_of_all_do_not_replace_each_other(store: Store) -> None:
    everywhere, web = Facts(store, "alice"), Facts(store, "alice", "web")
    everywhere.add("My editor is vim.")
    web.add("My editor is emacs.")
    Facts(store, "bob").add("My editor is nano.")
    assert sentences(everywhere) == ["My editor is vim."]
    assert set(sentences(web)) == {"My editor is vim.", "My editor is emacs."}
    assert len(everywhere.listed()) == 2
    assert Facts(store, "alice", "other").listed() == everywhere.current()


def test_an_edit_replaces_a_fact_in_its_own_place_whatever_it_says(store: Store) -> None:
    everywhere, web = Facts(store, "alice"), Facts(store, "alice", "web")
    old = web.add("My editor is emacs.").fact
    new = everywhere.edit(old.id[-6:], "I write with vim").fact
    assert (new.project, new.kind, new.subject) == ("web", FactKind.ATTRIBUTE, "my editor")
    assert web.add("My editor is nano.").was == "I write with vim"
    with pytest.raises(UserError, match="superseded"):
        web.edit(old.id, "again")


def test_a_rule_that_was_made_a_note_stays_one_when_a_goal_says_it_again(store: Store) -> None:
    mine = Facts(store, "alice")
    rule = mine.heard("Always answer in German.", "RUN1")[0].fact
    assert mine.edit(rule.id, rule.sentence, FactKind.NOTE).fact.kind is FactKind.NOTE
    assert mine.heard("Always answer in German.", "RUN2")[0].what == "again"
    assert [f.kind for f in mine.current()] == [FactKind.NOTE]


def test_a_forgotten_fact_can_be_said_anew(store: Store) -> None:
    mine = Facts(store, "alice")
    fact = mine.add("Bob pays").fact
    assert mine.forget(fact.id).status is FactStatus.FORGOTTEN
    assert mine.current() == []
    with pytest.raises(UserError, match="forgotten"):
        mine.forget(fact.id)
    assert mine.add("Bob pays").what == "new"
    assert [f.status for f in mine.listed(everything=True)] == ["current", "forgotten"]


def test_nobody_reads_or_changes_the_facts_of_others(store: Store) -> None:
    fact = Facts(store, "alice").add("Bob pays").fact
    for touch in (Facts(store, "bob").get, Facts(store, "bob").forget, Facts(store, "bob").history):
        with pytest.raises(UserError, match="no fact"):
            touch(fact.id)


@pytest.mark.parametrize(
    "sentence", ["", "  ", "a\0b", "\ud800", "x" * 501, "my password is hunter2hunter2"]
)
def test_what_cannot_be_a_fact_is_refused(store: Store, sentence: str) -> None:
    with pytest.raises(UserError):
        Facts(store, "alice").add(sentence)
    assert Facts(store, "alice").listed(everything=True) == []


def test_feedback_is_noted_where_it_says_something_lasting(store: Store) -> None:
    mine = Facts(store, "alice")
    assert mine.corrected("Sum up", "bad", "RUN1", right=False) == []
    assert mine.corrected("Sum up", "it should be in euros", "RUN1", right=True) == []
    (noted,) = mine.corrected("Sum up", "it should be in euros", "RUN1", right=False)
    assert noted.fact.kind is FactKind.CORRECTION
    (again,) = mine.corrected("sum up.", "no, it must be in yen", "RUN2", right=False)
    assert again.was == noted.fact.sentence
    (rule,) = mine.corrected("Sum up", "Always round down.", "RUN3", right=True)
    assert rule.fact.kind is FactKind.RULE


SAID = st.sampled_from(
    ["My editor is vim.", "My editor is emacs.", "my editor is vim", "Always use tabs.",
     "Never use tabs.", "Remember that Bob pays.", "Remember that the door is red.",
     "Remember that the door is blue."]
)  # fmt: skip
DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("heard"), SAID, st.sampled_from(["", "web"])),
        st.tuples(st.just("add"), SAID, st.sampled_from(["", "web"])),
        st.tuples(st.just("forget"), st.integers(0, 9), st.just("")),
        st.tuples(st.just("edit"), st.integers(0, 9), SAID),
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(DEEDS)
def test_the_laws_hold_whatever_is_said_and_edited(deeds: list[tuple[str, object, str]]) -> None:
    clock = TestClock()
    with Store.memory(clock) as store:
        mine, ever = Facts(store, "alice"), 0
        for number, (deed, what, more) in enumerate(deeds):
            clock.forward(seconds=1)
            here = Facts(store, "alice", more or None) if more in ("", "web") else mine
            current = mine.listed()
            if deed == "heard":
                here.heard(str(what), f"RUN{number}")
            elif deed == "add":
                here.add(str(what))
            elif current and deed == "forget":
                mine.forget(current[int(what) % len(current)].id)  # type: ignore[call-overload]
            elif current and deed == "edit":
                mine.edit(current[int(what) % len(current)].id, more)  # type: ignore[call-overload]
            now = mine.listed(everything=True)
            assert len(now) >= ever, "a fact was deleted"
            ever = len(now)
            check(store, mine)


def check(store: Store, mine: Facts) -> None:
    """The laws."""
    every = {f.id: f for f in mine.listed(everything=True)}
    current = [f for f in every.values() if f.status is FactStatus.CURRENT]
    about = Counter((f.project, f.subject) for f in current if f.subject)
    assert all(n == 1 for n in about.values()), "two facts about one subject hold"
    saying = Counter((f.project, f.sentence.lower().rstrip(".")) for f in current)
    assert all(n == 1 for n in saying.values()), "one fact is there twice"
    for fact in every.values():
        assert fact.evidence
        assert (fact.ended_at is None) == (fact.status is FactStatus.CURRENT)
        assert bool(fact.successor) == (fact.status is FactStatus.SUPERSEDED)
        seen, at = set(), fact
        while at.successor:
            assert at.id not in seen, "facts replace each other in a circle"
            seen.add(at.id)
            at = every[at.successor]
    stored = store.read(lambda c: c.execute(fact_evidence.select()).all())
    assert {row.fact_id for row in stored} == set(every)
    assert store.read(lambda c: len(c.execute(table.select()).all())) == len(every)
