"""Projects that are known by name, and what goals have in common in each of them."""

import json
from collections import defaultdict

import sqlalchemy as sa
from alembic import op

revision = "0008_projects"
down_revision = "0007_memory"


def upgrade() -> None:
    """Make the tables and fill them. Written out: they must not change when the schema does."""
    op.create_index("traces_by_project", "traces", ["volume", "owner", "project", "started_at"])
    op.create_table(
        "projects",
        sa.Column("volume", sa.String(8), primary_key=True),
        sa.Column("owner", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("archived_at", sa.String(27)),
    )
    op.create_table(
        "project_patterns",
        sa.Column("owner", sa.String(64), primary_key=True),
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("runs", sa.Integer, nullable=False),
        sa.Column("model_runs", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("tokens", sa.BigInteger, nullable=False),
        sa.Column("last_at", sa.String(27), nullable=False),
    )
    op.create_index("project_patterns_by_project", "project_patterns", ["owner", "project"])
    _fill_projects()
    _fill_patterns()


def _fill_projects() -> None:
    """Those that runs, sessions and facts are of, by their first use."""
    op.execute(
        """
        INSERT INTO projects (volume, owner, name, at)
        SELECT 'user', owner, project, MIN(at) FROM (
            SELECT owner, project, started_at AS at FROM traces
            WHERE project IS NOT NULL AND volume = 'user'
            UNION ALL SELECT user_id, project, started_at FROM sessions WHERE project IS NOT NULL
            UNION ALL SELECT owner, project, at FROM facts WHERE project <> ''
        ) AS used GROUP BY owner, project
        """
    )


def _fill_patterns() -> None:
    """What was counted before there were counts of each project."""
    rows = op.get_bind().execute(
        sa.text(
            """
            SELECT c.owner, c.key, t.project, c.failed, t.usage, t.source, t.started_at
            FROM counted c JOIN traces t ON t.id = c.trace_id WHERE t.project IS NOT NULL
            """
        )
    )
    sums: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    last: dict[tuple[str, str, str], str] = defaultdict(str)
    for owner, key, project, failed, usage, source, at in rows:
        told = json.loads(usage)
        tokens = sum(v for k, v in told.items() if k.endswith("_tokens"))
        modelled = tokens > 0 or not source.startswith(("tool:", "replay:"))
        meant = (owner, key, project)
        for k, more in enumerate((1, modelled, bool(failed), tokens)):
            sums[meant][k] += more
        last[meant] = max(last[meant], at)
    table = sa.table(
        "project_patterns",
        *map(
            sa.column,
            ("owner", "key", "project", "runs", "model_runs", "failed", "tokens", "last_at"),
        ),
    )
    names = ("runs", "model_runs", "failed", "tokens")
    filled = [
        {
            "owner": meant[0],
            "key": meant[1],
            "project": meant[2],
            **dict(zip(names, counts, strict=True)),
            "last_at": last[meant],
        }
        for meant, counts in sums.items()
    ]
    if filled:
        op.bulk_insert(table, filled)
