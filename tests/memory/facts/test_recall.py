"""Which facts a goal is told: the same for the same facts, and never more than there is room."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from llmos.memory.facts import Fact, FactKind, FactStatus, recall
from llmos.memory.facts.statements import read_statement, subject_of
from llmos.memory.goals import context_digest
from llmos.memory.injection import told_of
from llmos.memory.pieces import Piece

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def fact(sentence: str, *, age: int = 0, project: str = "", kind: FactKind | None = None) -> Fact:
    said = read_statement(sentence)
    return Fact(
        id=f"{sentence}@{age}{project}",
        line="",
        user_id="alice",
        project=project,
        kind=kind or said.kind,
        subject=said.subject,
        sentence=said.sentence,
        status=FactStatus.CURRENT,
        successor="",
        by="person",
        at=NOW - timedelta(days=age),
        ended_at=None,
    )


def shown(pieces: list[Piece]) -> list[str]:
    return [p.text for p in pieces if p.shown]


def digest(pieces: list[Piece]) -> str:
    return context_digest((), "", told_of(pieces))


FACTS = [
    fact("The staging server is in Rome"),
    fact("Bob looks after invoices"),
    fact("Always answer in German"),
    fact("My editor is vim"),
]


def test_a_goal_is_told_rules_and_what_shares_a_word_with_it() -> None:
    told = recall(FACTS, "Restart the staging servers", 1000)
    assert shown(told) == ["Always answer in German", "The staging server is in Rome"]
    assert [p.why for p in told] == ["it is a rule", "it shares server, staging with the goal"]
    assert shown(recall(FACTS, "Write a haiku", 1000)) == ["Always answer in German"]
    assert recall([FACTS[0]], "Write a haiku", 1000) == []


def test_words_that_tell_nothing_recall_nothing() -> None:
    facts = [fact("What you write is in the file that I use")]
    assert recall(facts, "Write it to the file which I can use", 1000) == []


def test_what_the_goal_says_itself_is_not_told() -> None:
    for goal in ("My editor is emacs. Open the editor.", "My editor is vim. Open the editor."):
        (left_out,) = (p for p in recall(FACTS, goal, 1000) if p.text == "My editor is vim")
        assert (left_out.shown, left_out.why) == (False, "the goal says itself what holds")


def test_a_fact_of_the_project_goes_before_one_of_all() -> None:
    nearer = fact("My editor is emacs", project="web")
    assert shown(recall([*FACTS[3:], nearer], "Set up my editor", 1000)) == ["My editor is emacs"]
    assert shown(recall([*FACTS[3:], nearer], "Set up vim", 1000)) == []


def test_a_correction_is_told_to_the_very_goal_alone() -> None:
    said = fact("About the goal 'Sum up sales': it should be in euros")
    wrong = Fact(
        **{name: getattr(said, name) for name in said.__slots__ if name not in ("kind", "subject")},
        kind=FactKind.CORRECTION,
        subject=subject_of("Sum up sales"),
    )
    assert shown(recall([wrong], "sum up sales.", 1000)) == [wrong.sentence]
    assert recall([wrong], "Sum up the sales of euros", 1000) == []


def test_without_facts_and_with_facts_that_bear_on_nothing_the_digest_is_what_it_was() -> None:
    assert digest(recall([], "Do it", 1000)) == context_digest(())
    assert digest(recall(FACTS[:2], "Write a haiku", 1000)) == ""
    assert digest(recall(FACTS, "Write a haiku", 1000)) != ""


SENTENCES = st.sampled_from(
    [f"The {a} {b} is {c}" for a in ("red", "old") for b in ("door", "key") for c in ("Rome", "in")]
    + ["Always close doors", "Never sell keys", "Remember Rome", "Old keys open red doors"]
)
MANY = st.lists(
    st.builds(fact, SENTENCES, age=st.integers(0, 9), project=st.sampled_from(["", "web"])),
    max_size=10,
    unique_by=lambda f: f.id,
)
GOALS = st.sampled_from(["Open the red door", "Find old keys in Rome", "Write a haiku"])


@given(MANY, GOALS, st.integers(0, 60))
def test_the_budget_is_never_exceeded(facts: list[Fact], goal: str, budget: int) -> None:
    told = recall(facts, goal, budget)
    assert sum(p.tokens for p in told if p.shown) <= budget
    assert len({p.name for p in told}) == len(told)


@given(MANY, GOALS, st.integers(0, 60), st.randoms())
def test_the_order_in_which_facts_are_stored_changes_nothing(
    facts: list[Fact], goal: str, budget: int, chance: object
) -> None:
    other = list(facts)
    chance.shuffle(other)  # type: ignore[attr-defined]
    assert recall(other, goal, budget) == recall(facts, goal, budget)


@given(MANY, MANY, GOALS)
def test_digests_are_equal_exactly_where_the_same_is_told(
    one: list[Fact], other: list[Fact], goal: str
) -> None:
    told, else_told = recall(one, goal, 40), recall(other, goal, 40)
    assert (shown(told) == shown(else_told)) == (digest(told) == digest(else_told))


@given(MANY, GOALS)
def test_a_fact_that_bears_on_nothing_changes_no_digest(facts: list[Fact], goal: str) -> None:
    more = [*facts, fact("Zebras sleep")]
    assert digest(recall(more, goal, 10_000)) == digest(recall(facts, goal, 10_000))
