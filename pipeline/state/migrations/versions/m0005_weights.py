"""Roll-ups by the weight of their rows, so that a log that keeps a sample is counted for all that was answered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["upgrade"]

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_COPY = """
INSERT INTO rollups (model, part, span, start, digest, variant, weight, n_rows, total, counts)
SELECT model, part, span, start, digest, variant, 1.0, n_rows, total, counts FROM rollups_0004
"""


def upgrade() -> None:
    """Make the table anew with what it holds: days whose rows have left the log could not be counted again."""
    op.rename_table("rollups", "rollups_0004")
    if op.get_bind().dialect.name != "sqlite":
        op.drop_constraint("pk_rollups", "rollups_0004")
    op.create_table(
        "rollups",
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("part", sa.String(length=20), nullable=False),
        sa.Column("span", sa.String(length=10), nullable=False),
        sa.Column("start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("variant", sa.String(length=200), nullable=False),
        sa.Column("weight", sa.Float(), autoincrement=False, nullable=False),
        sa.Column("n_rows", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.Float(), nullable=False),
        sa.Column("counts", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint(
            "model", "part", "span", "start", "digest", "variant", "weight", name=op.f("pk_rollups")
        ),
        comment="Rows of one weight by bin of the package's reference, by hour and by day: any window is a sum of these.",
    )
    op.execute(_COPY)
    op.drop_table("rollups_0004")
