"""The first schema: all tables. The audit table is append-only; on PostgreSQL the prediction log is partitioned."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from pipeline.state.migrations.loop_schema import create_loop_tables
from pipeline.state.migrations.schema_columns import (
    big_column,
    float_column,
    integer_column,
    name_column,
    seq_column,
    text_column,
    word_column,
)
from pipeline.state.migrations.stream_schema import create_stream_tables
from pipeline.state.migrations.sweep_schema import create_sweep_tables

__all__ = ["upgrade"]

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SQLITE_GUARD = """
CREATE TRIGGER audit_{event} BEFORE {event} ON audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END
"""
_POSTGRESQL_GUARD = """
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit trail is append-only'; END $$;
CREATE TRIGGER audit_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
"""
# Identifiers are unique within a partition: a partitioned table cannot keep them unique without the time.
_DEFAULT_PARTITION = """
CREATE TABLE predictions_default (LIKE predictions INCLUDING ALL);
ALTER TABLE predictions_default ADD UNIQUE (prediction_id);
ALTER TABLE predictions ATTACH PARTITION predictions_default DEFAULT;
"""


def upgrade() -> None:
    """Create all tables."""
    is_file = op.get_bind().dialect.name == "sqlite"
    _create_counters()
    _create_models()
    _create_versions()
    _create_deployments()
    _create_mlflow_outbox()
    _create_audit(is_file=is_file)
    _create_predictions(is_file=is_file)
    _create_outcomes()
    _create_idempotent_responses()
    _create_serving_events()
    _create_api_keys()
    _create_incidents()
    _create_alert_deliveries()
    _create_alert_silences()
    _create_monitor_runs()
    _create_rollups()
    create_loop_tables()
    create_sweep_tables()
    create_stream_tables()


def _create_counters() -> None:
    op.create_table(
        "counters",
        name_column("name"),
        big_column("value"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counters")),
        comment="The last number of each gap-free sequence.",
    )


def _create_models() -> None:
    op.create_table(
        "models",
        name_column("name"),
        big_column("generation"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_models")),
        comment="One row per model; its generation grows by one with every decision about a deployment or a trial.",
    )


def _create_versions() -> None:
    op.create_table(
        "versions",
        name_column("model"),
        integer_column("version", autoincrement=False),
        word_column("digest", 64),
        word_column("semver", 40),
        word_column("stage", 20),
        text_column("description"),
        text_column("tags"),
        big_column("registered_at"),
        sa.CheckConstraint("stage IN ('None', 'Staging', 'Production', 'Archived')", name=op.f("ck_versions_stage")),
        sa.ForeignKeyConstraint(["model"], ["models.name"], name=op.f("fk_versions_models")),
        sa.PrimaryKeyConstraint("model", "version", name=op.f("pk_versions")),
        sa.UniqueConstraint("model", "digest", name=op.f("uq_versions_model_digest")),
        comment="Registered packages; the digest identifies the content, equal content is the same version.",
    )


def _create_deployments() -> None:
    op.create_table(
        "deployments",
        name_column("model"),
        word_column("stage", 20),
        integer_column("version"),
        word_column("digest", 64),
        big_column("generation"),
        big_column("deployed_at"),
        sa.CheckConstraint("stage IN ('Staging', 'Production')", name=op.f("ck_deployments_stage")),
        sa.ForeignKeyConstraint(
            ["model", "version"], ["versions.model", "versions.version"], name=op.f("fk_deployments_versions")
        ),
        sa.PrimaryKeyConstraint("model", "stage", name=op.f("pk_deployments")),
        comment="Current deployments: at most one version per stage of a model.",
    )


def _create_mlflow_outbox() -> None:
    op.create_table(
        "mlflow_outbox",
        seq_column(),
        word_column("kind", 40),
        text_column("payload"),
        big_column("created_at"),
        integer_column("attempts"),
        text_column("error", nullable=True),
        big_column("done_at", nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_mlflow_outbox")),
        comment="Updates pending for MLflow, in the order of the decisions.",
    )


def _create_audit(*, is_file: bool) -> None:
    op.create_table(
        "audit",
        seq_column(),
        big_column("recorded_at"),
        name_column("actor"),
        word_column("action", 40),
        name_column("model"),
        integer_column("version", nullable=True),
        big_column("generation", nullable=True),
        text_column("before"),
        text_column("after"),
        text_column("reason"),
        text_column("evidence"),
        word_column("previous", 64),
        word_column("hash", 64),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
        comment="Who decided what, when and why; append-only, each row holds the hash of the row before.",
    )
    if is_file:
        for event in ("UPDATE", "DELETE"):
            op.execute(_SQLITE_GUARD.format(event=event))
    else:
        op.execute(_POSTGRESQL_GUARD)


def _create_predictions(*, is_file: bool) -> None:
    constraints: list[sa.Constraint] = (
        [
            sa.PrimaryKeyConstraint("seq", name=op.f("pk_predictions")),
            sa.UniqueConstraint("prediction_id", name=op.f("uq_predictions_prediction_id")),
        ]
        if is_file
        else [sa.PrimaryKeyConstraint("seq", "predicted_at", name=op.f("pk_predictions"))]
    )
    op.create_table(
        "predictions",
        seq_column(),
        word_column("prediction_id", 36),
        big_column("predicted_at"),
        name_column("model"),
        integer_column("version"),
        word_column("digest", 64),
        big_column("generation"),
        text_column("features"),
        name_column("prediction"),
        text_column("probabilities"),
        float_column("confidence", server_default="0"),
        word_column("served_by", 20, server_default="production"),
        word_column("variant", 20, server_default="champion"),
        name_column("source", server_default="api"),
        big_column("latency_us", server_default="0"),
        float_column("weight", server_default="1"),
        name_column("idempotency_key", nullable=True),
        name_column("subject", nullable=True),
        *constraints,
        comment="The prediction log: every prediction with its features.",
        postgresql_partition_by=None if is_file else "RANGE (predicted_at)",
    )
    op.create_index(op.f("ix_predictions_model_predicted_at"), "predictions", ["model", "predicted_at"], unique=False)
    has_subject = sa.text("subject IS NOT NULL")
    op.create_index(
        "ix_predictions_subject", "predictions", ["subject"], sqlite_where=has_subject, postgresql_where=has_subject
    )
    if not is_file:
        op.execute(_DEFAULT_PARTITION)


def _create_outcomes() -> None:
    op.create_table(
        "outcomes",
        seq_column(),
        word_column("prediction_id", 36),
        big_column("received_at"),
        name_column("outcome"),
        name_column("source"),
        name_column("caller", server_default=""),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_outcomes")),
        comment="Ground truth; it may arrive late, twice, or never. The latest one counts.",
    )
    op.create_index(op.f("ix_outcomes_prediction_id"), "outcomes", ["prediction_id"], unique=False)


def _create_idempotent_responses() -> None:
    op.create_table(
        "idempotent_responses",
        name_column("idempotency_key"),
        big_column("created_at"),
        word_column("request_digest", 64),
        text_column("response"),
        name_column("subject", nullable=True),
        sa.PrimaryKeyConstraint("idempotency_key", name=op.f("pk_idempotent_responses")),
        comment="Responses to requests with an idempotency key, for retries.",
    )
    op.create_index(op.f("ix_idempotent_responses_created_at"), "idempotent_responses", ["created_at"], unique=False)


def _create_serving_events() -> None:
    op.create_table(
        "serving_events",
        seq_column(),
        big_column("recorded_at"),
        name_column("model"),
        word_column("kind", 40),
        integer_column("version", nullable=True),
        word_column("digest", 64, nullable=True),
        big_column("generation", nullable=True),
        text_column("message"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_serving_events")),
        comment="Model changes of servers: activated, refused, fell back, stopped.",
    )
    op.create_index(op.f("ix_serving_events_model_kind"), "serving_events", ["model", "kind"], unique=False)


def _create_api_keys() -> None:
    op.create_table(
        "api_keys",
        word_column("id", 36),
        word_column("digest", 64),
        word_column("role", 20),
        name_column("name"),
        big_column("created_at"),
        big_column("expires_at", nullable=True),
        big_column("last_used_at", nullable=True),
        big_column("revoked_at", nullable=True),
        sa.CheckConstraint(
            "role IN ('predict', 'feedback', 'viewer', 'operator', 'admin')", name=op.f("ck_api_keys_role")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_keys_digest")),
        comment="API keys; a key is shown once and stored as its SHA-256.",
    )


def _create_incidents() -> None:
    op.create_table(
        "incidents",
        seq_column(),
        name_column("group_name"),
        name_column("model"),
        text_column("rules"),
        word_column("severity", 20),
        word_column("status", 20),
        text_column("title"),
        text_column("message"),
        text_column("details"),
        big_column("opened_at"),
        big_column("last_seen_at"),
        integer_column("n_occurrences"),
        big_column("notified_at", nullable=True),
        big_column("acknowledged_at", nullable=True),
        name_column("acknowledged_by", nullable=True),
        big_column("resolved_at", nullable=True),
        name_column("resolved_by", nullable=True),
        sa.CheckConstraint("severity IN ('info', 'warning', 'critical')", name=op.f("ck_incidents_severity")),
        sa.CheckConstraint("status IN ('open', 'acknowledged', 'resolved')", name=op.f("ck_incidents_status")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_incidents")),
        comment="Incidents of alert rules, from opening to resolution.",
    )
    op.create_index(op.f("ix_incidents_group_name"), "incidents", ["group_name"], unique=False)


def _create_alert_deliveries() -> None:
    op.create_table(
        "alert_deliveries",
        seq_column(),
        big_column("incident_seq"),
        name_column("receiver"),
        word_column("key", 64),
        text_column("payload"),
        big_column("created_at"),
        big_column("due_at"),
        big_column("claimed_until"),
        integer_column("attempts"),
        text_column("error", nullable=True),
        big_column("done_at", nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_alert_deliveries")),
        sa.UniqueConstraint("key", name=op.f("uq_alert_deliveries_key")),
        comment="Notifications to receivers, in the order of their creation; each is sent at least once.",
    )
    is_pending = sa.text("done_at IS NULL")
    op.create_index(
        "ix_alert_deliveries_due_at",
        "alert_deliveries",
        ["due_at"],
        sqlite_where=is_pending,
        postgresql_where=is_pending,
    )


def _create_alert_silences() -> None:
    op.create_table(
        "alert_silences",
        seq_column(),
        name_column("model"),
        name_column("group_name", nullable=True),
        big_column("created_at"),
        big_column("until"),
        name_column("actor"),
        text_column("reason"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_alert_silences")),
        comment="Silences: who silenced which incident group (null: all of a model), and until when.",
    )


def _create_monitor_runs() -> None:
    op.create_table(
        "monitor_runs",
        seq_column(),
        name_column("model"),
        integer_column("version", nullable=True),
        big_column("recorded_at"),
        big_column("since"),
        big_column("until"),
        word_column("verdict", 20),
        word_column("severity", 20, nullable=True),
        text_column("summary"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_monitor_runs")),
        comment="Monitor runs with a summary of their reports.",
    )
    op.create_index(op.f("ix_monitor_runs_model_seq"), "monitor_runs", ["model", "seq"], unique=False)


def _create_rollups() -> None:
    op.create_table(
        "rollups",
        name_column("model"),
        word_column("section", 20),
        word_column("granularity", 10),
        big_column("bucket_start", autoincrement=False),
        word_column("digest", 64),
        name_column("source"),
        float_column("weight", autoincrement=False),
        big_column("n_rows"),
        float_column("confidence_sum"),
        sa.Column("counts", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint(
            "model", "section", "granularity", "bucket_start", "digest", "source", "weight", name=op.f("pk_rollups")
        ),
        comment="Bin counts of logged rows of one weight, per hour and per day; any window is a sum of these.",
    )
