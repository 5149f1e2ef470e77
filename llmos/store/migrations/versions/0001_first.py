"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001_first"
down_revision = None

_COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _short(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.Text(collation="C"), "postgresql")


_LONG = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make all tables. Written out: a migration must not change when the schema does."""
    op.create_table(
        "processes",
        sa.Column("id", _short(26), primary_key=True),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("started_at", _short(27), nullable=False),
        sa.Column("ended_at", _short(27)),
    )
    op.create_table(
        "traces",
        sa.Column("id", _short(26), primary_key=True),
        sa.Column("volume", _short(8), nullable=False),
        sa.Column("owner", _short(64), nullable=False),
        sa.Column("user_id", _short(64), nullable=False),
        sa.Column("team_id", _short(64)),
        sa.Column("project", _short(64)),
        sa.Column("process_id", _short(26)),
        sa.Column("status", _short(8), nullable=False),
        sa.Column("goal", _LONG, nullable=False),
        sa.Column("folded", _LONG, nullable=False),
        sa.Column("goal_key", _short(64), nullable=False),
        sa.Column("context_digest", _short(64), nullable=False),
        sa.Column("now", _short(32), nullable=False),
        sa.Column("agent", _short(64), nullable=False),
        sa.Column("mode", _short(16), nullable=False),
        sa.Column("model", _short(128), nullable=False),
        sa.Column("cwd", _LONG, nullable=False),
        sa.Column("output", _LONG, nullable=False),
        sa.Column("verdict", _short(16), nullable=False),
        sa.Column("check", _LONG),
        sa.Column("error", _LONG, nullable=False),
        sa.Column("usage", _LONG, nullable=False),
        sa.Column("cost_micro", sa.BigInteger, nullable=False),
        sa.Column("duration_s", _LONG, nullable=False),
        sa.Column("tools", _LONG, nullable=False),
        sa.Column("source", _LONG, nullable=False),
        sa.Column("decision", _LONG, nullable=False),
        sa.Column("quarantined", sa.Boolean, nullable=False),
        sa.Column("standing", sa.Integer, nullable=False),
        sa.Column("started_at", _short(27), nullable=False),
        sa.Column("ended_at", _short(27)),
    )
    op.create_index("traces_by_goal", "traces", ["goal_key", "volume", "owner"])
    op.create_index("traces_by_owner", "traces", ["volume", "owner", "started_at"])
    op.create_index("traces_by_process", "traces", ["process_id", "status"])
    op.create_table(
        "steps",
        sa.Column("trace_id", _short(26), sa.ForeignKey("traces.id"), primary_key=True),
        sa.Column("idx", sa.Integer, primary_key=True),
        sa.Column("tool", _short(64), nullable=False),
        sa.Column("arguments", _LONG, nullable=False),
        sa.Column("observation", _LONG, nullable=False),
        sa.Column("is_error", sa.Boolean, nullable=False),
        sa.Column("effect", _short(16), nullable=False),
        sa.Column("footprint", _LONG, nullable=False),
        sa.Column("duration_s", _LONG, nullable=False),
    )
    op.create_table(
        "feedback",
        sa.Column("id", _short(26), primary_key=True),
        sa.Column("trace_id", _short(26), sa.ForeignKey("traces.id"), nullable=False),
        sa.Column("user_id", _short(64), nullable=False),
        sa.Column("verdict", _short(16), nullable=False),
        sa.Column("by", _short(16), nullable=False),
        sa.Column("note", _LONG, nullable=False),
        sa.Column("at", _short(27), nullable=False),
    )
    op.create_index("ix_feedback_trace_id", "feedback", ["trace_id"])
    op.create_table(
        "events",
        sa.Column("seq", _COUNTER, primary_key=True, autoincrement=True),
        sa.Column("id", _short(26), nullable=False, unique=True),
        sa.Column("type", _short(24), nullable=False),
        sa.Column("at", _short(27), nullable=False),
        sa.Column("volume", _short(8), nullable=False),
        sa.Column("owner", _short(64), nullable=False),
        sa.Column("actor", _short(64), nullable=False),
        sa.Column("subject", _short(128), nullable=False),
        sa.Column("title", _LONG, nullable=False),
        sa.Column("payload", _LONG, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("events_by_owner", "events", ["volume", "owner", "seq"])
    op.create_index("events_by_time", "events", ["at"])
    op.create_table(
        "notifications",
        sa.Column("event_id", _short(26), sa.ForeignKey("events.id"), primary_key=True),
        sa.Column("audience", _short(8), nullable=False),
        sa.Column("owner", _short(64), nullable=False),
        sa.Column("title", _LONG, nullable=False),
        sa.Column("description", _LONG, nullable=False),
        sa.Column("reason", _LONG, nullable=False),
        sa.Column("finding", _short(128), nullable=False),
        sa.Column("at", _short(27), nullable=False),
        sa.UniqueConstraint("audience", "owner", "finding", name="notifications_told_once"),
    )
    op.create_table(
        "acknowledgements",
        sa.Column("event_id", _short(26), sa.ForeignKey("events.id"), primary_key=True),
        sa.Column("user_id", _short(64), primary_key=True),
        sa.Column("at", _short(27), nullable=False),
    )
    op.create_table(
        "scopes",
        sa.Column("name", _short(160), primary_key=True),
        sa.Column("limit_micro", sa.BigInteger),
        sa.Column("spent_micro", sa.BigInteger, nullable=False),
        sa.Column("reserved_micro", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "reservations",
        sa.Column("id", _short(26), primary_key=True),
        sa.Column("process_id", _short(26)),
        sa.Column("scopes", _LONG, nullable=False),
        sa.Column("amount_micro", sa.BigInteger, nullable=False),
        sa.Column("spent_micro", sa.BigInteger, nullable=False),
        sa.Column("status", _short(8), nullable=False),
        sa.Column("note", _LONG, nullable=False),
        sa.Column("at", _short(27), nullable=False),
        sa.Column("expires_at", _short(27), nullable=False),
        sa.Column("ended_at", _short(27)),
    )
    op.create_index("reservations_open", "reservations", ["status", "expires_at"])
    op.create_table(
        "ledger",
        sa.Column("seq", _COUNTER, primary_key=True, autoincrement=True),
        sa.Column("at", _short(27), nullable=False),
        sa.Column("kind", _short(8), nullable=False),
        sa.Column("scopes", _LONG, nullable=False),
        sa.Column("amount_micro", sa.BigInteger, nullable=False),
        sa.Column("reservation_id", _short(26)),
        sa.Column("note", _LONG, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "intents",
        sa.Column("id", _short(26), primary_key=True),
        sa.Column("trace_id", _short(26), sa.ForeignKey("traces.id"), nullable=False),
        sa.Column("idx", sa.Integer, nullable=False),
        sa.Column("process_id", _short(26), nullable=False),
        sa.Column("tool", _short(64), nullable=False),
        sa.Column("arguments", _LONG, nullable=False),
        sa.Column("call_key", _short(64), nullable=False),
        sa.Column("idempotency_key", _short(64)),
        sa.Column("status", _short(8), nullable=False),
        sa.Column("observation", _LONG),
        sa.Column("at", _short(27), nullable=False),
        sa.Column("ended_at", _short(27)),
    )
    op.create_index("intents_by_status", "intents", ["status", "call_key"])
    op.create_index("ix_intents_trace_id", "intents", ["trace_id"])
    op.create_table(
        "journal",
        sa.Column("id", _COUNTER, primary_key=True, autoincrement=True),
        sa.Column("trace_id", _short(26), sa.ForeignKey("traces.id"), nullable=False),
        sa.Column("idx", sa.Integer, nullable=False),
        sa.Column("path", _LONG, nullable=False),
        sa.Column("before", _short(64)),
        sa.Column("before_mode", sa.Integer),
        sa.Column("before_kind", _short(8), nullable=False),
        sa.Column("after", _short(64)),
        sa.Column("after_mode", sa.Integer),
        sa.Column("after_kind", _short(8), nullable=False),
        sa.Column("undone_at", _short(27)),
    )
    op.create_index("ix_journal_trace_id", "journal", ["trace_id"])
