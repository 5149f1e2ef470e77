"""Facts that are near in meaning come after all that the words find, and never instead of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos import LLMOSConfig
from llmos.errors import ConfigError
from llmos.memory.facts import Fact, FactKind, Nearness, meaning, meaning_of, recall
from llmos.memory.facts.recall import MOST_NEAR
from tests.conftest import MakeOS, recording
from tests.memory.facts.test_recall import GOALS, MANY, digest, fact, shown

installed = pytest.mark.skipif(bool(meaning.missing()), reason="needs the extra llmos[embeddings]")


def by_letters(goal: str, sentences: Sequence[str]) -> list[float]:
    """Stands for any measure: near is what has most letters of the goal."""
    share = [len(set(goal) & set(s)) / len(set(goal)) for s in sentences]
    return [s if s > 0.4 else 0.0 for s in share]


@pytest.fixture(scope="module", autouse=True)
def read() -> None:
    """The vectors are read before any example is timed: that is done once in a process."""
    if not meaning.missing():
        meaning.Meaning()("goal", ["fact"])


NEARNESS = [
    pytest.param(by_letters, id="letters"),
    pytest.param(meaning.Meaning(0.1), id="wordllama", marks=installed),
]


@pytest.mark.parametrize("near", NEARNESS)
@given(MANY, GOALS, st.integers(0, 60))
def test_what_the_words_find_stays_in_its_order_at_the_front(
    near: Nearness, facts: list[Fact], goal: str, budget: int
) -> None:
    words, both = recall(facts, goal, budget), recall(facts, goal, budget, near)
    told = [p for p in both if not p.why.startswith("near in meaning")]
    assert told == words
    added = [p.name for p in both if p not in told]
    assert len(added) <= MOST_NEAR
    assert not {f.id for f in facts if f.kind in (FactKind.RULE, FactKind.CORRECTION)} & {*added}
    names = [p.name for p in both if p.shown]
    assert names[: sum(p.shown for p in words)] == [p.name for p in words if p.shown]


@pytest.mark.parametrize("near", NEARNESS)
@given(MANY, GOALS, st.integers(0, 60), st.randoms())
def test_near_facts_keep_the_budget_and_do_not_hang_on_the_order_of_facts(
    near: Nearness, facts: list[Fact], goal: str, budget: int, chance: object
) -> None:
    told = recall(facts, goal, budget, near)
    assert sum(p.tokens for p in told if p.shown) <= budget
    assert len({p.name for p in told}) == len(told)
    other = list(facts)
    chance.shuffle(other)  # type: ignore[attr-defined]
    assert recall(other, goal, budget, near) == told


@pytest.mark.parametrize("near", NEARNESS)
@given(MANY, MANY, GOALS)
def test_digests_are_equal_exactly_where_the_same_is_told_also_by_meaning(
    near: Nearness, one: list[Fact], other: list[Fact], goal: str
) -> None:
    told, else_told = recall(one, goal, 40, near), recall(other, goal, 40, near)
    assert (shown(told) == shown(else_told)) == (digest(told) == digest(else_told))


def test_what_is_outdone_takes_no_place_of_what_is_near() -> None:
    said = "My editor is vim. Tidy up"
    facts = [
        fact("My editor is emacs"),
        fact("My name is alice"),
        fact("My name is bob", project="web"),
    ]
    told = recall(facts, said, 1000, lambda goal, sentences: [0.5] * len(sentences))
    assert shown(told) == ["My name is bob"]
    assert told[0].why == "near in meaning (0.50)"


# --- with the vectors ----------------------------------------------------------------------------


@installed
def test_a_goal_in_other_words_is_told_what_bears_on_it() -> None:
    facts = [fact("The car belongs to bob"), fact("Revenue is counted in dollars")]
    goal = "Pay for the vehicle"
    assert recall(facts, goal, 1000) == []
    (piece,) = recall(facts, goal, 1000, meaning.Meaning())
    assert (piece.text, piece.shown) == ("The car belongs to bob", True)
    assert piece.why.startswith("near in meaning (0.")


@installed
@given(st.lists(st.text(max_size=20), max_size=5), st.text(max_size=20))
def test_every_text_has_a_nearness_that_hangs_on_nothing_else(
    sentences: list[str], goal: str
) -> None:
    together = meaning.Meaning(-1.0)(goal, sentences)
    assert all(-1.0 <= n <= 1.0 for n in together)
    assert together == [meaning.Meaning(-1.0)(goal, [s])[0] for s in sentences]


@installed
@pytest.mark.parametrize(
    ("goal", "sentence"),
    [("Погода в Берлине завтра", "Встречи проходят в синей комнате"), ("What is 17", "30 days")],
)
def test_what_the_vectors_do_not_know_is_near_to_nothing(goal: str, sentence: str) -> None:
    assert meaning.Meaning(0.01)(goal, [sentence]) == [0.0]


@installed
def test_nothing_of_the_package_runs_and_nothing_is_asked_of_the_network() -> None:
    code = (
        "import socket, sys, logging\n"
        "def none(*a, **k): raise AssertionError('network')\n"
        "socket.socket.connect = socket.getaddrinfo = none\n"
        "from llmos.memory.facts.meaning import Meaning\n"
        "assert 'numpy' not in sys.modules\n"
        "print(Meaning()('Pay for the vehicle', ['The car belongs to bob']))\n"
        "assert not {'wordllama', 'requests', 'huggingface_hub'} & set(sys.modules)\n"
        "assert not logging.root.handlers\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.strip("[]\n")) > 0.3


@installed
async def test_it_is_told_where_the_context_is_shown_and_only_if_it_is_on(make_os: MakeOS) -> None:
    run = recording("Pay for the vehicle", output="Paid.")
    on = await make_os([run], config=LLMOSConfig(fact_embeddings=True))
    on.facts.add("The car belongs to bob")
    (piece,) = (p for p in on.explain_context(run.goal).pieces if p.source == "fact")
    assert piece.why.startswith("near in meaning (0.") and piece.shown
    off = await make_os([run])
    assert [p for p in off.explain_context(run.goal).pieces if p.source == "fact"] == []


@installed
async def test_what_was_superseded_forgotten_or_said_elsewhere_does_not_come_back(
    make_os: MakeOS,
) -> None:
    on = await make_os(config=LLMOSConfig(fact_embeddings=True))
    goal = "Pay for the vehicle"
    car = on.facts.add("The car belongs to alice").fact
    later = on.facts.edit(car.id, "The car belongs to bob").fact
    seen = [p.text for p in on.explain_context(goal).pieces if p.source == "fact"]
    assert seen == [later.sentence]
    on.facts.forget(later.id)
    other = await make_os(config=LLMOSConfig(fact_embeddings=True), project="garden")
    other.facts.add("The car belongs to the garden")
    assert [p for p in on.explain_context(goal).pieces if p.source == "fact"] == []


async def test_without_the_packages_the_setting_says_what_to_install(
    make_os: MakeOS, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meaning, "find_spec", lambda name: None)
    assert meaning_of(LLMOSConfig()) is None
    with pytest.raises(ConfigError, match="wordllama is not installed") as e:
        await make_os(config=LLMOSConfig(fact_embeddings=True))
    assert e.value.hint == "pip install 'llmos[embeddings]'"
