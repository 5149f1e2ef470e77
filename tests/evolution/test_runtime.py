"""The runtime says the same in CPython and in the sandbox, and what it says is right."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from llmos.evolution.emit_runtime import bundle
from llmos.evolution.evaluate import FAILURES, FUNCTIONS
from llmos.values import Json
from tests.evolution.programs import ROWS, SERIES, Sandbox, a_sandbox

WEDNESDAY = datetime(2024, 2, 28, 9, 30)
PEOPLE: list[dict[str, Json]] = [
    {"name": "Ann", "age": 31, "team": "red"},
    {"name": "bob", "age": 25, "team": "blue"},
    {"name": "Cleo", "age": "31", "team": "red"},
]
ANN, BOB, CLEO = PEOPLE
WEEK: dict[str, Json] = {"mon": 4, "tue": 9, "wed": 1, "thu": 2}
BUSY: list[dict[str, Json]] = [
    {"start": "2024-02-28 10:30", "lasts": "30"},
    {"start": "2024-02-28 09:00", "lasts": 60},
]

ABSTAINS = object()
"""In place of a result where the function must not say anything."""

EXAMPLES: list[tuple[str, tuple[Any, ...], Any]] = [
    ("lower", ("Ab C",), "ab c"),
    ("lower", (None,), ABSTAINS),
    ("upper", ("ab",), "AB"),
    ("title", ("new RELEASE notes",), "New Release Notes"),
    ("sentence", ("new RELEASE",), "New release"),
    ("initial", ("new RELEASE",), "New RELEASE"),
    ("snake", ("Release-notes, v2!",), "release_notes_v2"),
    ("kebab", ("Release notes",), "release-notes"),
    ("spaced", ("release_notes-now",), "release notes now"),
    ("spaced_sentence", ("release_notes",), "Release notes"),
    ("lines", ("a\\nb",), "a\nb"),
    ("first_word", ("Ann B. Cook",), "Ann"),
    ("first_word", ("Ann",), ABSTAINS),
    ("last_word", ("Ann B. Cook ",), "Cook"),
    ("last_word", ("Ann",), ABSTAINS),
    ("before_at", ("ann@x.org",), "ann"),
    ("before_at", ("ann",), ABSTAINS),
    ("singular", ("notes",), "note"),
    ("singular", ("gas",), ABSTAINS),
    ("concat", ("a", "", "b"), "ab"),
    ("concat", ("a", 1), ABSTAINS),
    ("mapped", ("a", {"a": [1]}), [1]),
    ("mapped", ("b", {"a": 1}), ABSTAINS),
    ("mapped", (None, {"a": 1}), ABSTAINS),
    ("text_of", (3,), "3"),
    ("text_of", (3.0,), "3"),
    ("text_of", (0.5,), "0.5"),
    ("text_of", (True,), ABSTAINS),
    ("number", ("$1,200",), 1200),
    ("number", ("12.5%",), 12.5),
    ("number", ("Three",), 3),
    ("number", (2.5,), 2.5),
    ("number", ("many",), ABSTAINS),
    ("number", (None,), ABSTAINS),
    ("minutes", ("1.5 hours",), 90),
    ("minutes", ("30-minute",), 30),
    ("minutes", ("half an hour",), 30),
    ("minutes", ("hour",), 60),
    ("minutes", ("long",), ABSTAINS),
    ("days", ("2 weeks",), 14),
    ("days", ("5",), ABSTAINS),
    ("days", ("1 hour",), ABSTAINS),
    ("moment", ("2024-03-01",), datetime(2024, 3, 1)),
    ("moment", ("2024-03-01T09:05:07",), datetime(2024, 3, 1, 9, 5, 7)),
    ("moment", (WEDNESDAY,), WEDNESDAY),
    ("moment", ("2024-02-30",), ABSTAINS),
    ("moment", (None,), ABSTAINS),
    ("midnight", (WEDNESDAY,), datetime(2024, 2, 28)),
    ("day", ("tomorrow", WEDNESDAY, "next"), datetime(2024, 2, 29)),
    ("day", ("March 3rd", WEDNESDAY, "year"), datetime(2024, 3, 3)),
    ("day", ("3 of March, 2023", WEDNESDAY, "next"), datetime(2023, 3, 3)),
    ("day", ("Jan 5", WEDNESDAY, "next"), datetime(2025, 1, 5)),
    ("day", ("Feb 28", WEDNESDAY, "next"), datetime(2024, 2, 28)),
    ("day", ("Feb 28", WEDNESDAY, "after"), datetime(2024, 2, 28)),
    ("day", ("Mar 5", WEDNESDAY, "last"), datetime(2023, 3, 5)),
    ("day", ("Feb 28", WEDNESDAY, "before"), datetime(2024, 2, 28)),
    ("day", ("Friday", WEDNESDAY, "next"), datetime(2024, 3, 1)),
    ("day", ("2024-03-05", WEDNESDAY, "next"), datetime(2024, 3, 5)),
    ("day", ("soon", WEDNESDAY, "next"), ABSTAINS),
    ("day", ("Feb 30", WEDNESDAY, "year"), ABSTAINS),
    ("weekday", (2, WEDNESDAY, "next"), datetime(2024, 2, 28)),
    ("weekday", (2, WEDNESDAY, "after"), datetime(2024, 3, 6)),
    ("weekday", (2, WEDNESDAY, "before"), datetime(2024, 2, 21)),
    ("weekday", (0, WEDNESDAY, "last"), datetime(2024, 2, 26)),
    ("weekday", (0, WEDNESDAY, "year"), ABSTAINS),
    ("week", (WEDNESDAY, 1, 0), datetime(2024, 3, 4)),
    ("shift", (WEDNESDAY, 2, 1440), datetime(2024, 3, 1, 9, 30)),
    ("shift", (WEDNESDAY, -0.5, 60), datetime(2024, 2, 28, 9, 0)),
    ("shift", (WEDNESDAY, 1e9, 1440), ABSTAINS),
    ("span", (1.5,), timedelta(minutes=1, seconds=30)),
    ("negative", (2,), -2),
    ("clock", (WEDNESDAY, 17, 5, 0), datetime(2024, 2, 28, 17, 5)),
    ("clock", (WEDNESDAY, 24, 0, 0), ABSTAINS),
    ("time_on", (WEDNESDAY, "at 3:15 pm", 0), datetime(2024, 2, 28, 15, 15)),
    ("time_on", (WEDNESDAY, "noon", 0), datetime(2024, 2, 28, 12)),
    ("time_on", (WEDNESDAY, "12 a.m.", 0), datetime(2024, 2, 28)),
    ("time_on", (WEDNESDAY, "3", 8), datetime(2024, 2, 28, 15)),
    ("time_on", (WEDNESDAY, "13pm", 0), datetime(2024, 2, 28, 13)),
    ("time_on", (WEDNESDAY, "25:00", 0), ABSTAINS),
    ("time_on", (WEDNESDAY, "soon", 0), ABSTAINS),
    ("date_text", (WEDNESDAY,), "2024-02-28"),
    ("minute_text", (WEDNESDAY,), "2024-02-28 09:30"),
    ("second_text", (WEDNESDAY,), "2024-02-28 09:30:00"),
    ("iso_text", (WEDNESDAY,), "2024-02-28T09:30:00"),
    ("rows", (PEOPLE,), PEOPLE),
    ("rows", ("none found",), []),
    ("rows", (None,), []),
    ("rows", ({"name": "Ann"},), ABSTAINS),
    ("get", (ANN, "age"), 31),
    ("get", (ANN, "height"), ABSTAINS),
    ("get", ("Ann", "age"), ABSTAINS),
    ("nth", ([1, 2], 0), 1),
    ("nth", ([1, 2], -1), 2),
    ("nth", ([1, 2], 2), ABSTAINS),
    ("only", ([1],), 1),
    ("only", ([1, 2],), ABSTAINS),
    ("extreme", (PEOPLE, "age", False), BOB),
    ("extreme", (PEOPLE, "age", True), ABSTAINS),
    ("extreme", (PEOPLE, "name", True), CLEO),
    ("extreme", ([], "name", True), ABSTAINS),
    ("key", ("Ab",), "ab"),
    ("key", ("12.5",), 12.5),
    ("key", ("0012",), "0012"),
    ("key", (3,), 3),
    ("key", (None,), ABSTAINS),
    ("test", ("31", "==", 31), True),
    ("test", (3, "<=", 2.5), False),
    ("test", (3, "<", 4), True),
    ("test", (3, ">", 4), False),
    ("test", (3, ">=", 3), True),
    ("test", ("Ab", "!=", "aB"), False),
    ("test", ("Release", "in", "new release"), False),
    ("test", ("new release", "in", "Release"), True),
    ("test", (None, "==", "x"), False),
    ("test", (None, "!=", "x"), True),
    ("test", (True, "==", "true"), True),
    ("test", ("2024-02-28", "<", WEDNESDAY), True),
    ("test", (3, "<", WEDNESDAY), ABSTAINS),
    ("test", ("a", "<", 3), ABSTAINS),
    ("test", (1, "~", 1), ABSTAINS),
    ("where", (PEOPLE, "age", ">", 30), [ANN, CLEO]),
    ("where", (PEOPLE, "height", ">", 30), ABSTAINS),
    ("one_of", (PEOPLE, "name", ["bob", "Cleo"]), [BOB, CLEO]),
    ("union", ([1, 2], [2, 3]), [1, 2, 3]),
    ("union", (), []),
    ("count", (PEOPLE,), 3),
    ("flipped", ([1, 2, 3],), [3, 2, 1]),
    ("tally", (["x"], "team"), ABSTAINS),
    ("tally", ([{"t": "a"}, {"t": "b"}, {"t": "a"}], "t"), {"a": 2, "b": 1}),
    ("tally", (PEOPLE, "age"), ABSTAINS),
    ("tally", ([], "team"), ABSTAINS),
    ("leader", ({"a": 2, "b": 1}, 2), "a"),
    ("leader", ({"a": 2, "b": 2}, 2), ABSTAINS),
    ("leader", ({"a": 2}, 1), ABSTAINS),
    ("most_common", (PEOPLE, "team"), "red"),
    ("most_common", (PEOPLE, "name"), ABSTAINS),
    ("most_common", (PEOPLE, "age"), ABSTAINS),
    ("most_common", ([], "age"), ABSTAINS),
    ("least_common", (PEOPLE, "team"), "blue"),
    ("least_common", (PEOPLE, "name"), ABSTAINS),
    ("least_common", (PEOPLE, "age"), ABSTAINS),
    ("least_common", ([], "age"), ABSTAINS),
    ("exists", ([],), False),
    ("exists", ([0],), True),
    ("both", (True, True), True),
    ("both", (True, False), False),
    ("missing", (None,), True),
    ("missing", ("",), True),
    ("missing", (0,), False),
    ("among", ("open", ["open"], ["shut"]), True),
    ("among", ("shut", ["open"], ["shut"]), False),
    ("among", ("lost", ["open"], ["shut"]), ABSTAINS),
    ("negated", (True,), False),
    ("numbers", (WEEK,), [4, 9, 1, 2]),
    ("numbers", ({},), ABSTAINS),
    ("numbers", ({"a": "1"},), ABSTAINS),
    ("total", (WEEK,), 16),
    ("total", ({"a": 0.1, "b": 0.2, "c": 0.3},), 0.6000000000000001),
    ("highest", (WEEK,), 9),
    ("lowest", (WEEK,), 1),
    ("mean", (WEEK,), 4.0),
    ("opening", (WEEK,), 4),
    ("closing", (WEEK,), 2),
    ("growth", (WEEK,), -50.0),
    ("growth", ({"a": 0, "b": 1},), ABSTAINS),
    ("decline", (WEEK,), 50.0),
    ("moved", (WEEK, "<", 40), True),
    ("moved", (WEEK, ">", 40), False),
    ("ever", (WEEK, ">", 8), True),
    ("ever", (WEEK, "<", 1), False),
    ("label", (WEEK, 0), "mon"),
    ("label", (WEEK, -1), "thu"),
    ("label", ({}, 0), ABSTAINS),
    ("peak", (WEEK, True), "tue"),
    ("peak", (WEEK, False), "wed"),
    ("peak", ({"a": 1, "b": 1}, True), ABSTAINS),
    ("listed", (1, "a"), [1, "a"]),
    ("ranked", (["a", "b"], [1, 2], True), "b"),
    ("ranked", (["a", "b"], [1, 2], False), "a"),
    ("ranked", (["a", "b"], [1, 1], True), ABSTAINS),
    ("free_slot", (BUSY, "start", "lasts", WEDNESDAY, 30, 9, 17), datetime(2024, 2, 28, 10)),
    ("free_slot", (BUSY, "start", "lasts", WEDNESDAY, 45, 9, 17), datetime(2024, 2, 28, 11)),
    ("free_slot", (BUSY, "start", "lasts", WEDNESDAY, 480, 9, 17), ABSTAINS),
]

# --- any arguments -----------------------------------------------------------------------------

OTHER = st.sampled_from([None, True, 0, -1, 2.5, "", "7", "Ann", [], [1, "a"], {}, {"a": 1}])
PHRASES = st.sampled_from(
    [
        *["Ann B. Cook", "release_notes-v2", "a\\nb", "ann@x.org", "notes", "two", "$1,200.50"],
        *["1.5 hours", "30-minute", "half an hour", "2 weeks", "12", "-3", "0.10", "7%"],
        *["tomorrow", "next friday", "mon", "5 of May", "Dec 31st 2023", "feb. 29", "2023-02-29"],
        *["3pm", "at 12:30 a.m.", "9.15", "noon", "5 o'clock", "0:00", "2024-02-28 09:30:15"],
    ]
)
TEXT = PHRASES | st.text("ab AÉßİ_-1.,:%@\\\n\t") | st.text()
NUMBER = st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6) | st.integers() | st.floats()
MOMENT = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59)).map(
    lambda at: at.replace(microsecond=0)
)
RULE = st.sampled_from(["next", "after", "last", "before", "year", ""])
OP = st.sampled_from(["<", "<=", ">", ">=", "==", "!=", "in", ""])
FIELD = st.sampled_from(["id", "name", "state", "at", "size", "lasts", "none"])
ITEMS = st.lists(ROWS, max_size=5) | st.lists(OTHER, max_size=3)
LABELLED = SERIES | st.dictionaries(st.text(max_size=2), NUMBER, max_size=4)
ANY = TEXT | NUMBER | MOMENT | MOMENT.map(str) | OTHER

BY_NAME: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXT,
    "at": MOMENT,
    "now": MOMENT,
    "on": MOMENT,
    "rule": RULE,
    "op": OP,
    "name": FIELD,
    "items": ITEMS,
    "lists": ITEMS,
    "observation": ITEMS | OTHER,
    "series": LABELLED,
    "row": ROWS,
    "table": st.dictionaries(PHRASES, OTHER, max_size=3),
    "amount": NUMBER,
    "length": NUMBER,
    "percent": NUMBER,
    "unit_minutes": st.sampled_from([1, 60, 1440]),
    "number_": st.integers(-3, 9),
    "weeks": st.integers(-60, 60),
    "hour": st.integers(-1, 25),
    "minute": st.integers(-1, 61),
    "second": st.integers(-1, 61),
    "afternoon_before": st.sampled_from([0, 7, 12]),
    "index": st.integers(-4, 4),
    "values": st.lists(OTHER, max_size=3),
    "condition": st.booleans(),
    "greatest": st.booleans(),
    "highest": st.booleans(),
    "choices": st.lists(TEXT, min_size=2, max_size=3),
    "scores": st.lists(st.integers(0, 3), min_size=2, max_size=2),
    "events": st.lists(ROWS, max_size=4),
    "starts": st.sampled_from(["at", "name"]),
    "lasts": st.sampled_from(["lasts", "size"]),
    "needed": st.sampled_from([0, 15, 60, "30", 100.5]) | NUMBER,
    "opens": st.integers(0, 23),
    "closes": st.integers(0, 24),
}


@st.composite
def arguments(draw: Any, function: str) -> list[Any]:
    """Arguments of a function: of the right kinds, and sometimes one that is not."""
    found: list[Any] = []
    if function == "text_of":
        # Interpreters choose the last digit of a float that lies between two in their own way.
        return [draw(OTHER | st.integers() | st.decimals(-(10**6), 10**6, places=4).map(float))]
    for parameter in inspect.signature(FUNCTIONS[function]).parameters.values():
        kind = BY_NAME.get(parameter.name, ANY)
        times = draw(st.integers(0, 3)) if parameter.kind is parameter.VAR_POSITIONAL else 1
        found += [draw(kind) for _ in range(times)]
    if found and draw(st.integers(0, 7)) == 7:
        found[draw(st.integers(0, len(found) - 1))] = draw(ANY)
    return found


# --- the same in the sandbox -------------------------------------------------------------------

AROUND = """
from datetime import datetime, timedelta


