"""How each table looks some time later: one function per table, all by one source of chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from random import Random

from bench.workbench.oracles_common import CLOSES, OPENS, start
from bench.workbench.world import Row

DROPPED = 0.25
"""Share of the rows that are gone."""

CHANGED = 0.3
"""Share of the remaining rows in which a given field is another."""

ADDED = 0.1
"""New rows, as a share of the old."""

FAVOURED = 0.4
"""Share of the visits that one source, drawn anew, has beside its own."""

TRIES = 20
"""Times that are tried for an event before it may overlap with another."""


def _events(rows: list[Row], rng: Random, now: datetime) -> list[Row]:
    fields = ("participant_email", "event_name")
    stay: list[Row] = []
    move = _new(rows, rng, (*fields, "duration"), "event_id")
    for row in _thinned(rows, rng):
        (move if rng.random() < CHANGED else stay).append(_mixed(row, rows, rng, fields))
    for row in move:
        stay.append(_moved(row, stay, rng))
    return _renumbered(sorted(stay, key=start), "event_id", rng)


def _moved(row: Row, others: list[Row], rng: Random) -> Row:
    """The event on a working day not far from its own, where there is no other if that can be."""
    minutes = int(row["duration"])
    last = (CLOSES.hour - OPENS.hour) * 60 - minutes
    for _ in range(TRIES):
        on = start(row).date() + timedelta(days=rng.randint(-9, 9))
        on += timedelta(days=max(0, 7 - on.weekday()) if on.weekday() > 4 else 0)
        at = datetime.combine(on, OPENS) + timedelta(minutes=rng.randrange(0, last + 1, 30))
        until = at + timedelta(minutes=minutes)
        if not any(at < _end(other) and start(other) < until for other in others):
            break
    return {**row, "event_start": str(at)}


def _end(event: Row) -> datetime:
    return start(event) + timedelta(minutes=int(event["duration"]))


def _emails(rows: list[Row], rng: Random, now: datetime) -> list[Row]:
    changed = []
    for row in _new(rows, rng, (), "email_id") + _thinned(rows, rng):
        other = _mixed(row, rows, rng, ("sender/recipient",))
        # They sign with their first names.
        names = (r["sender/recipient"].partition(".")[0].capitalize() for r in (row, other))
        sent = datetime.fromisoformat(row["sent_datetime"])
        on = _past(sent.date(), 10, rng, now) if rng.random() < CHANGED else sent.date()
        other["body"] = row["body"].replace(*names)
        other["sent_datetime"] = str(datetime.combine(on, sent.time()))
        changed.append(other)
    return _renumbered(sorted(changed, key=lambda r: str(r["sent_datetime"])), "email_id", rng)


def _visits(rows: list[Row], rng: Random, now: datetime) -> list[Row]:
    days = sorted({row["date_of_visit"] for row in rows})
    busy = {day: rng.uniform(0.5, 1) for day in days}
    if rng.random() < 0.5:
        # The newest visits are not in yet: the last day with data is another.
        busy[days[-1]] = 0
    long = {day: rng.uniform(0.6, 1.4) for day in days}
    favourite = rng.choice(rows)["traffic_source"]
    fields = ("user_engaged", "traffic_source", "page_views", "session_duration_seconds")
    changed = []
    for row in _new(rows, rng, fields) + [r for r in rows if rng.random() < busy[_visited(r)]]:
        if not busy[_visited(row)]:
            continue
        other = _mixed(row, rows, rng, fields)
        if rng.random() < FAVOURED:
            other["traffic_source"] = favourite
        seconds = int(other["session_duration_seconds"]) * long[_visited(row)]
        changed.append({**other, "session_duration_seconds": str(max(1, round(seconds)))})
    rng.shuffle(changed)
    return changed


def _visited(row: Row) -> str:
    return str(row["date_of_visit"])


def _tasks(rows: list[Row], rng: Random, now: datetime) -> list[Row]:
    fields = ("assigned_to_email", "list_name", "board")
    changed = []
    for row in _thinned(rows, rng) + _new(rows, rng, ("task_name", "due_date"), "task_id"):
        due = date.fromisoformat(row["due_date"]) + timedelta(days=rng.randint(-5, 5))
        changed.append({**_mixed(row, rows, rng, fields), "due_date": str(due)})
    return _renumbered(changed, "task_id", rng)


def _customers(rows: list[Row], rng: Random, now: datetime) -> list[Row]:
    fields = ("assigned_to_email", "status", "product_interest")
    taken = {row["customer_name"] for row in rows}
    changed = []
    for row in _thinned(rows, rng):
        changed.append(_mixed(row, rows, rng, fields))
    for row in _new(rows, rng, fields, "customer_id"):
        last_name = rng.choice(rows)["customer_name"].split()[-1]
        name = f"{row['customer_name'].split()[0]} {last_name}"
        if name not in taken:
            taken.add(name)
            changed.append({**row, "customer_name": name})
    for row in changed:
        if rng.random() < CHANGED:
            last = date.fromisoformat(row["last_contact_date"])
            row["last_contact_date"] = str(_past(last, 21, rng, now))
    changed.sort(key=lambda row: str(row["last_contact_date"]), reverse=True)
    return _renumbered(changed, "customer_id", rng)


def _directory(rows: list[Row], rng: Random, now: datetime) -> list[Row]:
    return rng.sample(rows, len(rows))


def _thinned(rows: list[Row], rng: Random) -> list[Row]:
    return [row for row in rows if rng.random() >= DROPPED]


def _mixed(row: Row, rows: list[Row], rng: Random, fields: Sequence[str]) -> Row:
    """A copy in which some of the fields have what another row has there."""
    return {**row, **{f: rng.choice(rows)[f] for f in fields if rng.random() < CHANGED}}


def _new(rows: list[Row], rng: Random, fields: Sequence[str], key: str | None = None) -> list[Row]:
    """Rows that were not there, with ids after the greatest: each put together from several."""
    made = [dict(rng.choice(rows)) for _ in range(round(ADDED * len(rows)))]
    for i, row in enumerate(made, 1):
        row.update({f: rng.choice(rows)[f] for f in fields})
        if key:
            row[key] = f"{int(max(r[key] for r in rows)) + i:08d}"
    return made


def _renumbered(rows: list[Row], key: str, rng: Random) -> list[Row]:
    """The rows with their ids dealt among them anew."""
    ids = rng.sample([row[key] for row in rows], len(rows))
    return [{**row, key: id_} for row, id_ in zip(rows, ids, strict=True)]


def _past(on: date, days: int, rng: Random, now: datetime) -> date:
    """A day up to so many days from ``on``, and never after today."""
    today = now.date()
    return today - timedelta(days=abs((today - on).days + rng.randint(-days, days)))


CHANGES: dict[str, Callable[[list[Row], Random, datetime], list[Row]]] = {
    "events": _events,
    "emails": _emails,
    "visits": _visits,
    "tasks": _tasks,
    "customers": _customers,
    "directory": _directory,
}
"""Takes the table's rows, a source of chance and the clock; returns new rows."""
