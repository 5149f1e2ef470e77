"""What the oracles share: reading slots, looking into the tables, and the calls they make.

An oracle reads the tables directly, so no search's cap touches it, and answers with the writes
that are right. Beside the slots that a goal was made from it may be told others, for goals that
say one word differently (`bench.workbench.near_miss`): each is read with ``get``, and where it is
missing what the goals of the data say holds.
"""

from __future__ import annotations

import calendar as months
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta

from bench.workbench import analytics
from bench.workbench.data import Call
from bench.workbench.world import Row, World

Slots = Mapping[str, str]
"""What varies between the goals of a template, by the data's own names of the slots; and the
texts that its wording quotes, as ``text1``, ``text2`` and so on."""

Oracle = Callable[[Slots, World, datetime], list[Call]]
"""Takes slots, a world and its clock (naive); returns the right writes or raises `Undefined`."""

OPENS, CLOSES = time(9), time(18)
"""Working hours."""

WEEK = timedelta(days=7)

METRICS: dict[str, tuple[Callable[[World, str, str | None], Mapping[str, float]], str]] = {
    "total visits": (analytics.total_visits_count, "total_visits"),
    "engaged users": (analytics.engaged_users_count, "user_engaged"),
    "average session duration": (
        analytics.get_average_session_duration,
        "session_duration_seconds",
    ),
}
"""Value per day, and the name under which it is plotted, by the words that goals use."""


class Undefined(Exception):
    """On this world nobody can say which single answer is right: a tie, a name that two have."""


def day(text: str, now: datetime) -> date:
    """The date that ``2023-11-05`` or ``November 5`` names."""
    if text[0].isdigit():
        return date.fromisoformat(text)
    month, number = text.split()
    return date(now.year, list(months.month_name).index(month), int(number))


def weekday_after(name: str, now: datetime) -> date:
    """The next day of that name after today."""
    return now.date() + timedelta(days=(_weekday(name) - now.weekday() - 1) % 7 + 1)


def weekday_before(name: str, now: datetime) -> date:
    """The last day of that name before today."""
    return now.date() - timedelta(days=(now.weekday() - _weekday(name) - 1) % 7 + 1)


def next_friday(slots: Slots, now: datetime) -> date:
    """The Friday of the week after this one, or with ``friday`` set to ``this`` of this one.

    On a Thursday the goals say "next" of the Friday in eight days, not of tomorrow.
    """
    monday = now.date() - timedelta(days=now.weekday())
    return monday + timedelta(days=4) + (timedelta() if slots.get("friday") == "this" else WEEK)


def address(world: World, name: str) -> str:
    """The address of the colleague with this first name."""
    row = only([row for row in world.directory if _first_name(row) == name.lower()])
    return str(row["address"])


def only(rows: Sequence[Row]) -> Row:
    """The one row.

    Raises:
        Undefined: There is none, or more than one.
    """
    if len(rows) != 1:
        raise Undefined(f"{len(rows)} rows where one is meant")
    return rows[0]


def picked(rows: list[Row], slots: Slots) -> list[Row]:
    """The first row as a list, or that at the index ``pick``; empty when there is no such row."""
    index = int(slots.get("pick", 0))
    return rows[index : index + 1 or None]


def holds(condition: bool, slots: Slots) -> bool:
    """The condition, or with ``negated`` its opposite."""
    return condition != ("negated" in slots)


def start(event: Row) -> datetime:
    """When an event begins."""
    return datetime.fromisoformat(event["event_start"])


def events(world: World, first: datetime, last: datetime, who: str | None = None) -> list[Row]:
    """The events that begin from ``first`` to ``last``, in order of time; with ``who`` alone."""
    found = [
        row
        for row in world.events
        if first <= start(row) <= last and who in (None, row["participant_email"])
    ]
    return sorted(found, key=start)


def events_on(world: World, on: date, who: str | None = None) -> list[Row]:
    """The events of one day."""
    return events(world, midnight(on), datetime.combine(on, time.max), who)


