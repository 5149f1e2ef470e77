"""What one event says to a person: its line, its reason, and what to type about it."""

from __future__ import annotations

from datetime import datetime

from llmos.observability.harmless import evidence_line
from llmos.store import EventRow
from llmos.store.schema import parse_stamp
from llmos.values import EventType, Mode

SHORT = 6
"""Characters from the end of an id by which people name it."""

_MODES = {
    Mode.FOLLOWER: "replayed from a trace",
    Mode.MIXED: "the model worked from an example",
    Mode.LEARNER: "the model worked alone",
}

_ARTIFACTS = (
    EventType.ARTIFACT_PROMOTED,
    EventType.INSIGHT_GENERATED,
    EventType.SUGGESTION_CREATED,
    EventType.ARTIFACT_CREATED,
    EventType.ARTIFACT_EVOLVED,
    EventType.ARTIFACT_DELETED,
)
"""Events of artifacts; of several at once about one, the first named here tells the most."""
_ANNOUNCED = (EventType.INSIGHT_GENERATED, EventType.SUGGESTION_CREATED)
_MOVES = ("created", "evolved", "rolled_back")


def outcome_of(row: EventRow) -> object:
    """A key that events share which tell what one transaction did to one artifact."""
    name = row.subject if row.type in _ANNOUNCED else row.payload.get("name")
    if row.type in _ARTIFACTS and name:
        return row.at, row.actor, name
    return row.seq


def telling(rows: list[EventRow]) -> EventRow:
    """The event that tells the most of an outcome."""
    if rows[0].type not in _ARTIFACTS:
        return rows[0]
    return min(rows, key=lambda row: (_rank(row), -row.seq))


def title_of(row: EventRow) -> str:
    """What happened, in a line."""
    told = row.payload
    if row.type is EventType.CYCLE_END and (told.get("error") or told.get("ok") is False):
        return f"cycle failed: {told.get('error') or 'no reason is known'}"
    if row.title:
        return row.title
    if row.type is EventType.CYCLE_END:
        tasks = told.get("tasks") or 0
        return f"cycle: {tasks} task{'s' * (tasks != 1)}" if tasks else "cycle: nothing to do"
    if row.type is EventType.ARTIFACT_PROMOTED and told.get("name"):
        source = f"{told.get('from_volume', '')} {told.get('from_owner', '')}".strip()
        return f"{told.get('artifact', 'artifact')} {told['name']!r} was promoted from {source}"
    return f"{row.type.value.lower().replace('_', ' ')} {row.subject}".strip()


def why_of(row: EventRow) -> str:
    """Why it happened, or what is to be said of it; ``""`` if nothing is known."""
    told = row.payload
    for name in ("why", "note"):
        if told.get(name):
            return str(told[name])
    stopped = f"the replay stopped: {told['side_exit']}" if told.get("side_exit") else ""
    if row.type is EventType.TASK_FAILED:
        return str(told.get("error") or stopped)
    if row.type is EventType.TASK_COMPLETED:
        if told.get("already_done"):
            return "it was already done"
        return stopped or _MODES.get(told.get("mode", ""), "")
    return ""


def evidence_of(row: EventRow) -> str:
    """The numbers that it stands on, in a line."""
    return evidence_line(row.payload.get("evidence"))


def is_quiet(row: EventRow) -> bool:
    """Whether all repetitions of it are one line."""
    told = row.payload
    if row.type is EventType.TASK_COMPLETED:
        return told.get("mode") == Mode.FOLLOWER and not told.get("side_exit")
    if row.type is EventType.CYCLE_END:
        return not told.get("tasks") and not told.get("error")
    return row.type is EventType.HEALTH_CHECK and bool(told.get("ok", True))


def times(row: EventRow) -> int:
    """How many quiet cycles a row stands for."""
    quiet = row.payload.get("quiet")
    return max(1, quiet) if isinstance(quiet, int) else 1


def first_of(rows: list[EventRow]) -> datetime:
    """When the first thing was that some rows tell of; a row of quiet cycles says since when."""
    since = rows[-1].payload.get("since")
    return parse_stamp(since) if isinstance(since, str) else rows[-1].at


def undo_of(row: EventRow) -> str:
    """What to type to take it back; ``""`` where that cannot be, or needs a look at the store."""
    told = row.payload
    if row.type is EventType.CYCLE_END:
        return f"llmos undo {short(row.subject)}" if told.get("tasks") and row.subject else ""
    announced = row.type in _ANNOUNCED or row.type is EventType.ARTIFACT_PROMOTED
    changed = "digest" in told and told.get("what") not in (None, "kept")
    return (
        f"llmos undo {short(row.id)}" if row.type in _ARTIFACTS and (announced or changed) else ""
    )


def diff_of(row: EventRow) -> str:
    """What to type to see what changed; ``""`` where nothing did, or it is no user's tool."""
    told = row.payload
    moved = told.get("what") in _MOVES[1:]
    if row.volume != "user" or told.get("artifact") != "tool" or not moved:
        return ""
    return f"llmos tools diff {told['name']} {told['was'][:12]} {told['now'][:12]}"


def short(identifier: str) -> str:
    """The end of an id, as people type it."""
    return identifier[-SHORT:].lower()


def _rank(row: EventRow) -> tuple[int, int]:
    what = row.payload.get("what")
    return _ARTIFACTS.index(row.type), _MOVES.index(what) if what in _MOVES else len(_MOVES)
