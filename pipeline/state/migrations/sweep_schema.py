"""Create the tables of sweeps."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from pipeline.state.migrations.schema_columns import (
    big_column,
    float_column,
    integer_column,
    name_column,
    seq_column,
    text_column,
    word_column,
)

__all__ = ["create_sweep_tables"]


def create_sweep_tables() -> None:
    """Create all of them."""
    _create_sweeps()
    _create_sweep_trials()


def _create_sweeps() -> None:
    op.create_table(
        "sweeps",
        seq_column(),
        text_column("folder"),
        text_column("varies"),
        integer_column("n_jobs"),
        name_column("objective"),
        name_column("parent_run", nullable=True),
        text_column("stop_reason", nullable=True),
        big_column("started_at"),
        big_column("ended_at", nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_sweeps")),
        comment="Sweeps: what each varies, its run in MLflow, and why it was stopped.",
    )


def _create_sweep_trials() -> None:
    op.create_table(
        "sweep_trials",
        seq_column(),
        big_column("sweep", nullable=True),
        integer_column("number", nullable=True),
        word_column("fingerprint", 64, nullable=True),
        word_column("state", 20),
        text_column("label"),
        text_column("overrides"),
        name_column("metric"),
        float_column("value", nullable=True),
        float_column("std", nullable=True),
        text_column("metrics"),
        name_column("run_key", nullable=True),
        big_column("copied_from", nullable=True),
        text_column("error", nullable=True),
        text_column("worker"),
        integer_column("attempt"),
        big_column("started_at"),
        big_column("ended_at", nullable=True),
        big_column("expires_at"),
        sa.CheckConstraint("state IN ('running', 'finished', 'failed')", name=op.f("ck_sweep_trials_state")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_sweep_trials")),
        sa.UniqueConstraint("sweep", "number", name=op.f("uq_sweep_trials_sweep_number")),
        comment="Trials of sweeps and single trials: who runs each until when, its result or its failure.",
    )
    op.create_index(op.f("ix_sweep_trials_fingerprint"), "sweep_trials", ["fingerprint"], unique=False)