def packed(value):
    if isinstance(value, datetime):
        at = [value.year, value.month, value.day, value.hour, value.minute, value.second]
        return {"at": at + [value.microsecond]}
    if isinstance(value, timedelta):
        return {"span": [value.days, value.seconds, value.microseconds]}
    if isinstance(value, float) and (value != value or value - value != 0):
        return {"float": str(value)}
    if isinstance(value, list):
        return [packed(item) for item in value]
    return value


def unpacked(value):
    if isinstance(value, dict) and "at" in value and isinstance(value["at"], list):
        y, m, d, h, i, s, us = value["at"]
        return datetime(y, m, d, h, i, s, us)
    if isinstance(value, dict) and "float" in value:
        return float(value["float"])
    if isinstance(value, list):
        return [unpacked(item) for item in value]
    return value


def results(cases):
    found = []
    for case in cases:
        try:
            found.append([packed(FUNCTION(*unpacked(case)))])
        except Exception:
            found.append([])
    return found
"""
_around: dict[str, Any] = {}
exec(AROUND, _around)
packed = _around["packed"]


def here(function: str, case: list[Any]) -> Json:
    """What CPython says, as `results` packs it."""
    try:
        return [packed(FUNCTIONS[function](*case))]
    except FAILURES:
        return []


def there(sandbox: Sandbox, function: str, cases: list[list[Any]]) -> Json:
    """What the sandbox says to the source that an emitted tool would carry."""
    source = bundle([function]) + "\n" + AROUND.replace("FUNCTION", function)
    return sandbox.run(source, "results", {"cases": packed(cases)})


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with a_sandbox() as made:
        yield made


@pytest.mark.parametrize(("function", "given_", "expected"), EXAMPLES)
def test_function_says_what_the_example_says(
    function: str, given_: tuple[Any, ...], expected: Any
) -> None:
    try:
        result = FUNCTIONS[function](*given_)
    except FAILURES:
        result = ABSTAINS
    assert (result, type(result)) == (expected, type(expected))


def test_every_function_has_an_example() -> None:
    assert {function for function, _, _ in EXAMPLES} == set(FUNCTIONS)


def test_examples_come_out_the_same_in_the_sandbox(sandbox: Sandbox) -> None:
    for function in FUNCTIONS:
        cases = [list(given_) for name, given_, _ in EXAMPLES if name == function]
        assert there(sandbox, function, cases) == [here(function, case) for case in cases]


@pytest.mark.slow
@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_function_is_the_same_in_the_sandbox(function: str, sandbox: Sandbox) -> None:
    # Not made small: each try is a run in the sandbox.
    @settings(
        max_examples=15,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate),
    )
    @given(st.lists(arguments(function), min_size=1, max_size=12))
    def check(cases: list[list[Any]]) -> None:
        said = [here(function, case) for case in cases]
        told = there(sandbox, function, cases)
        for case, one, other in zip(cases, said, told, strict=True):
            assert json.dumps(one) == json.dumps(other), case

    check()
