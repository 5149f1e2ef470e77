"""The tables, as the code uses them; `migrations/` makes them, a test holds both equal.

Ids are ULIDs. Times are ISO 8601 text in UTC with microseconds, so that they sort as text in
every database. Money is in whole micro-dollars. JSON is text, written by `dumps`. No text is
held to the length of its column: SQLite does not, and the migrations see to it in PostgreSQL.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

metadata = MetaData()

Sequence = BigInteger().with_variant(Integer(), "sqlite")
"""A 64-bit counter; SQLite counts by itself only in a column declared INTEGER."""


def dumps(value: Any) -> str:
    """JSON text as the store keeps it: sorted keys, no spaces, not escaped."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def stamp(at: datetime) -> str:
    """A time as the store keeps it: UTC, microseconds, sortable as text."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_stamp(text: str) -> datetime:
    """The aware time that `stamp` wrote."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


processes = Table(
    "processes",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("pid", Integer, nullable=False),
    Column("started_at", String(27), nullable=False),
    Column("ended_at", String(27)),
)
"""One row per opened store; `store.presence` tells which of them live."""

REPLAY = "replay:"
"""Prefix of the source of a run that followed a trace; that trace's id comes after it."""
NO_REPLAY = text(f"source NOT LIKE '{REPLAY}%'")
"""Condition of an index, which serves only a query that has it word for word."""

