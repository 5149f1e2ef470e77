"""Model runs that were made in place of free ones, and how they compare."""

import sqlalchemy as sa
from alembic import op

revision = "0003_audits"
down_revision = "0002_volumes"


def _short(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.Text(collation="C"), "postgresql")


_LONG = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table of audits. Written out: it must not change when the schema does."""
    op.create_table(
        "audits",
        sa.Column("id", _short(26), primary_key=True),
        sa.Column("trace_id", _short(26), sa.ForeignKey("traces.id"), nullable=False),
        sa.Column("volume", _short(8), nullable=False),
        sa.Column("owner", _short(64), nullable=False),
        sa.Column("at", _short(27), nullable=False),
        sa.Column("kind", _short(8), nullable=False),
        sa.Column("subject", _short(64), nullable=False),
        sa.Column("digest", _short(64)),
        sa.Column("outcome", _short(16), nullable=False),
        sa.Column("detail", _LONG, nullable=False),
    )
    op.create_index("ix_audits_trace_id", "audits", ["trace_id"])
    op.create_index("audits_by_subject", "audits", ["volume", "owner", "kind", "subject"])
