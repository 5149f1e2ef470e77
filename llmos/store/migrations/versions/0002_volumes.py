"""Artifacts and their versions, what became of them, and how far background work has come."""

import sqlalchemy as sa
from alembic import op

revision = "0002_volumes"
down_revision = "0001_first"

_COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _short(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.Text(collation="C"), "postgresql")


_LONG = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables of the volumes. Written out: it must not change when the schema does."""
    op.create_table(
        "artifacts",
        sa.Column("id", _short(26), primary_key=True),
        sa.Column("volume", _short(8), nullable=False),
        sa.Column("owner", _short(64), nullable=False),
        sa.Column("type", _short(16), nullable=False),
        sa.Column("name", _short(64), nullable=False),
        sa.Column("current", _short(64), nullable=False),
        sa.Column("pinned", sa.Boolean, nullable=False),
        sa.Column("status", _short(16), nullable=False),
        sa.Column("created_at", _short(27), nullable=False),
        sa.Column("updated_at", _short(27), nullable=False),
        sa.UniqueConstraint("volume", "owner", "type", "name", name="artifacts_named_once"),
    )
    op.create_index(
        "artifacts_by_status", "artifacts", ["volume", "owner", "type", "status", "updated_at"]
    )
    op.create_index("artifacts_by_owner", "artifacts", ["volume", "owner", "updated_at"])
    op.create_table(
        "versions",
        sa.Column("artifact_id", _short(26), sa.ForeignKey("artifacts.id"), primary_key=True),
        sa.Column("digest", _short(64), primary_key=True),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("volume", _short(8), nullable=False),
        sa.Column("owner", _short(64), nullable=False),
        sa.Column("content", _LONG, nullable=False),
        sa.Column("author", _short(64), nullable=False),
        sa.Column("created_at", _short(27), nullable=False),
        sa.Column("parent", _short(64)),
        sa.Column("lineage", _LONG, nullable=False),
        sa.Column("note", _LONG, nullable=False),
        sa.Column("status", _short(16), nullable=False),
        sa.UniqueConstraint("artifact_id", "seq", name="versions_counted_once"),
    )
    op.create_index("versions_by_digest", "versions", ["volume", "owner", "digest"])
    op.create_table(
        "artifact_changes",
        sa.Column("seq", _COUNTER, primary_key=True, autoincrement=True),
        sa.Column("artifact_id", _short(26), nullable=False),
        sa.Column("digest", _short(64), nullable=False),
        sa.Column("volume", _short(8), nullable=False),
        sa.Column("owner", _short(64), nullable=False),
        sa.Column("what", _short(16), nullable=False),
        sa.Column("was", _short(64), nullable=False),
        sa.Column("now", _short(64), nullable=False),
        sa.Column("by", _short(64), nullable=False),
        sa.Column("at", _short(27), nullable=False),
        sa.Column("why", _LONG, nullable=False),
        sa.ForeignKeyConstraint(
            ["artifact_id", "digest"], ["versions.artifact_id", "versions.digest"]
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("changes_by_artifact", "artifact_changes", ["artifact_id", "seq"])
    op.create_index("changes_by_owner", "artifact_changes", ["volume", "owner", "seq"])
    op.create_table(
        "watermarks",
        sa.Column("name", _short(64), primary_key=True),
        sa.Column("volume", _short(8), primary_key=True),
        sa.Column("owner", _short(64), primary_key=True),
        sa.Column("value", _LONG, nullable=False),
        sa.Column("updated_at", _short(27), nullable=False),
    )
    op.create_table(
        "usages",
        sa.Column("id", _short(26), primary_key=True),
        sa.Column("artifact_id", _short(26), nullable=False),
        sa.Column("digest", _short(64), nullable=False),
        sa.Column("volume", _short(8), nullable=False),
        sa.Column("owner", _short(64), nullable=False),
        sa.Column("trace_id", _short(26)),
        sa.Column("user_id", _short(64), nullable=False),
        sa.Column("at", _short(27), nullable=False),
        sa.Column("outcome", _short(16), nullable=False),
        sa.Column("tokens_saved", sa.BigInteger, nullable=False),
        sa.Column("cost_saved_micro", sa.BigInteger, nullable=False),
        sa.Column("detail", _LONG, nullable=False),
        sa.ForeignKeyConstraint(
            ["artifact_id", "digest"], ["versions.artifact_id", "versions.digest"]
        ),
    )
    op.create_index("usages_by_artifact", "usages", ["artifact_id", "at"])
    op.create_index("usages_by_trace", "usages", ["trace_id"])
