"""Runs that are parts of plans."""

import sqlalchemy as sa
from alembic import op

revision = "0006_plans"
down_revision = "0005_sentience"


def upgrade() -> None:
    """Say of each run which plan's part it is; of the old ones none."""
    op.add_column("traces", sa.Column("part_of", sa.String(26)))
