"""Facts, sessions of the prompt, and what models were shown."""

import sqlalchemy as sa
from alembic import op

revision = "0007_memory"
down_revision = "0006_plans"


def upgrade() -> None:
    """Make the tables. Written out: they must not change when the schema does."""
    op.add_column("traces", sa.Column("session_id", sa.String(26)))
    op.add_column("traces", sa.Column("context", sa.Text))
    op.create_index("traces_by_session", "traces", ["session_id", "started_at"])
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("project", sa.String(64)),
        sa.Column("cwd", sa.Text, nullable=False),
        sa.Column("started_at", sa.String(27), nullable=False),
    )
    op.create_index("sessions_by_user", "sessions", ["user_id", "started_at"])
    op.create_table(
        "facts",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("line", sa.String(26), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("sentence", sa.Text, nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("successor", sa.String(26)),
        sa.Column("by", sa.String(16), nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("ended_at", sa.String(27)),
    )
    op.create_index("facts_by_owner", "facts", ["owner", "status", "project"])
    op.create_index("facts_by_line", "facts", ["line"])
    op.create_table(
        "fact_evidence",
        sa.Column("fact_id", sa.String(26), sa.ForeignKey("facts.id"), primary_key=True),
        sa.Column("source", sa.String(26), primary_key=True),
        sa.Column("at", sa.String(27), nullable=False),
    )
    op.create_index("fact_evidence_by_source", "fact_evidence", ["source"])
