"""How the system of a user stands, and what moved it."""

import sqlalchemy as sa
from alembic import op

revision = "0005_sentience"
down_revision = "0004_nights"


def upgrade() -> None:
    """Make the tables. Written out: they must not change when the schema does."""
    op.add_column(
        "audits", sa.Column("extra", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.create_table(
        "internal_states",
        sa.Column("user_id", sa.String(64), primary_key=True),
        sa.Column("safety", sa.Double, nullable=False),
        sa.Column("curiosity", sa.Double, nullable=False),
        sa.Column("energy", sa.Double, nullable=False),
        sa.Column("self_confidence", sa.Double, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.String(27), nullable=False),
    )
    op.create_table(
        "internal_history",
        sa.Column("user_id", sa.String(64), primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("triggers", sa.String(256), nullable=False),
        sa.Column("safety", sa.Double, nullable=False),
        sa.Column("curiosity", sa.Double, nullable=False),
        sa.Column("energy", sa.Double, nullable=False),
        sa.Column("self_confidence", sa.Double, nullable=False),
    )