def midnight(on: date) -> datetime:
    """The beginning of a day."""
    return datetime.combine(on, time())


def free_slot(world: World, on: date, minutes: int) -> datetime | None:
    """The earliest time within working hours that is free for so long, or None."""
    length = timedelta(minutes=minutes)
    free = datetime.combine(on, OPENS)
    for event in events_on(world, on):
        if free + length <= start(event):
            break
        free = max(free, start(event) + timedelta(minutes=int(event["duration"])))
    return free if free + length <= datetime.combine(on, CLOSES) else None


def meeting(world: World, name: str, who: str, slots: Slots, now: datetime) -> Call:
    """The call that books half an hour tomorrow at the first free time.

    With ``minutes`` another length, with ``days_ahead`` another day.

    Raises:
        Undefined: That day has no free time; no goal says whether a later one will do.
    """
    minutes = int(slots.get("minutes", 30))
    on = now.date() + timedelta(days=int(slots.get("days_ahead", 1)))
    at = free_slot(world, on, minutes)
    if at is None:
        raise Undefined(f"no free time on {on}")
    return Call(
        "calendar.create_event",
        {
            "event_name": name,
            "participant_email": who,
            "event_start": str(at),
            "duration": str(minutes),
        },
    )


def mail(recipient: str, subject: str, body: str) -> Call:
    """The call that sends an e-mail."""
    return Call("email.send_email", {"recipient": recipient, "subject": subject, "body": body})


def new_task(name: str, who: str, due: date, board: str, into: str = "Backlog") -> Call:
    """The call that makes a task."""
    return Call(
        "project_management.create_task",
        {
            "task_name": name,
            "assigned_to_email": who,
            "list_name": into,
            "due_date": str(due),
            "board": board,
        },
    )


def improvement(who: str, slots: Slots, now: datetime) -> Call:
    """The call that makes the task due next Friday; with ``on_board`` on another board."""
    board = slots.get("on_board", "Front end")
    return new_task(slots["text1"], who, next_friday(slots, now), board)


def update(kind: str, row: Row, field: str, value: str) -> Call:
    """The call that sets a field of an ``event``, a ``task`` or a ``customer``."""
    key = f"{kind}_id"
    return Call(
        f"{DOMAINS[kind]}.update_{kind}", {key: row[key], "field": field, "new_value": value}
    )


def delete(kind: str, row: Row) -> Call:
    """The call that deletes an ``event``, a ``task`` or a ``customer``."""
    key = f"{kind}_id"
    return Call(f"{DOMAINS[kind]}.delete_{kind}", {key: row[key]})


DOMAINS = {
    "event": "calendar",
    "task": "project_management",
    "customer": "customer_relationship_manager",
}


def per_day(
    world: World, metric: str, first: date, last: date | None = None
) -> Mapping[str, float]:
    """The metric's value on each day that had visits, days ascending."""
    return METRICS[metric][0](world, str(first), str(last) if last else None)


def last_day(world: World, since: date) -> str:
    """The last day that has data, which is where what is plotted "since" a day ends.

    Raises:
        Undefined: There are none since then.
    """
    return max(known(per_day(world, "total visits", since)))


def known(values: Mapping[str, float]) -> Mapping[str, float]:
    """The values.

    Raises:
        Undefined: There are none.
    """
    if not values:
        raise Undefined("no visits in that time")
    return values


def ever(slots: Slots, world: World, now: datetime) -> bool:
    """Was the metric above or below the threshold on any day since the date?"""
    since = day(slots["natural_language_date"], now)
    values = known(per_day(world, slots["natural_language_metric"], since)).values()
    threshold = float(slots["threshold"])
    more = slots.get("more_or_less", "more") == "more"
    return holds(any(v > threshold if more else v < threshold for v in values), slots)


def _weekday(name: str) -> int:
    return list(months.day_name).index(name.capitalize())


def _first_name(row: Row) -> str:
    return str(row["address"].partition(".")[0])