traces = Table(
    "traces",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("volume", String(8), nullable=False),  # user | team | system
    Column("owner", String(64), nullable=False),
    Column("user_id", String(64), nullable=False),
    Column("team_id", String(64)),
    Column("project", String(64)),
    Column("process_id", String(26)),
    Column("status", String(8), nullable=False),  # running | done
    Column("goal", Text, nullable=False),
    Column("folded", Text, nullable=False),
    Column(
        "goal_key", String(64), nullable=False
    ),  # SHA-256 of folded: an index on a 1 MB text is none
    Column("context_digest", String(64), nullable=False),
    Column("now", String(32), nullable=False),  # ISO 8601 with the run's own offset
    Column("agent", String(64), nullable=False),
    Column("mode", String(16), nullable=False),
    Column("model", String(128), nullable=False),
    Column("cwd", Text, nullable=False),
    Column("output", Text, nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("check", Text),
    Column("error", Text, nullable=False),
    Column("usage", Text, nullable=False),  # JSON of values.Usage
    Column("cost_micro", BigInteger, nullable=False),
    Column("duration_s", Text, nullable=False),
    Column("tools", Text, nullable=False),  # JSON: tool name to digest
    Column("source", Text, nullable=False),
    Column("decision", Text, nullable=False),  # JSON of values.Decision, and the side exit
    Column("quarantined", Boolean, nullable=False),
    Column("standing", Integer, nullable=False),  # clean replays less failed ones
    Column("started_at", String(27), nullable=False),
    Column("ended_at", String(27)),
    Column("part_of", String(26)),  # id of its plan's run
    Column("session_id", String(26)),  # the prompt's session that it is a turn of
    Column("context", Text),  # JSON: names and sizes of what its model was shown; NULL: no model
    Index("traces_by_session", "session_id", "started_at"),
    Index("traces_by_owner", "volume", "owner", "started_at"),
    Index("traces_by_process", "process_id", "status"),
    Index("traces_by_project", "volume", "owner", "project", "started_at"),
    Index(
        "traces_worked",
        "goal_key",
        "volume",
        "owner",
        sqlite_where=NO_REPLAY,
        postgresql_where=NO_REPLAY,
    ),
)
"""One row per run, made when it begins: a run that dies leaves a failed trace, not nothing."""

steps = Table(
    "steps",
    metadata,
    Column("trace_id", String(26), ForeignKey("traces.id"), primary_key=True),
    Column("idx", Integer, primary_key=True),
    Column("tool", String(64), nullable=False),
    Column("arguments", Text, nullable=False),
    Column("observation", Text, nullable=False),
    Column("is_error", Boolean, nullable=False),
    Column("effect", String(16), nullable=False),
    Column("footprint", Text, nullable=False),
    Column("duration_s", Text, nullable=False),
)
"""The system calls of a run, each committed as soon as it has come back."""

feedback = Table(
    "feedback",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("trace_id", String(26), ForeignKey("traces.id"), nullable=False, index=True),
    Column("user_id", String(64), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("by", String(16), nullable=False),  # check | person | replay
    Column("note", Text, nullable=False),
    Column("at", String(27), nullable=False),
)
"""Every verdict that was ever given, with who gave it."""

events = Table(
    "events",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("id", String(26), nullable=False, unique=True),
    Column("type", String(24), nullable=False),
    Column("at", String(27), nullable=False),
    Column("volume", String(8), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("actor", String(64), nullable=False),  # user id, or name of the cron
    Column("subject", String(128), nullable=False),  # id of what it is about
    Column("title", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Index("events_by_owner", "volume", "owner", "seq"),
    Index("events_by_time", "at"),
    Index("events_by_type", "type", "seq"),
    # A number is never used again, also when the newest rows are purged: watermarks point at it.
    sqlite_autoincrement=True,
)

notifications = Table(
    "notifications",
    metadata,
    Column("event_id", String(26), ForeignKey("events.id"), primary_key=True),
    Column("audience", String(8), nullable=False),  # user | team | system
    Column("owner", String(64), nullable=False),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("finding", String(128), nullable=False),  # equal findings are told once
    Column("at", String(27), nullable=False),
    UniqueConstraint("audience", "owner", "finding", name="notifications_told_once"),
)

acknowledgements = Table(
    "acknowledgements",
    metadata,
    Column("event_id", String(26), ForeignKey("events.id"), primary_key=True),
    Column("user_id", String(64), primary_key=True),
    Column("at", String(27), nullable=False),
)

scopes = Table(
    "scopes",
    metadata,
    Column("name", String(160), primary_key=True),  # system, team:x, user:x, run:x
    Column("limit_micro", BigInteger),  # NULL: no limit of its own
    Column("spent_micro", BigInteger, nullable=False),
    Column("reserved_micro", BigInteger, nullable=False),
)
"""One row per scope with its running sums; `ledger` is what they are the sums of."""

reservations = Table(
    "reservations",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("process_id", String(26)),
    Column("scopes", Text, nullable=False),  # JSON list of scope names
    Column("amount_micro", BigInteger, nullable=False),
    Column("spent_micro", BigInteger, nullable=False),
    Column("status", String(8), nullable=False),  # open | settled | released | expired
    Column("note", Text, nullable=False),
    Column("at", String(27), nullable=False),
    Column("expires_at", String(27), nullable=False),
    Column("ended_at", String(27)),
    Index("reservations_open", "status", "expires_at"),
)

ledger = Table(
    "ledger",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("at", String(27), nullable=False),
    Column("kind", String(8), nullable=False),  # spend | topup
    Column("scopes", Text, nullable=False),
    Column("amount_micro", BigInteger, nullable=False),
    Column("reservation_id", String(26)),
    Column("note", Text, nullable=False),
    sqlite_autoincrement=True,
)
"""Append-only: every cent that was spent, and every budget that was raised."""

intents = Table(
    "intents",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("trace_id", String(26), ForeignKey("traces.id"), nullable=False, index=True),
    Column("idx", Integer, nullable=False),
    Column("process_id", String(26), nullable=False),
    Column("tool", String(64), nullable=False),
    Column("arguments", Text, nullable=False),
    Column("call_key", String(64), nullable=False),  # SHA-256 of tool and arguments
    Column("idempotency_key", String(64)),
    Column("status", String(8), nullable=False),  # intended | done | failed | in_doubt
    Column("observation", Text),
    Column("at", String(27), nullable=False),
    Column("ended_at", String(27)),
    Index("intents_by_status", "status", "call_key"),
)
"""External writes: stored before the call, settled after it."""

journal = Table(
    "journal",
    metadata,
    Column("id", Sequence, primary_key=True, autoincrement=True),
    Column("trace_id", String(26), ForeignKey("traces.id"), nullable=False, index=True),
    Column("idx", Integer, nullable=False),  # step
    Column("path", Text, nullable=False),
    Column("before", String(64)),  # digest in the blob store; NULL: absent
    Column("before_mode", Integer),
    Column("before_kind", String(8), nullable=False),  # file | link | dir | absent
    Column("after", String(64)),
    Column("after_mode", Integer),
    Column("after_kind", String(8), nullable=False),  # as before_kind, or 'unknown' while it runs
    Column("undone_at", String(27)),
)
"""Pre-images of local writes, stored before the write."""

artifacts = Table(
    "artifacts",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("volume", String(8), nullable=False),  # user | team | system
    Column("owner", String(64), nullable=False),
    Column("type", String(16), nullable=False),
    Column("name", String(64), nullable=False),
    Column("current", String(64), nullable=False),  # digest of the version that counts
    Column("pinned", Boolean, nullable=False),
    Column("status", String(16), nullable=False),  # that of the current version, for the index
    Column("created_at", String(27), nullable=False),
    Column("updated_at", String(27), nullable=False),
    UniqueConstraint("volume", "owner", "type", "name", name="artifacts_named_once"),
    Index("artifacts_by_status", "volume", "owner", "type", "status", "updated_at"),
    Index("artifacts_by_owner", "volume", "owner", "updated_at"),
)
"""What a volume holds, by name; what it is now is the version that `current` names."""

versions = Table(
    "versions",
    metadata,
    Column("artifact_id", String(26), ForeignKey("artifacts.id"), primary_key=True),
    Column("digest", String(64), primary_key=True),  # SHA-256 of content
    Column("seq", Integer, nullable=False),  # from 1, within the artifact
    Column("volume", String(8), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("content", Text, nullable=False),  # canonical JSON; code is its member "code"
    Column("author", String(64), nullable=False),  # user id, or name of the cron
    Column("created_at", String(27), nullable=False),
    Column("parent", String(64)),  # digest it was made from; NULL: from nothing
    Column("lineage", Text, nullable=False),  # JSON list of digests and trace ids
    Column("note", Text, nullable=False),
    Column(
        "status", String(16), nullable=False
    ),  # draft | shadowing | active | …: all that changes
    UniqueConstraint("artifact_id", "seq", name="versions_counted_once"),
    Index("versions_by_digest", "volume", "owner", "digest"),
    Index("versions_by_parent", "parent"),
)
"""Every content an artifact ever had. Rows are added; of a row only the status changes."""

artifact_changes = Table(
    "artifact_changes",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("artifact_id", String(26), nullable=False),
    Column("digest", String(64), nullable=False),  # the version it is about
    Column("volume", String(8), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("what", String(16), nullable=False),  # created | evolved | kept | status | …
    Column("was", String(64), nullable=False),  # a digest for moves, a status for the rest
    Column("now", String(64), nullable=False),
    Column("by", String(64), nullable=False),
    Column("at", String(27), nullable=False),
    Column("why", Text, nullable=False),
    ForeignKeyConstraint(["artifact_id", "digest"], ["versions.artifact_id", "versions.digest"]),
    Index("changes_by_artifact", "artifact_id", "seq"),
    Index("changes_by_owner", "volume", "owner", "seq"),
    sqlite_autoincrement=True,
)
"""Append-only: who changed which artifact when and why, every change of a status among it."""

watermarks = Table(
    "watermarks",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("volume", String(8), primary_key=True),
    Column("owner", String(64), primary_key=True),
    Column("value", Text, nullable=False),
    Column("updated_at", String(27), nullable=False),
)
"""How far background work has come; moved in the transaction that stores what the work made."""

usages = Table(
    "usages",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("artifact_id", String(26), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("volume", String(8), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("trace_id", String(26)),  # NULL: told outside a run
    Column("user_id", String(64), nullable=False),  # who used it, not whose it is
    Column("at", String(27), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("tokens_saved", BigInteger, nullable=False),
    Column("cost_saved_micro", BigInteger, nullable=False),
    Column("detail", Text, nullable=False),
    ForeignKeyConstraint(["artifact_id", "digest"], ["versions.artifact_id", "versions.digest"]),
    Index("usages_by_artifact", "artifact_id", "at"),
    Index("usages_by_trace", "trace_id"),
    Index("usages_by_outcome", "volume", "owner", "outcome"),
)
"""Append-only: every time an artifact was used or compared, and how that came out."""

audits = Table(
    "audits",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("trace_id", String(26), ForeignKey("traces.id"), nullable=False, index=True),
    Column("volume", String(8), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("at", String(27), nullable=False),
    Column("kind", String(8), nullable=False),  # tool | trace
    Column("subject", String(64), nullable=False),  # name of the tool, or id of the trace
    Column("digest", String(64)),  # version of the tool
    Column("outcome", String(16), nullable=False),  # agreed | disagreed | not_comparable
    Column("detail", Text, nullable=False),
    # Drawn only because something went wrong of late: no fair sample, nothing is claimed from it.
    Column("extra", Boolean, nullable=False, server_default=false()),
    Index("audits_by_subject", "volume", "owner", "kind", "subject"),
)
"""Append-only: model runs made as a sample in place of free ones, and how they compare."""

roles = Table(
    "roles",
    metadata,
    Column("scope", String(8), primary_key=True),  # team | system
    Column("owner", String(64), primary_key=True),  # id of the team, or system
    Column("user_id", String(64), primary_key=True),
    Column("role", String(16), nullable=False),  # member | maintainer | admin
    Column("since", String(27), nullable=False),
    Index("roles_by_user", "user_id", "scope"),
)
"""Who belongs to which team, who looks after it, and who looks after the system."""

private = Table(
    "private",
    metadata,
    Column("volume", String(8), primary_key=True),
    Column("owner", String(64), primary_key=True),
    Column("kind", String(8), primary_key=True),  # volume | artifact | trace
    Column("subject", String(64), primary_key=True),  # its id; "" for the whole volume
    Column("by", String(64), nullable=False),
    Column("at", String(27), nullable=False),
)
"""What its owner keeps from the crons of the team and of the system."""

patterns = Table(
    "patterns",
    metadata,
    Column("owner", String(64), primary_key=True),  # user
    Column("key", String(64), primary_key=True),  # SHA-256 of shape
    Column("shape", Text, nullable=False),  # the goal with its typed parts left open
    Column("example", Text, nullable=False),  # the newest goal of this shape
    Column("tool", String(64)),  # name of the learned tool, once there is one
    Column("runs", Integer, nullable=False),
    Column("model_runs", Integer, nullable=False),
    Column("free_runs", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("failing", Integer, nullable=False),  # failures since the last good run
    Column("tokens", BigInteger, nullable=False),
    Column("cost_micro", BigInteger, nullable=False),
    Column("traces", Text, nullable=False),  # JSON: ids of the first few runs
    Column("failures", Text, nullable=False),  # JSON: ids of the newest few failed runs
    Column("first_at", String(27), nullable=False),
    Column("last_at", String(27), nullable=False),
    Index("patterns_by_key", "key"),
    Index("patterns_by_tool", "owner", "tool"),
)
"""What a user's goals have in common, counted as the runs end."""

counted = Table(
    "counted",
    metadata,
    Column("owner", String(64), primary_key=True),
    Column("trace_id", String(26), primary_key=True),
    Column("key", String(64), nullable=False),
    Column("failed", Boolean, nullable=False),
)
"""Runs that `patterns` holds, so that none is counted twice when it is judged later."""

project_patterns = Table(
    "project_patterns",
    metadata,
    Column("owner", String(64), primary_key=True),  # user
    Column("key", String(64), primary_key=True),  # of the pattern
    Column("project", String(64), primary_key=True),
    Column("runs", Integer, nullable=False),
    Column("model_runs", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("last_at", String(27), nullable=False),
    Index("project_patterns_by_project", "owner", "project"),
)
"""The same as `patterns` for each project that a goal was done in; runs of none are not here."""

proposals = Table(
    "proposals",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("id", String(26), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),  # promote
    Column("volume", String(8), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("type", String(16), nullable=False),
    Column("name", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("to_volume", String(8), nullable=False),
    Column("to_owner", String(64), nullable=False),
    Column("status", String(16), nullable=False),  # proposed | approved | rejected | …
    Column("evidence", Text, nullable=False),  # JSON
    Column("by", String(64), nullable=False),
    Column("at", String(27), nullable=False),
    Column("expires_at", String(27), nullable=False),
    Column("decided_by", String(64), nullable=False),
    Column("decided_at", String(27)),
    Column("why", Text, nullable=False),
    UniqueConstraint(
        "kind", "digest", "to_volume", "to_owner", "volume", "owner", name="proposed_once"
    ),
    Index("proposals_by_target", "to_volume", "to_owner", "status"),
    Index("proposals_by_source", "volume", "owner", "status"),
    sqlite_autoincrement=True,
)
"""Changes that somebody or the gates must decide on."""

crons = Table(
    "crons",
    metadata,
    Column("level", String(8), primary_key=True),  # user | team | system
    Column("owner", String(64), primary_key=True),
    Column("team", String(64)),  # of a user's cron: the team it reports to
    Column("paused", Boolean, nullable=False),
    Column("began_at", String(27)),
    Column("ended_at", String(27)),
    Column("status", String(16), nullable=False),  # new | running | ok | quiet | failed
    Column("told", Text, nullable=False),  # what the last cycle did, or why it did nothing
    Column("failures", Integer, nullable=False),  # in a row
    Column("next_at", String(27)),
)
"""One row per cron: whether it is paused, how its last cycle ended, when the next is due."""
internal_states = Table(
    "internal_states",
    metadata,
    Column("user_id", String(64), primary_key=True),
    Column("safety", Double, nullable=False),  # this and the next three: from -1 to 1
    Column("curiosity", Double, nullable=False),
    Column("energy", Double, nullable=False),
    Column("self_confidence", Double, nullable=False),
    Column("seq", BigInteger, nullable=False),  # of the last event that is in it
    Column("updated_at", String(27), nullable=False),
)
"""How a user's system stands: what all events up to one of them come to."""

internal_history = Table(
    "internal_history",
    metadata,
    Column("user_id", String(64), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),  # of the event
    Column("at", String(27), nullable=False),
    Column("triggers", String(256), nullable=False),  # what the event was, with commas between
    Column("safety", Double, nullable=False),  # this and the next three: after it
    Column("curiosity", Double, nullable=False),
    Column("energy", Double, nullable=False),
    Column("self_confidence", Double, nullable=False),
)
"""The last events that moved an internal state, and where to."""

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("user_id", String(64), nullable=False),
    Column("project", String(64)),
    Column("cwd", Text, nullable=False),
    Column("started_at", String(27), nullable=False),
    Index("sessions_by_user", "user_id", "started_at"),
)
"""Prompts. Their turns are runs (``traces.session_id``): nothing of them is stored twice."""

facts = Table(
    "facts",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("line", String(26), nullable=False),  # id of the first of those that replaced each other
    Column("owner", String(64), nullable=False),  # user
    Column("project", String(64), nullable=False),  # "": holds in all of them
    Column("kind", String(16), nullable=False),  # rule | attribute | note | correction
    Column(
        "subject", String(128), nullable=False
    ),  # what it is about; "": nothing else replaces it
    Column("sentence", Text, nullable=False),
    Column("key", String(64), nullable=False),  # SHA-256 of the folded sentence
    Column("status", String(16), nullable=False),  # current | superseded | forgotten
    Column("successor", String(26)),  # what superseded it
    Column("by", String(16), nullable=False),  # person | goal | feedback
    Column("at", String(27), nullable=False),
    Column("ended_at", String(27)),
    Index("facts_by_owner", "owner", "status", "project"),
    Index("facts_by_line", "line"),
)
"""What users said that holds beyond a run. Rows are added; of a row only the status changes."""

fact_evidence = Table(
    "fact_evidence",
    metadata,
    Column("fact_id", String(26), ForeignKey("facts.id"), primary_key=True),
    Column("source", String(26), primary_key=True),  # id of a run, or person
    Column("at", String(27), nullable=False),
    Index("fact_evidence_by_source", "source"),
)
"""Append-only: where a fact was said."""

projects = Table(
    "projects",
    metadata,
    Column("volume", String(8), primary_key=True),  # user | team
    Column("owner", String(64), primary_key=True),  # id of the user or team
    Column("name", String(64), primary_key=True),
    Column("at", String(27), nullable=False),  # of its first use
    Column("archived_at", String(27)),
)
"""The projects that were ever used, by whose they are."""
