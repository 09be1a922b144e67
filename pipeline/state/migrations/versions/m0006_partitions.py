"""The prediction log of PostgreSQL in partitions by moment; a file stays as it is.

What was logged before becomes one partition as it lies: only an index is built for it.
"""

from __future__ import annotations

from alembic import op

__all__ = ["upgrade"]

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_DAY_US = 86_400_000_000
_END = 2**63

_SET_LOG_ASIDE_SQL = """
ALTER TABLE predictions RENAME TO predictions_before;
ALTER TABLE predictions_before DROP CONSTRAINT pk_predictions;
ALTER TABLE predictions_before RENAME CONSTRAINT uq_predictions_prediction_id TO predictions_before_prediction_id_key;
ALTER INDEX ix_predictions_model_at RENAME TO predictions_before_model_at_idx;
ALTER INDEX ix_predictions_subject RENAME TO predictions_before_subject_idx;
CREATE TABLE predictions (LIKE predictions_before INCLUDING DEFAULTS) PARTITION BY RANGE (at);
COMMENT ON TABLE predictions IS 'Every answer that was given, with what it was given for.';
ALTER TABLE predictions ADD CONSTRAINT pk_predictions PRIMARY KEY (seq, at);
CREATE INDEX ix_predictions_model_at ON predictions (model, at);
CREATE INDEX ix_predictions_subject ON predictions (subject) WHERE subject IS NOT NULL;
CREATE TABLE predictions_rest (LIKE predictions INCLUDING ALL);
ALTER TABLE predictions_rest ADD UNIQUE (prediction_id);
ALTER TABLE predictions ATTACH PARTITION predictions_rest DEFAULT;
"""
_ATTACH_OLD_LOG_SQL = """
ALTER TABLE predictions_before ADD PRIMARY KEY (seq, at);
ALTER TABLE predictions ATTACH PARTITION predictions_before FOR VALUES FROM (MINVALUE) TO ({until});
"""


def upgrade() -> None:
    """Put a partitioned table in the place of the log, and the log into it."""
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        return
    op.execute(_SET_LOG_ASIDE_SQL)
    last = connection.exec_driver_sql("SELECT max(at) FROM predictions_before").scalar()
    if last is None:
        op.execute("DROP TABLE predictions_before")
        return
    until = last - last % _DAY_US + _DAY_US
    op.execute(_ATTACH_OLD_LOG_SQL.format(until="MAXVALUE" if until >= _END else until))
