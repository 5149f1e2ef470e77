"""A recorded run is followed only while what it took from the clock comes out the same."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.replay.clock import clock_change
from llmos.values import Json, Step, Trace

THEN = datetime(2026, 3, 2, 9, 7, 13, tzinfo=UTC)  # a Monday
LATER = THEN + timedelta(minutes=3)
SAME_DAY = THEN.replace(hour=15)
NEXT_DAY = THEN + timedelta(days=1)
NEXT_MONTH = THEN + timedelta(days=33)
NEXT_YEAR = THEN.replace(year=2027)


def change(
    goal: str = "Do it",
    arguments: Any = None,
    now: datetime = NEXT_DAY,
    *,
    then: datetime = THEN,
    seen: Json = None,
    output: str = "",
) -> str | None:
    """The change of a run that saw ``seen``, then called a tool with ``arguments``."""
    steps = (Step("Read", {}, seen), Step("Write", {"x": arguments}))
    return clock_change(Trace(goal, steps, output, now=then), now)


# --- relative times in the goal -------------------------------------------------------------

MOMENTS = [
    "Tell the time now",
    "in two hours",
    "in an hour",
    "in half an hour",
    "in a few hours",
    "in a couple of minutes",
    "in 1.5 hours",
    "in 15min",
    "in 2 h",
    "within the next 5 minutes",
    "the last 24 hours",
    "the last 24h",
    "the previous hour",
    "5 min ago",
    "ten minutes ago",
    "an hour later",
    "what is currently open",
    "what is on tonight",
]
DAYS = [
    "Move all overdue tasks to the next list",
    "Pay what is due",
    "Delete expired keys",
    "Cancel all future meetings",
    "Move it to tomorrow",
    "today's notes",
    "what I did yesterday",
    "next Friday",
    "on Friday",
    "on Fri",
    "every weekday",
    "this weekend",
    "last week",
    "this month",
    "the coming quarter",
    "next business day",
    "in 3 days",
    "in three days",
    "in a couple of days",
    "in a few weeks",
    "two weeks ago",
    "a fortnight ago",
    "2 days from now",
    "the last 30 days",
    "the past 7d",
    "since Monday",
    "commits since 2024-01-01",
    "this morning",
    "last night",
    "by the end of the month",
    "by EOD",
    "sales so far",
    "year to date",
]


@pytest.mark.parametrize("goal", MOMENTS + DAYS)
def test_a_relative_time_means_something_else_another_day(goal: str) -> None:
    assert change(goal, now=NEXT_DAY) is not None
    assert change(goal.upper(), now=NEXT_DAY) is not None
    assert change(goal, now=THEN) is None


@pytest.mark.parametrize("goal", MOMENTS)
def test_a_relative_time_of_the_day_means_something_else_minutes_later(goal: str) -> None:
    assert change(goal, now=LATER) is not None


@pytest.mark.parametrize("goal", DAYS)
def test_a_relative_day_means_the_same_all_day(goal: str) -> None:
    assert change(goal, now=SAME_DAY) is None


@pytest.mark.parametrize(
    "goal",
    [
        "Create a Python calculator",
        "Print how long it took in seconds",
        "Report the duration in minutes and hours",
        "Say that you know the snow",
        "Bump the version to 1.2.3",
        "Write the second chapter",
        "Delete file number 3",
        "Find all daytime photos",
        "Rename may.txt to march.txt",
    ],
)
def test_other_goals_hold_for_ever(goal: str) -> None:
    for now in (LATER, NEXT_DAY, NEXT_YEAR):
        assert change(goal, now=now) is None


def test_tomorrow_is_another_day_seconds_later_when_midnight_lies_between() -> None:
    late = datetime(2026, 3, 2, 23, 59, 50, tzinfo=UTC)
    assert change("Move it to tomorrow", now=late + timedelta(seconds=20), then=late) is not None


def test_an_earlier_clock_is_another_day_too() -> None:
    assert change("Move it to tomorrow", now=THEN - timedelta(days=1)) is not None


def test_the_day_is_that_of_the_clocks_own_zone() -> None:
    east = timezone(timedelta(hours=13))
    evening = datetime(2026, 3, 2, 23, 30, tzinfo=east)
    morning = datetime(2026, 3, 3, 0, 30, tzinfo=east)
    assert evening.astimezone(UTC).date() == morning.astimezone(UTC).date()
    assert change("Move it to tomorrow", now=morning, then=evening) is not None
    assert change("Move it to tomorrow", now=evening.replace(hour=1), then=evening) is None


def test_another_offset_is_taken_for_another_day() -> None:
    # The same instant, and after a change to summer time the same local day.
    for zone in (timezone(timedelta(hours=-10)), timezone(timedelta(hours=1))):
        assert change("Move it to tomorrow", now=THEN.astimezone(zone)) is not None


# --- values in arguments --------------------------------------------------------------------

DATES = [
    "2026-03-03",
    "2026/3/3",
    "2026.03.03",
    "2026_03_03",
    "20260303",
    "report-20260303.csv",
    "2026-03-03T10:00:00Z",
    "March 3, 2026",
    "Mar 3 2026",
    "3 March 2026",
    "3rd of March, 2026",
    "03-Mar-2026",
    "03/03/2026",
    "3.3.2026",
    "# March 2",
    "Tue Mar  3 10:00:00 UTC 2026",
    "Monday",
    "due on tuesday",
]


@pytest.mark.parametrize("value", DATES)
def test_a_date_near_the_run_may_come_from_the_clock(value: str) -> None:
    told = change(arguments=value, now=NEXT_DAY)
    assert told is not None
    assert "step 1" in told and "2026-03-02" in told


@pytest.mark.parametrize("value", DATES)
def test_a_date_holds_all_day(value: str) -> None:
    assert change(arguments=value, now=SAME_DAY) is None


@pytest.mark.parametrize("offset", [-400, -365, -1, 0, 1, 30, 365, 400])
def test_a_date_within_a_year_may_have_been_computed(offset: int) -> None:
    day = (THEN + timedelta(days=offset)).date().isoformat()
    assert change(arguments=day) is not None


@pytest.mark.parametrize(
    "value",
    [
        "09:07",
        "at 9:07 am",
        "21:07",
        "09:07:13",
        "2026-03-02T09:07:13+00:00",
        "20260302T0907",
        "20260302090713",
        "2026-03-02_09-07",
        "09:27",
        int(THEN.timestamp()),
        str(int(THEN.timestamp()) + 7200),
        int(THEN.timestamp()) * 1000,
        int(THEN.timestamp()) * 10**9,
        THEN.timestamp() + 0.5,
        {"deep": [{"at": "09:07"}]},
        {"09:07": "as a key"},
    ],
)
def test_a_time_of_the_run_is_another_time_minutes_later(value: Any) -> None:
    assert change(arguments=value, now=LATER) is not None
    assert change(arguments=value, now=THEN) is None


def test_within_one_minute_only_seconds_tell() -> None:
    soon = THEN + timedelta(seconds=20)
    assert change(arguments="09:07", now=soon) is None
    assert change(arguments="09:07:13", now=soon) is not None
    assert change(arguments=int(THEN.timestamp()), now=soon) is not None


def test_a_minute_that_has_passed_counts_however_few_seconds_ago() -> None:
    late = THEN.replace(second=58)
    assert change(arguments="09:07", now=late + timedelta(seconds=4), then=late) is not None


@pytest.mark.parametrize("value", ["2026-03", "invoices/2026/03/x", "202603", "March 2026"])
def test_a_month_holds_until_the_next(value: str) -> None:
    assert change(arguments=value, now=NEXT_DAY) is None
    assert change(arguments=value, now=NEXT_MONTH) is not None


@pytest.mark.parametrize("value", ["2026-W10", "2026W10"])
def test_a_week_holds_until_the_next(value: str) -> None:
    assert change(arguments=value, now=NEXT_DAY) is None
    assert change(arguments=value, now=THEN + timedelta(days=7)) is not None


@pytest.mark.parametrize("value", ["2026", "report-2026.csv", "Copyright 2026 alice", 2026])
def test_a_year_alone_holds_until_the_next(value: Any) -> None:
    for now in (LATER, NEXT_DAY, NEXT_MONTH):
        assert change(arguments=value, now=now) is None
    assert change(arguments=value, now=NEXT_YEAR) is not None


@pytest.mark.parametrize(
    "value",
    [
        "1.2.3",
        "v2.0.36",
        "0.11.2026",
        "pydantic-monty==1.4.0",
        "127.0.0.1:8080",
        "10.20.30.40",
        "id 4711",
        "ev_8f3a2c",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "550e8400-e29b-41d4-a716-446655440000",
        "+1 555 0100",
        "1999-12-31",
        "2024-01-05",
        "January 5, 2024",
        "2029-01-01",
        "2026-13-45",
        "99999999",
        "1000000000",
        "3 files",
        "ratio 3:2",
        "10:00",
        "at 14:30",
        "x[1:20]",
        "Monday Tuesday Wednesday Thursday Friday",
        "you may 2",
        "a marching band",
        17,
        3.5,
        True,
        None,
        [],
    ],
)
def test_other_values_hold_for_ever(value: Any) -> None:
    for now in (LATER, NEXT_DAY, NEXT_MONTH):
        assert change(arguments=value, now=now) is None


# --- values with another explanation --------------------------------------------------------


@pytest.mark.parametrize(
    ("goal", "value"),
    [
        ("Plan 2026-03-03", "2026-03-03"),
        ("Plan March 3, 2026", "2026-03-03"),
        ("Plan 3/3/2026", "20260303"),
        ("Plan 2026-03-03", "March 3"),
        ("Plan 2026-03-03", "a Tuesday in 2026-03"),
        ("Meet at 09:07", "09:07"),
        ("Use 1772442433", 1772442433),
        ("Copyright 2026", "2026"),
    ],
)
def test_what_the_goal_says_does_not_come_from_the_clock(goal: str, value: Any) -> None:
    for now in (LATER, NEXT_DAY, NEXT_MONTH, NEXT_YEAR):
        assert change(goal, value, now) is None


def test_what_was_seen_before_does_not_come_from_the_clock() -> None:
    seen = [{"title": "lunch", "date": "3 March 2026", "at": "12:07"}]
    assert change(arguments="2026-03-03 12:07", seen=seen) is None


def test_what_was_seen_only_afterwards_does() -> None:
    steps = (Step("Write", {"x": "2026-03-03"}), Step("Read", {}, "2026-03-03"))
    assert clock_change(Trace("Do it", steps, now=THEN), NEXT_DAY) is not None


def test_another_date_in_the_goal_explains_nothing() -> None:
    assert change("Plan 2026-03-12", "2026-03-01") is not None
    assert change("Plan 2026-3-12", "2026-3-1") is not None
    assert change("Meet at 19:07", "9:07") is not None


def test_the_first_of_two_values_does_not_explain_the_second() -> None:
    assert change("Plan 2026-03-03", ["2026-03-03", "2026-03-04"]) is not None


def test_the_year_of_a_date_without_one_comes_from_the_clock() -> None:
    assert change("Delete my meeting on March 3", "2026-03-03") is not None


def test_the_answer_may_hold_a_value_of_the_clock_too() -> None:
    told = change(output="Scheduled for 2026-03-03.")
    assert told is not None and "the answer" in told
    assert change("Plan 2026-03-03", output="Scheduled for 2026-03-03.") is None


# --- anything -------------------------------------------------------------------------------

TIMES = st.datetimes(datetime(2002, 1, 1), datetime(2090, 1, 1), timezones=st.sampled_from([UTC]))


@given(TIMES, st.integers(-399, 399), st.sampled_from(["%Y-%m-%d", "%d %B %Y", "%Y%m%d"]))
def test_every_date_near_the_run_is_found(then: datetime, days: int, form: str) -> None:
    value = (then + timedelta(days=days)).strftime(form)
    assert change(arguments=f"x {value}.", now=then + timedelta(days=1), then=then) is not None


@given(TIMES, st.text(max_size=30), st.text(max_size=30))
def test_no_text_at_all_is_an_error(then: datetime, goal: str, value: str) -> None:
    change(goal, value, then + timedelta(days=1), then=then, seen=value, output=value)


DATELIKE = st.text(st.sampled_from("0123456789-/.:T WſKsep mar,é٣"), max_size=25)


@given(TIMES, DATELIKE)
def test_nothing_that_looks_like_a_date_is_an_error(then: datetime, value: str) -> None:
    change(value, value, then + timedelta(days=1), then=then, seen=value)
    change("Do it", value, then + timedelta(days=1), then=then)


@given(TIMES, DATELIKE, st.dates(date(2000, 1, 1), date(2090, 1, 1)))
def test_at_the_time_of_the_run_itself_everything_holds(
    then: datetime, text: str, day: date
) -> None:
    assert change(f"now {text}", [text, day.isoformat()], then, then=then) is None
