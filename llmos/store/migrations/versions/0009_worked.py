"""Runs of a goal that are more than a replay of another, found among any number of replays."""

import sqlalchemy as sa
from alembic import op

revision = "0009_worked"
down_revision = "0008_projects"


def upgrade() -> None:
    """Make the index in place of the one with replays, for which nobody asks.

    Its condition is written out, as in the queries that it is for.
    """
    where = sa.text("source NOT LIKE 'replay:%'")
    op.create_index(
        "traces_worked",
        "traces",
        ["goal_key", "volume", "owner"],
        sqlite_where=where,
        postgresql_where=where,
    )
    op.drop_index("traces_by_goal", "traces")
