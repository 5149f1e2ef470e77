"""Artifacts and their versions, what became of them, and how far background work has come."""

import sqlalchemy as sa
from alembic import op

revision = "0002_volumes"
down_revision = "0001_first"

_COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables of the volumes. Written out: it must not change when the schema does."""
    op.create_table(
        "artifacts",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("volume", sa.String(8), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("type", sa.String(16), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("current", sa.String(64), nullable=False),
        sa.Column("pinned", sa.Boolean, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("created_at", sa.String(27), nullable=False),
        sa.Column("updated_at", sa.String(27), nullable=False),
        sa.UniqueConstraint("volume", "owner", "type", "name", name="artifacts_named_once"),
    )
    op.create_index(
        "artifacts_by_status", "artifacts", ["volume", "owner", "type", "status", "updated_at"]
    )
    op.create_index("artifacts_by_owner", "artifacts", ["volume", "owner", "updated_at"])
    op.create_table(
        "versions",
        sa.Column("artifact_id", sa.String(26), sa.ForeignKey("artifacts.id"), primary_key=True),
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("volume", sa.String(8), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("author", sa.String(64), nullable=False),
        sa.Column("created_at", sa.String(27), nullable=False),
        sa.Column("parent", sa.String(64)),
        sa.Column("lineage", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.UniqueConstraint("artifact_id", "seq", name="versions_counted_once"),
    )
    op.create_index("versions_by_digest", "versions", ["volume", "owner", "digest"])
    op.create_table(
        "artifact_changes",
        sa.Column("seq", _COUNTER, primary_key=True, autoincrement=True),
        sa.Column("artifact_id", sa.String(26), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("volume", sa.String(8), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("what", sa.String(16), nullable=False),
        sa.Column("was", sa.String(64), nullable=False),
        sa.Column("now", sa.String(64), nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["artifact_id", "digest"], ["versions.artifact_id", "versions.digest"]
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("changes_by_artifact", "artifact_changes", ["artifact_id", "seq"])
    op.create_index("changes_by_owner", "artifact_changes", ["volume", "owner", "seq"])
    op.create_table(
        "watermarks",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("volume", sa.String(8), primary_key=True),
        sa.Column("owner", sa.String(64), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("updated_at", sa.String(27), nullable=False),
    )
    op.create_table(
        "usages",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("artifact_id", sa.String(26), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("volume", sa.String(8), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("trace_id", sa.String(26)),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("tokens_saved", sa.BigInteger, nullable=False),
        sa.Column("cost_saved_micro", sa.BigInteger, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["artifact_id", "digest"], ["versions.artifact_id", "versions.digest"]
        ),
    )
    op.create_index("usages_by_artifact", "usages", ["artifact_id", "at"])
    op.create_index("usages_by_trace", "usages", ["trace_id"])
