"""Who belongs where, what is private, what recurs, what is proposed, and when crons last ran."""

import sqlalchemy as sa
from alembic import op

revision = "0004_nights"
down_revision = "0003_audits"

_COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables of the nights. Written out: it must not change when the schema does."""
    _people()
    _patterns()
    _proposals()
    op.create_table(
        "crons",
        sa.Column("level", sa.String(8), primary_key=True),
        sa.Column("owner", sa.String(64), primary_key=True),
        sa.Column("team", sa.String(64)),
        sa.Column("paused", sa.Boolean, nullable=False),
        sa.Column("began_at", sa.String(27)),
        sa.Column("ended_at", sa.String(27)),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("told", sa.Text, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("next_at", sa.String(27)),
    )
    op.create_index("versions_by_parent", "versions", ["parent"])
    op.create_index("events_by_type", "events", ["type", "seq"])
    op.create_index("usages_by_outcome", "usages", ["volume", "owner", "outcome"])


def _people() -> None:
    op.create_table(
        "roles",
        sa.Column("scope", sa.String(8), primary_key=True),
        sa.Column("owner", sa.String(64), primary_key=True),
        sa.Column("user_id", sa.String(64), primary_key=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("since", sa.String(27), nullable=False),
    )
    op.create_index("roles_by_user", "roles", ["user_id", "scope"])
    op.create_table(
        "private",
        sa.Column("volume", sa.String(8), primary_key=True),
        sa.Column("owner", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(8), primary_key=True),
        sa.Column("subject", sa.String(64), primary_key=True),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
    )


def _patterns() -> None:
    op.create_table(
        "patterns",
        sa.Column("owner", sa.String(64), primary_key=True),
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("shape", sa.Text, nullable=False),
        sa.Column("example", sa.Text, nullable=False),
        sa.Column("tool", sa.String(64)),
        sa.Column("runs", sa.Integer, nullable=False),
        sa.Column("model_runs", sa.Integer, nullable=False),
        sa.Column("free_runs", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("failing", sa.Integer, nullable=False),
        sa.Column("tokens", sa.BigInteger, nullable=False),
        sa.Column("cost_micro", sa.BigInteger, nullable=False),
        sa.Column("traces", sa.Text, nullable=False),
        sa.Column("failures", sa.Text, nullable=False),
        sa.Column("first_at", sa.String(27), nullable=False),
        sa.Column("last_at", sa.String(27), nullable=False),
    )
    op.create_index("patterns_by_key", "patterns", ["key"])
    op.create_index("patterns_by_tool", "patterns", ["owner", "tool"])
    op.create_table(
        "counted",
        sa.Column("owner", sa.String(64), primary_key=True),
        sa.Column("trace_id", sa.String(26), primary_key=True),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("failed", sa.Boolean, nullable=False),
    )


def _proposals() -> None:
    op.create_table(
        "proposals",
        sa.Column("seq", _COUNTER, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(26), nullable=False, unique=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("volume", sa.String(8), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("type", sa.String(16), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("to_volume", sa.String(8), nullable=False),
        sa.Column("to_owner", sa.String(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("expires_at", sa.String(27), nullable=False),
        sa.Column("decided_by", sa.String(64), nullable=False),
        sa.Column("decided_at", sa.String(27)),
        sa.Column("why", sa.Text, nullable=False),
        sa.UniqueConstraint(
            "kind", "digest", "to_volume", "to_owner", "volume", "owner", name="proposed_once"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("proposals_by_target", "proposals", ["to_volume", "to_owner", "status"])
    op.create_index("proposals_by_source", "proposals", ["volume", "owner", "status"])
