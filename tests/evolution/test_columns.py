"""What one trace does at a place, the others do there too."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from llmos.evolution.columns import Block, Observed, ToolHabits, align_columns, blocks
from llmos.evolution.ir import Paging
from llmos.values import Effect, Json, Step

NO_HABITS = ToolHabits({}, {}, {})


def read(tool: str = "list", rows: Json = None, **arguments: Json) -> Step:
    return Step(tool, arguments, rows, effect=Effect.READ)


def write(tool: str = "send", **arguments: Json) -> Step:
    return Step(tool, arguments, "done", effect=Effect.WRITE)


def table(first: int, n: int) -> list[Json]:
    return [{"id": i, "text": f"row {i}"} for i in range(first, first + n)]


def observed(*runs: list[Step]) -> Observed:
    made = Observed()
    for run in runs:
        made.add(run)
    return made


def paged(cap: int, *lengths: int) -> list[Step]:
    """Reads of one list, each asking for what comes after the last row of the one before."""
    steps, first = [], 0
    for n in lengths:
        after = {"after": first - 1} if first else {}
        steps.append(read(rows=table(first, n), query="x", **after))
        first += n
    return steps


# --- habits ------------------------------------------------------------------------------------


def test_a_length_that_different_results_have_and_none_exceeds_is_a_cap() -> None:
    full = [[read(rows=table(i, 5), query=str(i))] for i in range(3)]
    assert observed(*full).habits().caps == {"list": 5}
    assert observed(*full[:2]).habits().caps == {}
    assert observed(*full, [read(rows=table(0, 6))]).habits().caps == {}


def test_the_same_result_three_times_is_no_cap() -> None:
    assert observed(*[[read(rows=table(0, 5))]] * 3).habits().caps == {}


def test_the_longest_result_is_known() -> None:
    runs = [read(rows=table(0, n)) for n in (2, 7, 1)]
    assert observed(runs).habits().longest == {"list": 7}


def test_writes_and_results_that_are_no_lists_do_not_count() -> None:
    habits = observed([write(), read(rows={"a": 1}), read(rows="text"), read(rows=None)]).habits()
    assert habits == NO_HABITS


def test_asking_for_what_comes_after_the_last_row_is_paging() -> None:
    habits = observed(paged(3, 3, 3, 1)).habits()
    assert habits.paging == {"list": Paging(3, "after", "id")}
    assert habits.caps == {"list": 3}


def test_another_question_is_no_further_page() -> None:
    two = [read(rows=table(0, 3), query="x"), read(rows=table(0, 3), query="y")]
    assert observed(two).habits().paging == {}
    both = [read(rows=table(0, 3), query="x"), read(rows=[], query="y", after=2)]
    assert observed(both).habits().paging == {}


def test_pages_shorter_than_the_longest_result_are_no_paging() -> None:
    assert observed(paged(3, 3, 3), [read(rows=table(0, 9))]).habits().paging == {}


RUNS = st.lists(
    st.lists(
        st.builds(
            lambda tool, first, n, after: read(tool, table(first, n), after=after),
            st.sampled_from(["list", "find"]),
            st.integers(0, 4),
            st.integers(0, 4),
            st.one_of(st.none(), st.integers(0, 8)),
        ),
        max_size=4,
    ),
    max_size=6,
)


@given(RUNS)
def test_what_was_observed_is_the_same_after_json(runs: list[list[Step]]) -> None:
    made = observed(*runs)
    again = Observed.from_json(json.loads(json.dumps(made.as_json())))
    assert again.habits() == made.habits()
    assert again.as_json() == made.as_json()


@given(RUNS)
def test_the_order_of_runs_makes_no_difference_to_habits(runs: list[list[Step]]) -> None:
    assert observed(*runs).habits() == observed(*reversed(runs)).habits()


# --- blocks ------------------------------------------------------------------------------------


def test_pages_of_one_read_are_one_block_with_all_rows() -> None:
    known = ToolHabits({}, {}, {"list": Paging(3, "after", "id")})
    steps = paged(3, 3, 3, 1)
    (block,) = blocks(steps, known)
    assert block.steps == tuple(steps)
    assert block.observation == table(0, 7)
    assert not block.writes


def test_a_read_after_one_that_was_not_cut_off_is_another_block() -> None:
    known = ToolHabits({}, {}, {"list": Paging(3, "after", "id")})
    assert len(blocks(paged(3, 2, 3), known)) == 2
    assert len(blocks(paged(3, 3, 3), NO_HABITS)) == 2


def test_equal_writes_one_after_another_are_one_block() -> None:
    steps = [write(to="a"), write(to="b"), write(to="c", text="x"), write("move", to="a")]
    assert [len(b.steps) for b in blocks(steps, NO_HABITS)] == [2, 1, 1]


STEPS = st.lists(
    st.builds(
        lambda writes, tool, names, rows: (
            write(tool, **dict.fromkeys(names, 1))
            if writes
            else read(tool, table(0, rows), **dict.fromkeys(names, 1))
        ),
        st.booleans(),
        st.sampled_from(["a", "b"]),
        st.frozensets(st.sampled_from(["x", "y"])),
        st.integers(0, 3),
    ),
    max_size=7,
)


@given(STEPS)
def test_blocks_hold_every_step_in_order(steps: list[Step]) -> None:
    known = ToolHabits({}, {}, {"a": Paging(3, "x", "id")})
    assert [s for b in blocks(steps, known) for s in b.steps] == steps


# --- columns -----------------------------------------------------------------------------------


def cut(*traces: list[Step]) -> list[list[Block]]:
    return [blocks(t, NO_HABITS) for t in traces]


def test_what_one_trace_leaves_out_is_a_gap() -> None:
    long = [read("find", name=1), read("list", day=1), write("send", to=1)]
    columns = align_columns(cut(long, [long[0], long[2]], long))
    assert [sorted(c.cells) for c in columns] == [[0, 1, 2], [0, 2], [0, 1, 2]]
    assert [c.writes for c in columns] == [False, False, True]


def test_two_branches_are_columns_of_their_own() -> None:
    first = read("find", name=1)
    columns = align_columns(cut([first, write("send", to=1)], [first, write("drop", id=1)]))
    assert sorted(sorted(c.cells) for c in columns) == [[0], [0, 1], [1]]


def test_tools_that_are_called_alike_are_one_column() -> None:
    one = [read("visits", day=1), write("send", to=1)]
    other = [read("sales", day=1), write("send", to=1)]
    columns = align_columns(cut(one, other))
    assert [c.tools for c in columns] == [{"visits", "sales"}, {"send"}]


def test_the_same_tool_goes_before_one_that_is_called_alike() -> None:
    three = [read("visits", day=1), read("sales", day=1), write("send", to=1)]
    columns = align_columns(cut(three, three[1:]))
    assert [sorted(c.cells) for c in columns] == [[0], [0, 1], [0, 1]]


def test_a_read_and_a_write_are_never_one_column() -> None:
    columns = align_columns(cut([read("do", x=1)], [write("do", x=1)]))
    assert [len(c.cells) for c in columns] == [1, 1]


@given(st.lists(STEPS, max_size=5))
def test_every_block_is_in_one_column_and_every_trace_keeps_its_order(
    traces: list[list[Step]],
) -> None:
    made = cut(*traces)
    columns = align_columns(made)
    for number, trace in enumerate(made):
        assert [c.cells[number] for c in columns if number in c.cells] == trace
    for column in columns:
        assert len({cell.shape for cell in column.cells.values()}) == 1


@given(STEPS, st.integers(1, 4))
def test_traces_that_do_the_same_have_no_gaps(steps: list[Step], times: int) -> None:
    columns = align_columns(cut(*[steps] * times))
    assert all(len(c.cells) == times for c in columns)


def test_no_traces_have_no_columns() -> None:
    assert align_columns([]) == []
    assert align_columns([[]]) == []
