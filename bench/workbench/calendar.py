"""The calendar's tools."""

from __future__ import annotations

import re
from datetime import datetime

from bench.workbench.rows import CAP, Refused, find, next_id, one_field, put, remove
from bench.workbench.world import Row, World


def get_event_information_by_id(
    world: World, event_id: str | None = None, field: str | None = None
) -> Row:
    """Look up one field of an event whose id is known.

    Args:
        event_id: The event's id, exactly.
        field: event_id, event_name, participant_email, event_start or duration.
    """
    if not event_id:
        raise Refused("Event ID not provided.")
    if not field:
        raise Refused("Field not provided.")
    return one_field(find(world.events, "event_id", event_id, "Event not found."), field)


def search_events(
    world: World,
    query: str | None = "",
    time_min: str | None = None,
    time_max: str | None = None,
) -> list[Row] | str:
    """Find events by title or participant, and by when they start. Shows at most five.

    Args:
        query: Text or regular expression to find in the title or the participant's address.
        time_min: Earliest start, inclusive: YYYY-MM-DD HH:MM:SS; a day alone is its midnight.
        time_max: Latest start, inclusive; likewise.
    """
    if query is None:
        raise TypeError("query is null; leave it out to find every event")
    search = re.compile(query, re.IGNORECASE).search
    found = [
        row for row in world.events if search(row["event_name"]) or search(row["participant_email"])
    ]
    # A bound is read only where there is a row to compare with it.
    if time_min and found:
        earliest = datetime.fromisoformat(time_min)
        found = [row for row in found if _start(row) >= earliest]
    if time_max and found:
        latest = datetime.fromisoformat(time_max)
        found = [row for row in found if _start(row) <= latest]
    return [dict(row) for row in found[:CAP]] or "No events found."


def create_event(
    world: World,
    event_name: str | None = None,
    participant_email: str | None = None,
    event_start: str | None = None,
    duration: str | None = None,
) -> str:
    """Add an event to the calendar and return its id.

    Args:
        event_name: Title.
        participant_email: The participant's address.
        event_start: When it begins: YYYY-MM-DD HH:MM:SS.
        duration: How long it takes, in minutes.
    """
    if not event_name:
        raise Refused("Event name not provided.")
    if not participant_email:
        raise Refused("Participant email not provided.")
    if not event_start:
        raise Refused("Event start not provided.")
    if not duration:
        raise Refused("Event duration not provided.")
    event_id = next_id(world.events, "event_id")
    world.events.append(
        {
            "event_id": event_id,
            "event_name": event_name,
            "participant_email": participant_email.lower(),
            "event_start": event_start,
            "duration": duration,
        }
    )
    return event_id


def delete_event(world: World, event_id: str | None = None) -> str:
    """Take an event out of the calendar.

    Args:
        event_id: The event's id, exactly.
    """
    if not event_id:
        raise Refused("Event ID not provided.")
    remove(world.events, find(world.events, "event_id", event_id, "Event not found."))
    return "Event deleted successfully."


def update_event(
    world: World,
    event_id: str | None = None,
    field: str | None = None,
    new_value: str | None = None,
) -> str:
    """Set one field of an event.

    Args:
        event_id: The event's id, exactly.
        field: event_name, participant_email, event_start or duration.
        new_value: What the field is to hold.
    """
    if not event_id or not field or not new_value:
        raise Refused("Event ID, field, or new value not provided.")
    row = find(world.events, "event_id", event_id, "Event not found.")
    value = new_value.lower() if field == "participant_email" else new_value
    put(world.events, row, field, value)
    return "Event updated successfully."


def _start(row: Row) -> datetime:
    return datetime.fromisoformat(row["event_start"])


READS = (get_event_information_by_id, search_events)
WRITES = (create_event, delete_event, update_event)
