"""Roll-ups as vectors of counts by hour and day, variant and part; they are made anew from the log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["upgrade"]

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table anew, and let the next look at a model count its log from the beginning."""
    op.drop_table("rollups")
    op.create_table(
        "rollups",
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("part", sa.String(length=20), nullable=False),
        sa.Column("span", sa.String(length=10), nullable=False),
        sa.Column("start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("variant", sa.String(length=200), nullable=False),
        sa.Column("n_rows", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.Float(), nullable=False),
        sa.Column("counts", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("model", "part", "span", "start", "digest", "variant", name=op.f("pk_rollups")),
        comment="Rows by bin of the package's reference, by hour and by day: any window is a sum of these.",
    )
    op.execute("DELETE FROM counters WHERE name LIKE 'rollups %'")
