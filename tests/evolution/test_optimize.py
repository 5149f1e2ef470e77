"""What is served does what was learnt, with fewer reads, and its proof is the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from llmos.errors import SandboxError
from llmos.evolution.example import Example
from llmos.evolution.ir import (
    Candidates,
    Expr,
    Guard,
    Node,
    Paging,
    Program,
    Read,
    Seen,
    Single,
    Slot,
    Write,
    call,
    const,
)
from llmos.evolution.optimize import MOST_TOGETHER, Optimized, optimize, optimized
from llmos.evolution.plan import Request, Runner, Stop
from llmos.evolution.prove import prove
from llmos.evolution.prune import without
from llmos.plugins.program_told import as_json
from llmos.values import Effect, Json, Step
from tests.evolution.programs import (
    NOW,
    Sandbox,
    World,
    a_sandbox,
    planned,
    programs,
    sandboxed,
    slots,
    told,
)

LENIENT = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
ROOM, TEXT = Slot("room"), Slot("text")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with a_sandbox() as made:
        yield made


def read(node: str, *rooms: Expr, guard: str = "", tool: str = "climate.get") -> Read:
    return Read(node, (const(tool),), {"room": rooms or (ROOM,)}, guard)


def write(*texts: Expr, node: str = "w", guard: str = "") -> Write:
    return Write(node, (const("note.post"),), (Single({"text": texts or (TEXT,)}),), guard)


def peak(node: str) -> Expr:
    return call("peak", Seen(node), True)


def program(*nodes: Node, answer: Candidates = (), **guards: Guard) -> Program:
    return Program(nodes, guards, answer)


def names(found: Program) -> list[str]:
    return [node.id for node in found.nodes]


HERE = write(call("concat", ROOM, TEXT))
"""A write that looks at all slots."""


# --- dead reads --------------------------------------------------------------------------------


def test_what_is_read_after_the_last_write_and_not_looked_at_is_left_out() -> None:
    found = optimize(program(HERE, read("r1"), read("r2", peak("r1"))))
    assert (names(found.program), found.dead, found.repeats) == (["w"], ("r1", "r2"), {})


def test_a_read_before_a_write_guards_it_though_nothing_looks_at_it() -> None:
    for before in (program(read("r"), HERE), program(HERE, read("r"), replace(HERE, id="w2"))):
        assert optimize(before).program == before


def test_a_read_that_a_hidden_guard_looks_at_stays() -> None:
    hidden = {"": Guard((), (call("exists", Seen("r")),))}
    before = Program((read("r"), HERE), hidden)
    assert optimize(before).program == before


def test_a_read_that_only_a_rival_looks_at_stays_as_long_as_the_rival() -> None:
    # `late` is the only one that looks at the slot "day": it stays, and with it what it looks at.
    late = read("r2", Slot("day"), peak("r1"))
    assert optimize(program(HERE, read("r1"), late)).dead == ()
    narrowed = program(HERE, read("r1"), read("r2", Slot("day")))
    assert optimize(narrowed).dead == ("r1",)


def test_a_read_that_alone_looks_at_a_slot_stays_or_the_slot_would_mean_nothing() -> None:
    before = program(write(TEXT), read("r"))
    assert optimize(before).program == before


def test_reads_of_what_only_answers_stay() -> None:
    before = program(read("r1"), read("r2"), answer=(peak("r2"),))
    assert optimize(before, steady=lambda one, other: False).program == before


def test_what_is_read_before_an_answer_stays_also_after_a_write() -> None:
    before = program(HERE, read("r"), answer=(const("Done."),))
    assert optimize(before).program == before


def test_a_guard_goes_with_its_last_step_and_with_it_what_it_looked_at() -> None:
    asked = Guard((call("test", call("highest", Seen("r1")), ">", 9),))
    found = optimize(program(HERE, read("r1"), read("r2", guard="g"), g=asked))
    assert (names(found.program), found.program.guards) == (["w"], {})
    kept = optimize(program(HERE, read("r1"), read("r2", Slot("day"), guard="g"), g=asked))
    assert kept.removed == ()


# --- repeats -----------------------------------------------------------------------------------


def test_the_same_call_made_again_is_one_and_who_looked_at_it_looks_at_the_first() -> None:
    found = optimize(program(read("r0"), read("r1"), write(peak("r1"), peak("r0"), TEXT)))
    assert found.repeats == {"r1": "r0"}
    assert found.program == program(read("r0"), write(peak("r0"), TEXT))


def test_what_repeats_by_way_of_a_repeat_is_one_too() -> None:
    again = (read("r2", peak("r0")), read("r3", peak("r1")))
    found = optimize(program(read("r0"), read("r1"), *again, write(peak("r3"))))
    assert found.repeats == {"r1": "r0", "r3": "r2"}


@pytest.mark.parametrize(
    "between",
    [
        [read("r0"), HERE, read("r1")],  # written in between
        [read("r0"), read("r1", guard="g")],  # in a branch
        [read("r0"), read("r1", tool="parcel.list")],  # another tool
        [read("r0"), read("r1", ROOM, TEXT)],  # a rival that may mean another room
        [read("r0"), read("r1", TEXT)],  # another room
        [read("r0"), replace(read("r1"), cap=3)],  # stops where the first does not
        [read("r0"), Read("r1", (const("climate.get"),), {})],
    ],
)
def test_what_may_be_another_call_or_see_another_world_is_no_repeat(between: list[Node]) -> None:
    g = Guard((call("test", TEXT, "==", "x"),))
    last = write(peak("r0"), peak("r1"), node="last")
    assert optimize(program(*between, last, g=g)).repeats == {}


def test_a_read_with_fewer_rivals_repeats_one_with_more() -> None:
    found = optimize(program(read("r0", ROOM, TEXT), read("r1"), write(peak("r1"))))
    assert found.repeats == {"r1": "r0"}


# --- the proof decides -------------------------------------------------------------------------


def an_example(room: str, *seen: Json, effect: Effect = Effect.READ) -> Example:
    """Several looks at a room, its warmest day posted, and a last look."""
    looks = [Step("climate.get", {"room": room}, s, effect=effect) for s in seen]
    day = max(seen[0], key=seen[0].get)
    note = Step("note.post", {"text": day}, "Posted.", effect=Effect.WRITE)
    return Example({"room": room}, NOW, (*looks, note, looks[-1]))


TWICE = program(read("r0"), read("r1"), write(peak("r0"), peak("r1")), read("r2"))
WARM: list[dict[str, Json]] = [{"mon": 1.0, "tue": 9.0}, {"mon": 8.0, "tue": 2.0}, {"wed": 3.0}]


def test_what_has_the_same_proof_is_served_and_survives_as_json() -> None:
    given_ = [an_example(r, w, w) for r, w in zip(("hall", "attic", "annex"), WARM, strict=True)]
    proof = prove(TWICE, given_)
    found = optimized(TWICE, given_, proof)
    assert (found.repeats, found.dead, found.refused) == ({"r1": "r0"}, ("r2",), "")
    assert prove(found.program, given_) == proof
    assert Optimized.from_json(TWICE, json.loads(json.dumps(found.as_json()))) == found


def test_what_once_saw_something_else_the_second_time_is_no_repeat() -> None:
    warmer = {**WARM[0], "mon": 1.5}
    given_ = [an_example("hall", WARM[0], WARM[0]), an_example("attic", WARM[0], warmer)]
    assert optimized(TWICE, given_, prove(TWICE, given_)).repeats == {}


def test_what_may_differ_every_time_is_no_repeat() -> None:
    given_ = [an_example("hall", w, w, effect=Effect.OPEN_READ) for w in WARM]
    assert optimized(TWICE, given_, prove(TWICE, given_)).repeats == {}


def test_another_proof_serves_the_whole_program_and_says_so() -> None:
    given_ = [an_example("hall", w, w) for w in WARM]
    found = optimized(TWICE, given_, replace(prove(TWICE, given_), used=frozenset({"day"})))
    assert (found.program, found.removed) == (TWICE, ())
    assert found.stages == (("r0", "r1"),)
    assert "its proof would be another one" in found.refused


@pytest.mark.parametrize(
    ("served", "why"),
    [
        (program(read("r0")), "would write other things"),
        (program(read("r0"), write(call("peak", Seen("r0"), False))), "would stop in a trace"),
    ],
)
def test_what_would_write_otherwise_is_not_served_whatever_made_it(
    served: Program, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_ = [an_example("hall", w, w) for w in WARM]
    wrong = Optimized(served, {"r1": "r0"}, ("r2",))
    monkeypatch.setattr("llmos.evolution.optimize.optimize", lambda *args, **more: wrong)
    found = optimized(TWICE, given_, prove(TWICE, given_))
    assert (found.program, found.removed) == (TWICE, ())
    assert why in found.refused


# --- stages ------------------------------------------------------------------------------------


def stages(*nodes: Node, **guards: Guard) -> tuple[tuple[str, ...], ...]:
    return optimize(program(*nodes, **guards), steady=lambda one, other: False).stages


def test_reads_that_do_not_look_at_each_other_are_a_stage_up_to_a_write() -> None:
    a, b, c = read("a"), read("b"), read("c")
    assert stages(a, b, write(peak("a")), c, write(peak("c"), node="w2")) == (("a", "b"),)
    assert stages(a, b, c, HERE) == (("a", "b", "c"),)


def test_what_looks_at_a_read_begins_another_stage_even_if_only_a_rival_does() -> None:
    for third in (read("c", peak("a")), read("c", ROOM, peak("b"))):
        assert stages(read("a"), read("b"), third, read("d"), HERE) == (("a", "b"), ("c", "d"))


def test_what_is_read_under_a_condition_waits_for_what_that_looks_at() -> None:
    outer = Guard((call("exists", Seen("a")),))
    inner = Guard((call("test", TEXT, "==", "x"),), (), "outer")
    under = read("b", guard="inner")
    assert stages(read("a"), under, HERE, outer=outer, inner=inner) == ()
    assert stages(read("z"), under, HERE, outer=replace(inner, after=""), inner=inner) == (
        ("z", "b"),
    )


def test_a_read_that_goes_on_page_by_page_ends_a_stage() -> None:
    paged = replace(read("b"), paging=Paging(2, "before", "at"), cap=2)
    assert stages(read("a"), paged, read("c"), HERE) == (("a", "b"),)


def test_a_stage_is_bounded() -> None:
    many = [read(f"r{k}") for k in range(MOST_TOGETHER + 2)]
    assert [len(stage) for stage in stages(*many, HERE)] == [MOST_TOGETHER, 2]


def test_a_step_that_is_made_twice_leaves_the_program_as_it_is() -> None:
    before = program(read("r"), read("r"), HERE, read("r"))
    assert optimize(before) == Optimized(before)


def test_only_what_will_be_asked_for_is_announced() -> None:
    # b is in a branch that is not taken; c waits for what the write returns.
    taken = Guard((call("test", TEXT, "==", "x"),))
    nodes = (HERE, read("a"), read("b", guard="g"), read("c", Seen("w")), read("d"))
    whole = program(*nodes, write(peak("d"), node="w2"), g=taken)
    said = {"room": "hall", "text": "y"}
    staged = foreseen(whole, said, Steady({"climate.get": [{"mon": 1.0}]}, frozenset()), ["abcd"])
    assert staged[2] == [["a", "d"]]
    assert [r.node for r in staged[0]] == ["w", "a", "d", "w2"]


# --- in every world ----------------------------------------------------------------------------


class Steady(World):
    """A world in which the same call comes out the same until something is written.

    Reads of some tools fail there, at every other call.
    """

    def __init__(self, given_: Mapping[str, Sequence[Json]], failing: frozenset[str]) -> None:
        super().__init__(given_)
        self._failing = failing
        self._known: dict[str, Json] = {}
        self.writes: list[str] = []

    def answer(self, tool: str, arguments: Mapping[str, Json]) -> Json:
        asked = json.dumps([tool, dict(arguments)], sort_keys=True)
        if tool.startswith("item."):
            self.writes.append(asked)
            self._known = {}
        if asked not in self._known:
            self._known[asked] = super().answer(tool, arguments)
        if tool in self._failing and len(asked) % 2:
            raise SandboxError("it failed")
        return self._known[asked]


@st.composite
def wasteful(draw: st.DrawFn) -> Program:
    """Programs with reads made again, looks at either of them, rivals, and reads at the end."""
    made = draw(programs())
    nodes: list[Node] = []
    for node in made.nodes:
        nodes.append(_rivalled(draw, node))
        if isinstance(node, Read) and draw(st.booleans()):
            nodes.append(replace(nodes[-1], id=f"{node.id}x"))
    known = [n for n in nodes if isinstance(n, Read)]
    for k in range(draw(st.integers(0, 2))):
        again = draw(st.sampled_from(known)) if known else read("none", Slot("title"))
        nodes.append(replace(again, id=f"z{k}"))
    twins = {n.id[:-1]: n.id for n in nodes if n.id.endswith("x")}
    looked = {one: other for one, other in twins.items() if draw(st.booleans())}
    return _looking(Program(tuple(nodes), made.guards, made.answer), looked)


def _rivalled(draw: st.DrawFn, node: Node) -> Node:
    """A read of which now and then another argument fits too."""
    if not isinstance(node, Read) or draw(st.integers(0, 3)):
        return node
    rival = draw(st.sampled_from([Slot("title"), Slot("when"), const("x")]))
    return replace(node, arguments={n: (*c, rival) for n, c in node.arguments.items()})


def _looking(made: Program, names_: Mapping[str, str]) -> Program:
    """The program with looks at one read turned to another that comes right after it."""
    kept = {n.id: n for n in made.nodes}
    turned = without(made, names_, ())
    own = iter(turned.nodes)
    nodes = [kept[n.id] if n.id in names_ else next(own) for n in made.nodes]
    return Program(tuple(nodes), turned.guards, turned.answer)


@dataclass(frozen=True)
class Outcome:
    writes: list[str]
    answer: Json


def outcome(program_: Program, said: Mapping[str, str], world: Steady) -> Outcome:
    """What a program writes and says; None where it stops."""
    run = Runner(program_, said, NOW).run()
    observation: Json = None
    try:
        while True:
            request = run.send(observation)
            as_json(dict(request.arguments), 1_000_000, "asked")
            observation = world.answer(request.tool, request.arguments)
    except StopIteration as e:
        return Outcome(world.writes, e.value)
    except (Stop, SandboxError, TypeError):
        return Outcome(world.writes, None)


FAILING = st.frozensets(st.sampled_from(["items.find", "figures.get", "id.get"]), max_size=1)


Worlds = dict[str, list[Json]]


@settings(max_examples=100, deadline=None, suppress_health_check=LENIENT)
@given(whole=wasteful(), said=slots(), world=told(), failing=FAILING)
def test_what_is_served_writes_the_same_or_both_stop(
    whole: Program, said: dict[str, str], world: Worlds, failing: frozenset[str]
) -> None:
    check_served(whole, said, world, failing)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None, suppress_health_check=LENIENT)
@given(whole=wasteful(), said=slots(), world=told(), failing=FAILING)
def test_what_is_served_writes_the_same_or_both_stop_many_times(
    whole: Program, said: dict[str, str], world: Worlds, failing: frozenset[str]
) -> None:
    check_served(whole, said, world, failing)


def check_served(
    whole: Program, said: Mapping[str, str], world: Worlds, failing: frozenset[str]
) -> None:
    found = optimize(whole)
    assume(found.removed)
    before = outcome(whole, said, Steady(world, failing))
    after = outcome(found.program, said, Steady(world, failing))
    assert after.writes == before.writes
    if before.answer is None and found.dead:
        return  # what is not read any more cannot stop it: all is written by then
    assert after.answer == before.answer


@settings(max_examples=50, deadline=None, suppress_health_check=LENIENT)
@given(whole=wasteful(), said=slots(), world=told())
def test_the_code_of_what_is_served_does_what_its_program_does(
    whole: Program, said: dict[str, str], world: Worlds, sandbox: Sandbox
) -> None:
    served = optimize(whole).program
    assume(served != whole)
    none = frozenset[str]()
    expected = planned(served, said, NOW, Steady(world, none))
    assert sandboxed(served, said, NOW, Steady(world, none), sandbox) == expected


def foreseen(
    program_: Program,
    said: Mapping[str, str],
    world: Steady,
    stages_: Sequence[Sequence[str]],
) -> tuple[list[Request], str | None, list[list[str]]]:
    """Calls, answer or None, and what was announced, where reads of a stage are made at once."""
    runner = Runner(program_, said, NOW, stages=stages_)
    run = runner.run(foresee=True)
    made: list[Request] = []
    announced: list[list[str]] = []
    ready: list[Json] = []
    observation: Json = None
    try:
        while True:
            request = run.send(observation)
            made.append(request)
            if runner.together and request is runner.together[0]:
                announced.append([r.node for r in runner.together])
                ready = [world.answer(r.tool, r.arguments) for r in runner.together]
            if request.writes:
                observation = None
            else:
                observation = (
                    ready.pop(0) if ready else world.answer(request.tool, request.arguments)
                )
    except StopIteration as e:
        return made, e.value, announced
    except (Stop, TypeError):
        return made, None, announced


@settings(max_examples=40, deadline=None, suppress_health_check=LENIENT)
@given(whole=wasteful(), said=slots(), world=told())
def test_reads_at_once_are_the_calls_of_reads_one_after_the_other(
    whole: Program, said: dict[str, str], world: Worlds
) -> None:
    found = optimize(whole)
    assume(found.stages)
    none = frozenset[str]()
    # Every tool answers by its arguments alone, whenever it is asked.
    fixed = {tool: [rows[0]] * 50 for tool, rows in world.items()}
    plain = foreseen(found.program, said, Steady(fixed, none), ())
    staged = foreseen(found.program, said, Steady(fixed, none), found.stages)
    assert staged[:2] == plain[:2]
    for together in staged[2]:
        assert together == [n for stage in found.stages for n in stage if n in together]
