"""The tables of sweeps in the state database: sweeps and their trials."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Float, Index, Integer, String, Table, Text, UniqueConstraint

from pipeline.state.table_base import DIGEST, METADATA, NAME

__all__ = ["sweep_trials", "sweeps"]

sweeps = Table(
    "sweeps",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("folder", Text, nullable=False),
    Column("varies", Text, nullable=False),
    Column("n_jobs", Integer, nullable=False),
    Column("objective", NAME, nullable=False),
    Column("parent_run", NAME),
    Column("stop_reason", Text),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    comment="Sweeps: what each varies, its run in MLflow, and why it was stopped.",
)

sweep_trials = Table(
    "sweep_trials",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("sweep", BigInteger),
    Column("number", Integer),
    Column("fingerprint", DIGEST),
    Column("state", String(20), nullable=False),
    Column("label", Text, nullable=False),
    Column("overrides", Text, nullable=False),
    Column("metric", NAME, nullable=False),
    Column("value", Float),
    Column("std", Float),
    Column("metrics", Text, nullable=False),
    Column("run_key", NAME),
    Column("copied_from", BigInteger),
    Column("error", Text),
    Column("worker", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("expires_at", BigInteger, nullable=False),
    CheckConstraint("state IN ('running', 'finished', 'failed')", name="state"),
    UniqueConstraint("sweep", "number"),
    Index(None, "fingerprint"),
    comment="Trials of sweeps and single trials: who runs each until when, its result or its failure.",
)
