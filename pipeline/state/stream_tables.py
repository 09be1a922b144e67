"""The tables of streams: where groups continue, and what consumers report of their state and their lag."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, String, Table, Text

from pipeline.state.table_base import DIGEST, METADATA, NAME

__all__ = ["stream_consumers", "stream_offsets", "stream_partitions"]

stream_offsets = Table(
    "stream_offsets",
    METADATA,
    Column("group_name", NAME, primary_key=True),
    Column("topic", NAME, primary_key=True),
    Column("partition_number", Integer, primary_key=True, autoincrement=False),
    Column("incarnation", String(16), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("next_offset", BigInteger, nullable=False),
    Column("batch_start", BigInteger, nullable=False),
    Column("version", Integer),
    Column("digest", DIGEST),
    Column("generation", BigInteger),
    Column("served_by", String(20)),
    Column("updated_at", BigInteger, nullable=False),
    comment="Where each consumer group continues in a topic; the epoch grows with each claim of a partition.",
)

stream_consumers = Table(
    "stream_consumers",
    METADATA,
    Column("group_name", NAME, primary_key=True),
    Column("consumer", NAME, primary_key=True),
    Column("model", NAME, nullable=False),
    Column("topic", NAME, nullable=False),
    Column("state", String(20), nullable=False),
    Column("reason", Text, nullable=False),
    Column("n_rebalances", BigInteger, nullable=False),
    Column("n_fenced", BigInteger, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    CheckConstraint("state IN ('running', 'paused', 'stopped')", name="state"),
    Index(None, "model"),
    comment="Consumers of streams, as each reported itself at intervals.",
)

stream_partitions = Table(
    "stream_partitions",
    METADATA,
    Column("group_name", NAME, primary_key=True),
    Column("topic", NAME, primary_key=True),
    Column("partition_number", Integer, primary_key=True, autoincrement=False),
    Column("model", NAME, nullable=False),
    Column("consumer", NAME, nullable=False),
    Column("next_offset", BigInteger, nullable=False),
    Column("end_offset", BigInteger, nullable=False),
    Column("oldest_event_at", BigInteger),
    Column("n_processed", BigInteger, nullable=False),
    Column("n_dead", BigInteger, nullable=False),
    Column("measured_at", BigInteger, nullable=False),
    Index(None, "model"),
    comment="Lag of each partition as its consumer measured it, and what its events led to so far.",
)
