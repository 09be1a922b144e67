"""Create the tables of the loop."""

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

__all__ = ["create_loop_tables"]


_TRIAL_WORDS = {
    "purpose": "purpose IN ('promotion', 'watch')",
    "method": "method IN ('replay', 'live', 'split')",
    "state": "state IN ('comparing', 'canary', 'split', 'won', 'lost', 'harmful', 'undecided', 'aborted', 'void')",
}


def create_loop_tables() -> None:
    """Create all of them."""
    _create_trials()
    _create_trial_units()
    _create_trial_traffic()
    _create_trial_servers()
    _create_shadow_predictions()
    _create_retrains()
    _create_importances()
    _create_leases()
    _create_loop_runs()


def _create_trials() -> None:
    op.create_table(
        "trials",
        seq_column(),
        name_column("model"),
        word_column("purpose", 20),
        word_column("method", 20),
        integer_column("champion"),
        word_column("champion_digest", 64),
        integer_column("challenger"),
        word_column("challenger_digest", 64),
        word_column("state", 20),
        integer_column("step"),
        float_column("share"),
        word_column("salt", 32),
        text_column("settings"),
        big_column("fresh_from"),
        big_column("opened_at"),
        name_column("opened_by"),
        big_column("step_at"),
        big_column("decided_at", nullable=True),
        word_column("proposal", 20, nullable=True),
        text_column("evidence"),
        *(sa.CheckConstraint(words, name=op.f(f"ck_trials_{name}")) for name, words in _TRIAL_WORDS.items()),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_trials")),
        comment="Trials of a challenger against the champion; one of them at most takes traffic.",
    )
    is_open = sa.text("decided_at IS NULL")
    op.create_index(
        "uq_trials_open",
        "trials",
        ["model", "challenger"],
        unique=True,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )


def _create_trial_units() -> None:
    op.create_table(
        "trial_units",
        big_column("trial", autoincrement=False),
        word_column("metric", 40),
        big_column("unit_start", autoincrement=False),
        big_column("n_rows"),
        float_column("weight"),
        float_column("sum"),
        float_column("sum_squares"),
        big_column("n_disagreements"),
        sa.PrimaryKeyConstraint("trial", "metric", "unit_start", name=op.f("pk_trial_units")),
        comment="Sums of paired differences (champion minus challenger) of a trial by hour of the outcome.",
    )


def _create_trial_traffic() -> None:
    op.create_table(
        "trial_traffic",
        big_column("trial", autoincrement=False),
        name_column("server"),
        word_column("variant", 20),
        big_column("hour_start", autoincrement=False),
        big_column("n_requests"),
        big_column("n_errors"),
        big_column("n_predictions"),
        text_column("durations"),
        float_column("duration_sum_s"),
        big_column("updated_at"),
        sa.PrimaryKeyConstraint("trial", "server", "variant", "hour_start", name=op.f("pk_trial_traffic")),
        comment="What each server counts of champion and challenger, at the end of each hour of a canary.",
    )


def _create_trial_servers() -> None:
    op.create_table(
        "trial_servers",
        big_column("trial", autoincrement=False),
        name_column("server"),
        word_column("state", 20),
        text_column("reason"),
        big_column("changed_at"),
        big_column("seen_at"),
        sa.CheckConstraint("state IN ('serving', 'refused', 'stopped')", name=op.f("ck_trial_servers_state")),
        sa.PrimaryKeyConstraint("trial", "server", name=op.f("pk_trial_servers")),
        comment="Which servers give requests to the challenger of a trial, and who stopped it.",
    )


def _create_shadow_predictions() -> None:
    op.create_table(
        "shadow_predictions",
        word_column("prediction_id", 36),
        word_column("digest", 64),
        big_column("trial"),
        name_column("prediction"),
        text_column("probabilities"),
        big_column("predicted_at"),
        sa.PrimaryKeyConstraint("prediction_id", "digest", name=op.f("pk_shadow_predictions")),
        comment="Predictions of a challenger beside those of the champion; no caller received them.",
    )
    index = op.f("ix_shadow_predictions_trial_predicted_at")
    op.create_index(index, "shadow_predictions", ["trial", "predicted_at"], unique=False)


def _create_retrains() -> None:
    op.create_table(
        "retrains",
        seq_column(),
        name_column("model"),
        word_column("cause", 40),
        text_column("facts"),
        word_column("state", 20),
        big_column("asked_at"),
        name_column("asked_by"),
        big_column("changed_at"),
        word_column("snapshot_sha256", 64, nullable=True),
        big_column("n_rows", nullable=True),
        big_column("n_labels", nullable=True),
        big_column("until_prediction", nullable=True),
        big_column("until_outcome", nullable=True),
        name_column("branch", nullable=True),
        word_column("commit_sha", 64, nullable=True),
        integer_column("version", nullable=True),
        big_column("trial", nullable=True),
        sa.Column("cpu_s", sa.Float(), nullable=True),
        text_column("error", nullable=True),
        name_column("decided_by", nullable=True),
        sa.CheckConstraint(
            "state IN ('asked', 'approved', 'snapshot', 'trained', 'committed', 'on_trial', 'needs_decision',"
            " 'refused', 'failed', 'discarded')",
            name=op.f("ck_retrains_state"),
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_retrains")),
        comment="Retrains: why each was asked for, how far it came, and what came out.",
    )
    op.create_index(op.f("ix_retrains_model_seq"), "retrains", ["model", "seq"], unique=False)


def _create_importances() -> None:
    op.create_table(
        "importances",
        name_column("model"),
        word_column("digest", 64),
        word_column("kind", 20),
        big_column("window_start", autoincrement=False),
        name_column("feature"),
        big_column("n_rows"),
        float_column("sum"),
        float_column("sum_squares"),
        sa.PrimaryKeyConstraint("model", "digest", "kind", "window_start", "feature", name=op.f("pk_importances")),
        comment="Importance of each feature on labeled rows by window, as sums over rows.",
    )


def _create_leases() -> None:
    op.create_table(
        "leases",
        name_column("name"),
        name_column("holder"),
        big_column("expires_at"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
        comment="Which process may act for a model, and until when.",
    )


def _create_loop_runs() -> None:
    op.create_table(
        "loop_runs",
        seq_column(),
        name_column("model"),
        big_column("recorded_at"),
        name_column("holder"),
        text_column("decisions"),
        big_column("next_at"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_loop_runs")),
        comment="Runs of the loop: what each considered, what it did, and why nothing happened.",
    )
    op.create_index(op.f("ix_loop_runs_model_seq"), "loop_runs", ["model", "seq"], unique=False)
