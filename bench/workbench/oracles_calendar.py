"""Oracles of the templates over the calendar and the mailbox."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from bench.workbench.data import Call
from bench.workbench.oracles_common import (
    WEEK,
    Oracle,
    Slots,
    address,
    day,
    delete,
    events,
    events_on,
    holds,
    mail,
    meeting,
    picked,
    start,
    update,
    weekday_after,
)
from bench.workbench.world import Row, World

UNITS = {"minute": 1, "hour": 60}


def cancel_first(slots: Slots, world: World, now: datetime) -> list[Call]:
    that_day = events_on(world, day(slots["natural_language_date"], now))
    return [delete("event", event) for event in picked(that_day, slots)]


def push_back_first(slots: Slots, world: World, now: datetime) -> list[Call]:
    on = day(slots["natural_language_date"], now)
    number, unit = slots["duration"].split()
    later = timedelta(minutes=float(number) * UNITS[unit]) * (-1 if "earlier" in slots else 1)
    return [
        update("event", event, "event_start", str(start(event) + later))
        for event in picked(events_on(world, on, address(world, slots["name"])), slots)
    ]


def rename_next(slots: Slots, world: World, now: datetime) -> list[Call]:
    if slots.get("direction") == "previous":
        named = events(world, datetime.min, now)[::-1]
    else:
        named = events(world, now, datetime.max)
    wanted = slots["event_name"].lower()
    return [
        update("event", event, "event_name", slots["new_event_name"])
        for event in named
        if event["event_name"].lower() == wanted
    ][:1]


def catch_up(slots: Slots, world: World, now: datetime) -> list[Call]:
    who = address(world, slots["name"])
    if holds(bool(_met(slots["duration"], who, slots, world, now)), slots):
        return []
    # One of the wordings gives no title; its goals have the template's all the same.
    return [meeting(world, slots["text1"], who, slots, now)]


def cancel_part_of_day(slots: Slots, world: World, now: datetime) -> list[Call]:
    on = weekday_after(slots["next_day"], now)
    bound = datetime.combine(on, _afternoon(slots["natural_language_time"]))
    before = slots["before_or_after"] == "before"
    return [
        delete("event", event)
        for event in events_on(world, on)
        if (start(event) < bound if before else start(event) > bound)
    ]


def cancel_future(slots: Slots, world: World, now: datetime) -> list[Call]:
    coming = events(world, now, datetime.max, address(world, slots["name"]))
    return [delete("event", event) for event in coming]


def ask_when_not_met(slots: Slots, world: World, now: datetime) -> list[Call]:
    who = address(world, slots["name"])
    if holds(bool(_met(slots["days"], who, slots, world, now)), slots):
        return []
    return [mail(who, slots["text1"], slots["text2"])]


def ask_when_not_planned(slots: Slots, world: World, now: datetime) -> list[Call]:
    return ask_when_not_met({"direction": "next", **slots}, world, now)


def remind_of_first(slots: Slots, world: World, now: datetime) -> list[Call]:
    that_day = events_on(world, day(slots["natural_language_event_date"], now))
    return [
        mail(event["participant_email"], event["event_name"], slots["text1"])
        for event in picked(that_day, slots)
    ]


def send(slots: Slots, world: World, now: datetime) -> list[Call]:
    body = slots["body"].replace("\\n", "\n")
    return [mail(address(world, slots["name"]), slots["subject"], body)]


def reply_to_last_about(slots: Slots, world: World, now: datetime) -> list[Call]:
    about = _mails(world, address(world, slots["name"]), slots["subject"])
    return _reply(about, slots["text2"], slots)


def reply_to_last(slots: Slots, world: World, now: datetime) -> list[Call]:
    return _reply(_mails(world, address(world, slots["sender_name"])), slots["text1"], slots)


def forward_last_week(slots: Slots, world: World, now: datetime) -> list[Call]:
    monday = now.date() - timedelta(days=now.weekday())
    first = monday if slots.get("week") == "this" else monday - WEEK
    to = address(world, slots["recipient_name"])
    # Newest first, as the mailbox shows them.
    return [
        Call("email.forward_email", {"email_id": row["email_id"], "recipient": to})
        for row in _mails(world, address(world, slots["name"]), slots["subject"])
        if first <= _sent(row).date() < first + WEEK
    ]


def _met(number: str, who: str, slots: Slots, world: World, now: datetime) -> list[Row]:
    length = timedelta(days=float(number) * int(slots.get("unit_days", 1)))
    if slots.get("direction") == "next":
        # To the end of the last day; what lies behind is counted from this hour.
        return events(world, now, datetime.combine(now + length, time.max), who)
    return events(world, now - length, now, who)


def _mails(world: World, sender: str, subject: str | None = None) -> list[Row]:
    """Mails received, the newest first."""
    found = [
        row
        for row in world.emails
        if row["inbox/outbox"] == "inbox"
        and row["sender/recipient"] == sender
        and subject in (None, row["subject"])
    ]
    return sorted(found, key=_sent, reverse=True)


def _reply(rows: list[Row], body: str, slots: Slots) -> list[Call]:
    return [
        Call("email.reply_email", {"email_id": row["email_id"], "body": body})
        for row in picked(rows, slots)
    ]


def _sent(row: Row) -> datetime:
    return datetime.fromisoformat(str(row["sent_datetime"]))


def _afternoon(text: str) -> time:
    """``3:30`` as a time: one before 9 is meant in the afternoon."""
    hour, _, minute = text.partition(":")
    return time(int(hour) + 12 * (int(hour) < 9), int(minute or 0))


ORACLES: dict[str, Oracle] = {
    "calendar-00": cancel_first,
    "calendar-02": push_back_first,
    "calendar-04": rename_next,
    "calendar-06": catch_up,
    "calendar-07": cancel_part_of_day,
    "calendar-08": cancel_future,
    "email-02": send,
    "email-03": reply_to_last_about,
    "email-04": forward_last_week,
    "email-08": reply_to_last,
    "multi-03": remind_of_first,
    "multi-05": ask_when_not_met,
    "multi-06": ask_when_not_planned,
}
