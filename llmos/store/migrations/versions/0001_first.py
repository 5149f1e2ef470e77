"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001_first"
down_revision = None

_COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make all tables. Written out: a migration must not change when the schema does."""
    op.create_table(
        "processes",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("started_at", sa.String(27), nullable=False),
        sa.Column("ended_at", sa.String(27)),
    )
    op.create_table(
        "traces",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("volume", sa.String(8), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("team_id", sa.String(64)),
        sa.Column("project", sa.String(64)),
        sa.Column("process_id", sa.String(26)),
        sa.Column("status", sa.String(8), nullable=False),
        sa.Column("goal", sa.Text, nullable=False),
        sa.Column("folded", sa.Text, nullable=False),
        sa.Column("goal_key", sa.String(64), nullable=False),
        sa.Column("context_digest", sa.String(64), nullable=False),
        sa.Column("now", sa.String(32), nullable=False),
        sa.Column("agent", sa.String(64), nullable=False),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("cwd", sa.Text, nullable=False),
        sa.Column("output", sa.Text, nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("check", sa.Text),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("usage", sa.Text, nullable=False),
        sa.Column("cost_micro", sa.BigInteger, nullable=False),
        sa.Column("duration_s", sa.Text, nullable=False),
        sa.Column("tools", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("quarantined", sa.Boolean, nullable=False),
        sa.Column("standing", sa.Integer, nullable=False),
        sa.Column("started_at", sa.String(27), nullable=False),
        sa.Column("ended_at", sa.String(27)),
    )
    op.create_index("traces_by_goal", "traces", ["goal_key", "volume", "owner"])
    op.create_index("traces_by_owner", "traces", ["volume", "owner", "started_at"])
    op.create_index("traces_by_process", "traces", ["process_id", "status"])
    op.create_table(
        "steps",
        sa.Column("trace_id", sa.String(26), sa.ForeignKey("traces.id"), primary_key=True),
        sa.Column("idx", sa.Integer, primary_key=True),
        sa.Column("tool", sa.String(64), nullable=False),
        sa.Column("arguments", sa.Text, nullable=False),
        sa.Column("observation", sa.Text, nullable=False),
        sa.Column("is_error", sa.Boolean, nullable=False),
        sa.Column("effect", sa.String(16), nullable=False),
        sa.Column("footprint", sa.Text, nullable=False),
        sa.Column("duration_s", sa.Text, nullable=False),
    )
    op.create_table(
        "feedback",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("trace_id", sa.String(26), sa.ForeignKey("traces.id"), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("by", sa.String(16), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
    )
    op.create_index("ix_feedback_trace_id", "feedback", ["trace_id"])
    op.create_table(
        "events",
        sa.Column("seq", _COUNTER, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(26), nullable=False, unique=True),
        sa.Column("type", sa.String(24), nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("volume", sa.String(8), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("events_by_owner", "events", ["volume", "owner", "seq"])
    op.create_index("events_by_time", "events", ["at"])
    op.create_table(
        "notifications",
        sa.Column("event_id", sa.String(26), sa.ForeignKey("events.id"), primary_key=True),
        sa.Column("audience", sa.String(8), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("finding", sa.String(128), nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.UniqueConstraint("audience", "owner", "finding", name="notifications_told_once"),
    )
    op.create_table(
        "acknowledgements",
        sa.Column("event_id", sa.String(26), sa.ForeignKey("events.id"), primary_key=True),
        sa.Column("user_id", sa.String(64), primary_key=True),
        sa.Column("at", sa.String(27), nullable=False),
    )
    op.create_table(
        "scopes",
        sa.Column("name", sa.String(160), primary_key=True),
        sa.Column("limit_micro", sa.BigInteger),
        sa.Column("spent_micro", sa.BigInteger, nullable=False),
        sa.Column("reserved_micro", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "reservations",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("process_id", sa.String(26)),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("amount_micro", sa.BigInteger, nullable=False),
        sa.Column("spent_micro", sa.BigInteger, nullable=False),
        sa.Column("status", sa.String(8), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("expires_at", sa.String(27), nullable=False),
        sa.Column("ended_at", sa.String(27)),
    )
    op.create_index("reservations_open", "reservations", ["status", "expires_at"])
    op.create_table(
        "ledger",
        sa.Column("seq", _COUNTER, primary_key=True, autoincrement=True),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("amount_micro", sa.BigInteger, nullable=False),
        sa.Column("reservation_id", sa.String(26)),
        sa.Column("note", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "intents",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("trace_id", sa.String(26), sa.ForeignKey("traces.id"), nullable=False),
        sa.Column("idx", sa.Integer, nullable=False),
        sa.Column("process_id", sa.String(26), nullable=False),
        sa.Column("tool", sa.String(64), nullable=False),
        sa.Column("arguments", sa.Text, nullable=False),
        sa.Column("call_key", sa.String(64), nullable=False),
        sa.Column("idempotency_key", sa.String(64)),
        sa.Column("status", sa.String(8), nullable=False),
        sa.Column("observation", sa.Text),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("ended_at", sa.String(27)),
    )
    op.create_index("intents_by_status", "intents", ["status", "call_key"])
    op.create_index("ix_intents_trace_id", "intents", ["trace_id"])
    op.create_table(
        "journal",
        sa.Column("id", _COUNTER, primary_key=True, autoincrement=True),
        sa.Column("trace_id", sa.String(26), sa.ForeignKey("traces.id"), nullable=False),
        sa.Column("idx", sa.Integer, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("before", sa.String(64)),
        sa.Column("before_mode", sa.Integer),
        sa.Column("before_kind", sa.String(8), nullable=False),
        sa.Column("after", sa.String(64)),
        sa.Column("after_mode", sa.Integer),
        sa.Column("after_kind", sa.String(8), nullable=False),
        sa.Column("undone_at", sa.String(27)),
    )
    op.create_index("ix_journal_trace_id", "journal", ["trace_id"])
