"""Create the tables of streams."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from pipeline.state.migrations.schema_columns import (
    big_column,
    integer_column,
    name_column,
    text_column,
    word_column,
)

__all__ = ["create_stream_tables"]


def create_stream_tables() -> None:
    """Create all of them."""
    _create_offsets()
    _create_consumers()
    _create_partitions()


def _create_consumers() -> None:
    op.create_table(
        "stream_consumers",
        name_column("group_name"),
        name_column("consumer"),
        name_column("model"),
        name_column("topic"),
        word_column("state", 20),
        text_column("reason"),
        big_column("n_rebalances"),
        big_column("n_fenced"),
        big_column("started_at"),
        big_column("seen_at"),
        sa.CheckConstraint("state IN ('running', 'paused', 'stopped')", name=op.f("ck_stream_consumers_state")),
        sa.PrimaryKeyConstraint("group_name", "consumer", name=op.f("pk_stream_consumers")),
        comment="Consumers of streams, as each reported itself at intervals.",
    )
    op.create_index(op.f("ix_stream_consumers_model"), "stream_consumers", ["model"], unique=False)


def _create_partitions() -> None:
    op.create_table(
        "stream_partitions",
        name_column("group_name"),
        name_column("topic"),
        integer_column("partition_number", autoincrement=False),
        name_column("model"),
        name_column("consumer"),
        big_column("next_offset"),
        big_column("end_offset"),
        big_column("oldest_event_at", nullable=True),
        big_column("n_processed"),
        big_column("n_dead"),
        big_column("measured_at"),
        sa.PrimaryKeyConstraint("group_name", "topic", "partition_number", name=op.f("pk_stream_partitions")),
        comment="Lag of each partition as its consumer measured it, and what its events led to so far.",
    )
    op.create_index(op.f("ix_stream_partitions_model"), "stream_partitions", ["model"], unique=False)


def _create_offsets() -> None:
    op.create_table(
        "stream_offsets",
        name_column("group_name"),
        name_column("topic"),
        integer_column("partition_number", autoincrement=False),
        word_column("incarnation", 16),
        big_column("epoch"),
        big_column("next_offset"),
        big_column("batch_start"),
        integer_column("version", nullable=True),
        word_column("digest", 64, nullable=True),
        big_column("generation", nullable=True),
        word_column("served_by", 20, nullable=True),
        big_column("updated_at"),
        sa.PrimaryKeyConstraint("group_name", "topic", "partition_number", name=op.f("pk_stream_offsets")),
        comment="Where each consumer group continues in a topic; the epoch grows with each claim of a partition.",
    )
