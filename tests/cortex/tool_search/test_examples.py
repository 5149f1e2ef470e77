"""Examples show how a tool is called, and nothing that a run found out or keeps secret."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from llmos import LLMOSConfig
from llmos.cortex.tool_search.examples import LONGEST, Made, Seen, described, examples, shown
from llmos.cortex.tool_search.past import Past
from llmos.kernel.places import Places
from llmos.store import Store
from llmos.values import Json
from llmos.volumes.roles import join
from tests.conftest import MakeOS
from tests.cortex.tool_search.conftest import Model, Notes

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=60),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def test_a_value_that_a_result_held_is_told_by_where_it_came_from() -> None:
    before = (Seen("notes.find", '[{"note": "n-4711"}]'), Seen("clock.now", "2026-03-02"))
    call = Made("notes.stamp", {"note": "n-4711", "mark": "seen"}, "Stamp my note", before)
    assert shown(call) == '{"note": "<from notes.find>", "mark": "seen"}'


def test_a_value_of_the_goal_is_shown_even_if_a_result_held_it() -> None:
    call = Made("a.b", {"who": "alice"}, "Write to Alice", (Seen("c.d", "alice, bob"),))
    assert shown(call) == '{"who": "alice"}'


def test_a_value_is_found_in_a_result_however_it_is_written_there() -> None:
    for value in ('say "so"', "Jürgen", "a\\b", "n1", "line\nbreak"):
        seen = Seen("c.d", json.dumps({"x": [value]}, ensure_ascii=False))
        assert shown(Made("a.b", {"v": value}, "Do", (seen,))) == '{"v": "<from c.d>"}'


def test_secrets_and_long_texts_are_not_shown() -> None:
    secret = f"sk-ant-{'a1b2' * 8}"
    call = Made("a.b", {"api_key": secret, "body": "word " * 20, "lines": "a\nb"}, "Do it")
    assert secret not in shown(call)
    assert '"body": "<text>", "lines": "<text>"' in shown(call)


@given(values, values)
def test_nothing_of_a_result_is_shown(value: Json, other: Json) -> None:
    fact = "zq-fact-77"
    call = Made("a.b", {"x": value, "y": [fact, {"k": fact}], "z": other}, "Do", (Seen("c", fact),))
    assert fact not in shown(call)


def test_the_usual_arguments_come_first_and_the_choice_is_stable() -> None:
    made = [Made("a.b", {"q": f"word {k}"}, "") for k in range(5)]
    made += [Made("a.b", {"q": "x", "limit": 3}, ""), Made("a.b", {}, ""), Made("c.d", {}, "")]
    found = examples(made)
    assert found == examples(reversed(made))
    assert [set(line.split('"')[1::2]) & {"q", "limit"} for line in found["a.b"]] == [
        {"q"},
        {"q", "limit"},
    ]
    assert "c.d" not in found


def test_long_examples_are_left_out() -> None:
    assert examples([Made("a.b", {f"k{n}": "word" for n in range(LONGEST)}, "")]) == {}


def test_a_tool_without_examples_is_described_as_ever() -> None:
    assert described("Find notes.", ()) == "Find notes."
    assert described("Find notes.", ('{"a": 1}',)).endswith('\nExample of arguments: {"a": 1}')


async def test_a_model_sees_examples_of_the_tools_that_it_is_given(make_os: MakeOS) -> None:
    async def work(model: Model) -> str:
        await model.call("notes.find", text="draft")
        await model.call("notes.stamp", note="n1", mark="seen")
        await model.call("notes.stamp", note="n9", mark="never")
        return "Done."

    model = Model(work)
    os = await make_os(processor=model, plugins=Notes().plugins())
    await os.execute("Stamp a draft")
    assert not any("Example" in t.description for t in model.given if t.name.startswith("notes."))
    await os.execute("Stamp another draft")
    told = {t.name: t.description for t in model.given}
    assert told["notes.find"].endswith('Example of arguments: {"text": "draft"}')
    assert told["notes.stamp"].endswith('{"mark": "seen", "note": "<from notes.find>"}')
    assert "never" not in told["notes.stamp"], "a call that failed is no example"
    assert "Example" not in told["notes.publish"]

    off = await make_os(
        home=os.home,
        processor=model,
        plugins=Notes().plugins(),
        config=LLMOSConfig(tool_examples=False),
    )
    await off.execute("Stamp a third draft")
    assert not any("Example" in t.description for t in model.given if t.name.startswith("notes."))


async def test_refuted_runs_and_runs_of_others_are_no_examples(make_os: MakeOS, cwd: Path) -> None:
    async def work(model: Model) -> str:
        return (await model.call("notes.find", text="draft")).text

    os = await make_os(processor=Model(work), plugins=Notes().plugins(), team_id="engineering")
    result = await os.execute("Find a draft")

    def past(user: str, team: str | None = None) -> Past:
        return Past(os._kernel.store, user, team, Places.of(cwd))

    assert past("alice").examples(["notes.find"]) == {"notes.find": ('{"text": "draft"}',)}
    assert [u.tools for u in past("alice").used()] == [("notes.find",)]
    for other in (past("bob"), past("bob", "engineering")):
        assert other.examples(["notes.find"]) == {}
        assert other.used() == []
    await os.feedback(result.trace_id, success=False)
    assert past("alice").examples(["notes.find"]) == {}
    assert past("alice").used() == []


async def test_what_a_team_has_is_read_by_its_members_alone(make_os: MakeOS, cwd: Path) -> None:
    async def work(model: Model) -> str:
        return (await model.call("notes.find", text="draft")).text

    os = await make_os(processor=Model(work), plugins=Notes().plugins(), team_id="engineering")
    result = await os.execute("Find a draft")
    store = os._kernel.store
    give_to_team(store, result.trace_id, "engineering")
    places = Places.of(cwd)
    assert Past(store, "bob", "engineering", places).used() == []
    store.write(lambda tx: join(tx, "engineering", "bob"))
    member = Past(store, "bob", "engineering", places)
    assert member.examples(["notes.find"]) == {"notes.find": ('{"text": "draft"}',)}
    assert [u.goal for u in member.used()] == ["Find a draft"]
    assert Past(store, "bob", None, places).used() == []


def give_to_team(store: Store, trace_id: str, team: str) -> None:
    from sqlalchemy import update

    from llmos.store.schema import traces

    moved = update(traces).where(traces.c.id == trace_id).values(volume="team", owner=team)
    store.write(lambda tx: tx.conn.execute(moved))
