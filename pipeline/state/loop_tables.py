"""The tables of the loop in the state database: trials, retrains, importances, leases and runs."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Float, Index, Integer, String, Table, Text, text

from pipeline.state.table_base import DIGEST, METADATA, NAME

__all__ = [
    "importances",
    "leases",
    "loop_runs",
    "retrains",
    "shadow_predictions",
    "trial_servers",
    "trial_traffic",
    "trial_units",
    "trials",
]


trials = Table(
    "trials",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("model", NAME, nullable=False),
    Column("purpose", String(20), nullable=False),
    Column("method", String(20), nullable=False),
    Column("champion", Integer, nullable=False),
    Column("champion_digest", DIGEST, nullable=False),
    Column("challenger", Integer, nullable=False),
    Column("challenger_digest", DIGEST, nullable=False),
    Column("state", String(20), nullable=False),
    Column("step", Integer, nullable=False),
    Column("share", Float, nullable=False),
    Column("salt", String(32), nullable=False),
    Column("settings", Text, nullable=False),
    Column("fresh_from", BigInteger, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("opened_by", NAME, nullable=False),
    Column("step_at", BigInteger, nullable=False),
    Column("decided_at", BigInteger),
    Column("proposal", String(20)),
    Column("evidence", Text, nullable=False),
    CheckConstraint("purpose IN ('promotion', 'watch')", name="purpose"),
    CheckConstraint("method IN ('replay', 'live', 'split')", name="method"),
    CheckConstraint(
        "state IN ('comparing', 'canary', 'split', 'won', 'lost', 'harmful', 'undecided', 'aborted', 'void')",
        name="state",
    ),
    Index("uq_trials_open", "model", "challenger", unique=True, sqlite_where=text("decided_at IS NULL")),
    comment="Trials of a challenger against the champion; one of them at most takes traffic.",
)

trial_units = Table(
    "trial_units",
    METADATA,
    Column("trial", BigInteger, primary_key=True, autoincrement=False),
    Column("metric", String(40), primary_key=True),
    Column("unit_start", BigInteger, primary_key=True, autoincrement=False),
    Column("n_rows", BigInteger, nullable=False),
    Column("weight", Float, nullable=False),
    Column("sum", Float, nullable=False),
    Column("sum_squares", Float, nullable=False),
    Column("n_disagreements", BigInteger, nullable=False),
    comment="Sums of paired differences (champion minus challenger) of a trial by hour of the outcome.",
)

trial_traffic = Table(
    "trial_traffic",
    METADATA,
    Column("trial", BigInteger, primary_key=True, autoincrement=False),
    Column("server", NAME, primary_key=True),
    Column("variant", String(20), primary_key=True),
    Column("hour_start", BigInteger, primary_key=True, autoincrement=False),
    Column("n_requests", BigInteger, nullable=False),
    Column("n_errors", BigInteger, nullable=False),
    Column("n_predictions", BigInteger, nullable=False),
    Column("durations", Text, nullable=False),
    Column("duration_sum_s", Float, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    comment="What each server counts of champion and challenger, at the end of each hour of a canary.",
)

trial_servers = Table(
    "trial_servers",
    METADATA,
    Column("trial", BigInteger, primary_key=True, autoincrement=False),
    Column("server", NAME, primary_key=True),
    Column("state", String(20), nullable=False),
    Column("reason", Text, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    CheckConstraint("state IN ('serving', 'refused', 'stopped')", name="state"),
    comment="Which servers give requests to the challenger of a trial, and who stopped it.",
)

shadow_predictions = Table(
    "shadow_predictions",
    METADATA,
    Column("prediction_id", String(36), primary_key=True),
    Column("digest", DIGEST, primary_key=True),
    Column("trial", BigInteger, nullable=False),
    Column("prediction", NAME, nullable=False),
    Column("probabilities", Text, nullable=False),
    Column("predicted_at", BigInteger, nullable=False),
    Index(None, "trial", "predicted_at"),
    comment="Predictions of a challenger beside those of the champion; no caller received them.",
)

retrains = Table(
    "retrains",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("model", NAME, nullable=False),
    Column("cause", String(40), nullable=False),
    Column("facts", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("asked_by", NAME, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("snapshot_sha256", DIGEST),
    Column("n_rows", BigInteger),
    Column("n_labels", BigInteger),
    Column("until_prediction", BigInteger),
    Column("until_outcome", BigInteger),
    Column("branch", NAME),
    Column("commit_sha", String(64)),
    Column("version", Integer),
    Column("trial", BigInteger),
    Column("cpu_s", Float),
    Column("error", Text),
    Column("decided_by", NAME),
    CheckConstraint(
        "state IN ('asked', 'approved', 'snapshot', 'trained', 'committed', 'on_trial', 'needs_decision',"
        " 'refused', 'failed', 'discarded')",
        name="state",
    ),
    Index(None, "model", "seq"),
    comment="Retrains: why each was asked for, how far it came, and what came out.",
)

importances = Table(
    "importances",
    METADATA,
    Column("model", NAME, primary_key=True),
    Column("digest", DIGEST, primary_key=True),
    Column("kind", String(20), primary_key=True),
    Column("window_start", BigInteger, primary_key=True, autoincrement=False),
    Column("feature", NAME, primary_key=True),
    Column("n_rows", BigInteger, nullable=False),
    Column("sum", Float, nullable=False),
    Column("sum_squares", Float, nullable=False),
    comment="Importance of each feature on labeled rows by window, as sums over rows.",
)

leases = Table(
    "leases",
    METADATA,
    Column("name", NAME, primary_key=True),
    Column("holder", NAME, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    comment="Which process may act for a model, and until when.",
)

loop_runs = Table(
    "loop_runs",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("model", NAME, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("holder", NAME, nullable=False),
    Column("decisions", Text, nullable=False),
    Column("next_at", BigInteger, nullable=False),
    Index(None, "model", "seq"),
    comment="Runs of the loop: what each considered, what it did, and why nothing happened.",
)
