"""Model runs that were made in place of free ones, and how they compare."""

import sqlalchemy as sa
from alembic import op

revision = "0003_audits"
down_revision = "0002_volumes"


def upgrade() -> None:
    """Make the table of audits. Written out: it must not change when the schema does."""
    op.create_table(
        "audits",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("trace_id", sa.String(26), sa.ForeignKey("traces.id"), nullable=False),
        sa.Column("volume", sa.String(8), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64)),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("ix_audits_trace_id", "audits", ["trace_id"])
    op.create_index("audits_by_subject", "audits", ["volume", "owner", "kind", "subject"])
