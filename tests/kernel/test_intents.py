"""External writes happen at most once: what is not known is told, and never repeated by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, update

from llmos.errors import UserError
from llmos.kernel.intents import Intent, Intents, Outcome, announce_doubt, call_key
from llmos.memory.traces import Traces
from llmos.store import Store
from llmos.store.schema import intents as table
from llmos.store.schema import notifications, traces
from llmos.values import Trace
from tests.conftest import OpenStore
from tests.support.databases import Database

NOW = datetime(2026, 3, 2, 9, 7, tzinfo=UTC)
MAIL = {"to": "bob", "subject": "hi"}


@pytest.fixture
def store(open_store: OpenStore) -> Iterator[Store]:
    with open_store(lambda: NOW) as opened:
        yield opened


@pytest.fixture
def intents(store: Store) -> Intents:
    return Intents(store)


async def a_run(store: Store, status: str = "running") -> str:
    (run,) = await Traces(store).learn([Trace("Mail bob")], "alice", None)
    row = update(traces).where(traces.c.id == run).values(status=status)
    store.write(lambda tx: tx.conn.execute(row))
    return run


async def intend(
    intents: Intents, run: str, arguments: Any = MAIL, key: str | None = None, idx: int = 0
) -> str:
    return await intents.intend(run, idx, "mail", arguments, key)


def settle(store: Store, intents: Intents, intent: str, outcome: Outcome, said: Any = None) -> None:
    store.write(lambda tx: intents.settle(tx, intent, outcome, said))


def statuses(store: Store) -> dict[str, str]:
    rows = store.read(lambda c: c.execute(select(table.c.id, table.c.status)).all())
    return {r.id: r.status for r in rows}


def told(store: Store) -> list[Any]:
    return list(store.read(lambda c: c.execute(select(notifications)).all()))


# --- equal calls ----------------------------------------------------------------------------


def test_the_order_of_arguments_does_not_make_another_call() -> None:
    assert call_key("mail", {"a": 1, "b": [2]}) == call_key("mail", {"b": [2], "a": 1})


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("mail2", {"a": 1}),
        ("mail", {"a": 2}),
        ("mail", {"a": "1"}),
        ("mail", {}),
        ("mail", {"b": 1}),
    ],
)
def test_anything_else_does(tool: str, arguments: dict[str, Any]) -> None:
    assert call_key(tool, arguments) != call_key("mail", {"a": 1})


@pytest.mark.parametrize("text", ["é", "\ud800", "\0", "x" * 100_000])
async def test_any_argument_can_be_stored(store: Store, intents: Intents, text: str) -> None:
    run = await a_run(store)
    intent = await intend(intents, run, {"t": text})
    settle(store, intents, intent, "in_doubt", text)
    found = intents.doubtful("mail", {"t": text})
    assert found is not None and json.loads(found.arguments) == {"t": text}


# --- doubt ----------------------------------------------------------------------------------


async def test_the_intent_is_stored_before_anything_is_known(
    store: Store, intents: Intents
) -> None:
    intent = await intend(intents, await a_run(store))
    assert statuses(store) == {intent: "intended"}


@pytest.mark.parametrize("outcome", ["done", "failed"])
async def test_a_known_outcome_leaves_no_doubt(
    store: Store, intents: Intents, outcome: Outcome
) -> None:
    intent = await intend(intents, await a_run(store))
    settle(store, intents, intent, outcome)
    assert intents.doubtful("mail", MAIL) is None
    assert intents.in_doubt() == []


async def test_an_unknown_outcome_is_found_by_an_equal_call_only(
    store: Store, intents: Intents
) -> None:
    run = await a_run(store)
    intent = await intend(intents, run)
    settle(store, intents, intent, "in_doubt")
    found = intents.doubtful("mail", dict(reversed(MAIL.items())))
    assert found is not None and (found.id, found.trace_id) == (intent, run)
    assert intents.doubtful("mail", {**MAIL, "to": "alice"}) is None
    assert intents.doubtful("post", MAIL) is None


async def test_doubts_are_listed_oldest_first(store: Store, intents: Intents) -> None:
    run = await a_run(store)
    made = [await intend(intents, run, {"n": n}, idx=n) for n in range(3)]
    for intent in reversed(made):
        settle(store, intents, intent, "in_doubt")
    assert [i.id for i in intents.in_doubt()] == made


@pytest.mark.parametrize(("happened", "status"), [(True, "done"), (False, "failed")])
async def test_a_person_resolves_a_doubt_once(
    store: Store, intents: Intents, happened: bool, status: str
) -> None:
    intent = await intend(intents, await a_run(store))
    settle(store, intents, intent, "in_doubt")
    intents.resolve(intent, happened, user_id="alice")
    assert statuses(store) == {intent: status}
    assert intents.doubtful("mail", MAIL) is None
    with pytest.raises(UserError, match="in doubt"):
        intents.resolve(intent, not happened, user_id="alice")
    assert statuses(store) == {intent: status}


@pytest.mark.parametrize("outcome", ["done", "failed", None])
async def test_what_is_not_in_doubt_cannot_be_resolved(
    store: Store, intents: Intents, outcome: Outcome | None
) -> None:
    intent = await intend(intents, await a_run(store))
    if outcome:
        settle(store, intents, intent, outcome)
    for wrong in (intent, "nonsense", ""):
        with pytest.raises(UserError, match="in doubt"):
            intents.resolve(wrong, True, user_id="alice")


# --- crashes --------------------------------------------------------------------------------


async def test_intents_of_a_dead_process_become_doubtful_and_their_owner_is_told(
    store: Store, intents: Intents
) -> None:
    run = await a_run(store)
    open_, done = await intend(intents, run), await intend(intents, run, {"n": 1}, idx=1)
    settle(store, intents, done, "done")
    for expected in (1, 0):
        found = store.write(lambda tx: intents.settle_interrupted(tx, [store.process_id]))
        assert found == expected
    assert statuses(store) == {open_: "in_doubt", done: "done"}
    (note,) = told(store)
    assert (note.audience, note.owner) == ("user", "alice")
    assert f"llmos resolve {open_}" in note.description


async def test_those_of_a_living_process_do_not(store: Store, intents: Intents) -> None:
    await intend(intents, await a_run(store))
    assert store.write(lambda tx: intents.settle_interrupted(tx, ["another"])) == 0
    assert told(store) == []


async def test_a_doubt_is_told_once(store: Store) -> None:
    run = await a_run(store)
    doubt = Intent("i1", run, 0, "mail", "{}", None, "in_doubt", "")
    for _ in range(3):
        store.write(lambda tx: announce_doubt(tx, doubt, "it timed out"))
    assert len(told(store)) == 1


async def test_a_call_under_way_in_another_run_is_no_doubt(store: Store, intents: Intents) -> None:
    await intend(intents, await a_run(store))
    assert intents.doubtful("mail", MAIL) is None


async def test_a_call_without_an_outcome_in_a_run_that_is_over_is_one(
    store: Store, intents: Intents
) -> None:
    intent = await intend(intents, await a_run(store, "done"))
    found = intents.doubtful("mail", MAIL)
    assert found is not None and found.id == intent
    intents.resolve(intent, True, user_id="alice")
    assert intents.doubtful("mail", MAIL) is None


async def test_a_call_of_a_process_that_died_is_one_before_anybody_has_cleaned_up(
    database: Database,
) -> None:
    with database.open() as living:
        dying = database.open()
        intent = await intend(Intents(dying), await a_run(dying))
        intents = Intents(living)
        assert intents.doubtful("mail", MAIL) is None, "it may still come back"
        dying._shut_down()  # as kill does: nothing is noted, the lock is let go
        found = intents.doubtful("mail", MAIL)
        assert found is not None and found.id == intent
        assert [i.id for i in intents.in_doubt()] == [intent]
        intents.resolve(intent, False, user_id="alice")
        assert intents.in_doubt() == []


# --- idempotency keys -----------------------------------------------------------------------


async def test_a_doubt_keeps_its_idempotency_key(store: Store, intents: Intents) -> None:
    settle(store, intents, await intend(intents, await a_run(store), key="k1"), "in_doubt")
    found = intents.doubtful("mail", MAIL)
    assert found is not None and found.idempotency_key == "k1"


async def test_a_call_that_succeeds_with_the_key_of_a_doubt_resolves_it(
    store: Store, intents: Intents
) -> None:
    # Otherwise its key would be used for every later call, and none of them would act.
    run = await a_run(store)
    doubt = await intend(intents, run, key="k1")
    other = await intend(intents, run, key="k2", idx=1)
    keyless = await intend(intents, run, idx=2)
    for intent in (doubt, other, keyless):
        settle(store, intents, intent, "in_doubt")
    again = await intend(intents, await a_run(store), key="k1")
    settle(store, intents, again, "failed")
    assert statuses(store)[doubt] == "in_doubt"
    third = await intend(intents, await a_run(store), key="k1")
    settle(store, intents, third, "done")
    got = statuses(store)
    assert (got[doubt], got[other], got[keyless]) == ("done", "in_doubt", "in_doubt")


async def test_calls_without_a_key_resolve_nothing(store: Store, intents: Intents) -> None:
    run = await a_run(store)
    doubt = await intend(intents, run)
    settle(store, intents, doubt, "in_doubt")
    settle(store, intents, await intend(intents, run, idx=1), "done")
    assert statuses(store)[doubt] == "in_doubt"
