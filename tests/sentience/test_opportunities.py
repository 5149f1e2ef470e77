"""What could be better is counted from runs and uses, and names its evidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from llmos.memory.traces import Traces
from llmos.sentience import Opportunity, detect_improvement_opportunities
from llmos.sentience.opportunities import OpportunityKind, wording
from llmos.store import Store
from llmos.values import ArtifactType, Mode, Trace, Verdict
from llmos.volumes import Outcome, Status, record_usage
from tests.volumes.people import Everybodys

TOOL = ArtifactType.TOOL
RUN = Trace("Sum 3 numbers of a/b.txt", (), "6", now=datetime(2026, 3, 2, tzinfo=UTC))


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.memory() as made:
        yield made


async def runs(store: Store, *given: Trace) -> list[str]:
    return await Traces(store).learn(given, "alice", None)


def found(store: Store) -> dict[OpportunityKind, Opportunity]:
    told = detect_improvement_opportunities(store, "alice")
    assert len({o.kind for o in told}) == len(told)
    return {o.kind: o for o in told}


def numbered(count: int, **more: object) -> list[Trace]:
    return [replace(RUN, goal=f"Sum {n} numbers of a/{n}.txt", **more) for n in range(count)]


def test_goals_that_differ_only_in_values_have_one_wording() -> None:
    assert wording("mail 'Q3 plan' to bob@b.example") == wording("mail 'hi' to al@b.example")
    assert wording("add 3 apples") != wording("remove 3 apples")


async def test_a_new_home_has_none(store: Store) -> None:
    assert detect_improvement_opportunities(store, "alice") == []


async def test_what_a_model_does_well_again_and_again_without_a_tool(store: Store) -> None:
    await runs(store, *numbered(2))
    assert found(store) == {}
    ids = await runs(store, *numbered(1))
    told = found(store)[OpportunityKind.NO_TOOL]
    assert (told.subject, told.runs) == ("sum … numbers of …", 3)
    assert told.trace_ids[0] == ids[0] and len(told.trace_ids) == 3
    assert detect_improvement_opportunities(store, "bob") == []


async def test_free_runs_and_bad_ones_do_not_ask_for_a_tool(store: Store) -> None:
    await runs(store, *numbered(9, mode=Mode.FOLLOWER), *numbered(2))
    await runs(store, *numbered(2, verdict=Verdict.FAILED))
    assert OpportunityKind.NO_TOOL not in found(store)


async def test_what_a_tool_was_made_from_does_not_ask_for_one(store: Store) -> None:
    ids = await runs(store, *numbered(3))
    volume = Everybodys(store, "user", "alice")
    await volume.aput(TOOL, "sum", {"code": ""}, author="alice", lineage=ids, status=Status.ACTIVE)
    assert OpportunityKind.NO_TOOL not in found(store)
    volume.set_status(TOOL, "sum", Status.QUARANTINED, author="alice")
    assert OpportunityKind.NO_TOOL in found(store)


async def test_what_keeps_failing(store: Store) -> None:
    await runs(store, *numbered(4), *numbered(2, verdict=Verdict.FAILED))
    assert OpportunityKind.FAILING not in found(store)
    await runs(store, *numbered(1, verdict=Verdict.REFUTED))
    told = found(store)[OpportunityKind.FAILING]
    assert (told.runs, told.told) == (3, "the last 3 runs of this have all failed")
    await runs(store, *numbered(1))
    assert OpportunityKind.FAILING not in found(store)


async def test_what_most_of_the_money_goes_to_comes_first(store: Store) -> None:
    await runs(store, *numbered(3), replace(RUN, goal="Tidy up", cost_usd=1.0))
    await runs(store, *[replace(RUN, goal="Read the news", cost_usd=0.5)] * 4)
    told = detect_improvement_opportunities(store, "alice")
    assert told[0].kind in (OpportunityKind.COSTLY, OpportunityKind.NO_TOOL)
    costly = next(o for o in told if o.kind is OpportunityKind.COSTLY)
    assert (costly.subject, costly.runs, costly.cost_usd) == ("read the news", 4, 2.0)
    assert costly.told == "4 runs of this took 67% of all that was spent"
    assert costly.as_dict()["trace_ids"] == list(costly.trace_ids)


async def test_a_tool_that_guards_stop_again_and_again(store: Store) -> None:
    ids = await runs(store, *numbered(3, mode=Mode.MIXED, cost_usd=0.1))
    volume = Everybodys(store, "user", "alice")
    await volume.aput(TOOL, "sum", {"code": ""}, author="alice", lineage=ids, status=Status.ACTIVE)
    version = volume.get(TOOL, "sum")

    def used(outcome: Outcome, trace: str | None = None) -> None:
        store.write(lambda tx: record_usage(tx, version, outcome, user_id="alice", trace_id=trace))

    for trace in ids:
        used(Outcome.SIDE_EXIT, trace)
    used(Outcome.AGREED)
    told = found(store)[OpportunityKind.SIDE_EXITS]
    assert (told.subject, told.runs, told.cost_usd) == ("sum", 3, pytest.approx(0.3))
    assert told.told == "a guard stopped the tool in 3 of 3 uses"
    assert set(told.trace_ids) == set(ids)
    for _ in range(13):
        used(Outcome.SERVED)
    assert OpportunityKind.SIDE_EXITS not in found(store)
