"""The first schema: all tables. The audit table is append-only; on PostgreSQL the prediction log is partitioned."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

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


def _name(name: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length=200), nullable=options.pop("nullable", False), **options)


def _word(name: str, length: int, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length=length), nullable=options.pop("nullable", False), **options)


def _text(name: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=options.pop("nullable", False), **options)


def _big(name: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=options.pop("nullable", False), **options)


def _integer(name: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), nullable=options.pop("nullable", False), **options)


def _float(name: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.Float(), nullable=False, **options)


def _seq() -> sa.Column[Any]:
    return _big("seq", autoincrement=False)


def _create_counters() -> None:
    op.create_table(
        "counters",
        _name("name"),
        _big("value"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counters")),
        comment="The last number of each gap-free sequence.",
    )


def _create_models() -> None:
    op.create_table(
        "models",
        _name("name"),
        _big("generation"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_models")),
        comment="One row per model; its generation grows by one with every deployment decision.",
    )


def _create_versions() -> None:
    op.create_table(
        "versions",
        _name("model"),
        _integer("version", autoincrement=False),
        _word("digest", 64),
        _word("semver", 40),
        _word("stage", 20),
        _text("description"),
        _text("tags"),
        _big("registered_at"),
        sa.CheckConstraint("stage IN ('None', 'Staging', 'Production', 'Archived')", name=op.f("ck_versions_stage")),
        sa.ForeignKeyConstraint(["model"], ["models.name"], name=op.f("fk_versions_models")),
        sa.PrimaryKeyConstraint("model", "version", name=op.f("pk_versions")),
        sa.UniqueConstraint("model", "digest", name=op.f("uq_versions_model_digest")),
        comment="Registered packages; the digest identifies the content, equal content is the same version.",
    )


def _create_deployments() -> None:
    op.create_table(
        "deployments",
        _name("model"),
        _word("stage", 20),
        _integer("version"),
        _word("digest", 64),
        _big("generation"),
        _big("deployed_at"),
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
        _seq(),
        _word("kind", 40),
        _text("payload"),
        _big("created_at"),
        _integer("attempts"),
        _text("error", nullable=True),
        _big("done_at", nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_mlflow_outbox")),
        comment="Updates pending for MLflow, in the order of the decisions.",
    )


def _create_audit(*, is_file: bool) -> None:
    op.create_table(
        "audit",
        _seq(),
        _big("recorded_at"),
        _name("actor"),
        _word("action", 40),
        _name("model"),
        _integer("version", nullable=True),
        _big("generation", nullable=True),
        _text("before"),
        _text("after"),
        _text("reason"),
        _text("evidence"),
        _word("previous", 64),
        _word("hash", 64),
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
        _seq(),
        _word("prediction_id", 36),
        _big("predicted_at"),
        _name("model"),
        _integer("version"),
        _word("digest", 64),
        _big("generation"),
        _text("features"),
        _name("prediction"),
        _text("probabilities"),
        _float("confidence", server_default="0"),
        _word("served_by", 20, server_default="production"),
        _name("source", server_default="api"),
        _big("latency_us", server_default="0"),
        _float("weight", server_default="1"),
        _name("idempotency_key", nullable=True),
        _name("subject", nullable=True),
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
        _seq(),
        _word("prediction_id", 36),
        _big("received_at"),
        _name("outcome"),
        _name("source"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_outcomes")),
        comment="Ground truth; it may arrive late, twice, or never. The latest one counts.",
    )
    op.create_index(op.f("ix_outcomes_prediction_id"), "outcomes", ["prediction_id"], unique=False)


def _create_idempotent_responses() -> None:
    op.create_table(
        "idempotent_responses",
        _name("idempotency_key"),
        _big("created_at"),
        _word("request_digest", 64),
        _text("response"),
        _name("subject", nullable=True),
        sa.PrimaryKeyConstraint("idempotency_key", name=op.f("pk_idempotent_responses")),
        comment="Responses to requests with an idempotency key, for retries.",
    )
    op.create_index(op.f("ix_idempotent_responses_created_at"), "idempotent_responses", ["created_at"], unique=False)


def _create_serving_events() -> None:
    op.create_table(
        "serving_events",
        _seq(),
        _big("recorded_at"),
        _name("model"),
        _word("kind", 40),
        _integer("version", nullable=True),
        _word("digest", 64, nullable=True),
        _big("generation", nullable=True),
        _text("message"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_serving_events")),
        comment="Model changes of servers: activated, refused, fell back, stopped.",
    )
    op.create_index(op.f("ix_serving_events_model_kind"), "serving_events", ["model", "kind"], unique=False)


def _create_api_keys() -> None:
    op.create_table(
        "api_keys",
        _word("id", 36),
        _word("digest", 64),
        _word("role", 20),
        _name("name"),
        _big("created_at"),
        _big("expires_at", nullable=True),
        _big("last_used_at", nullable=True),
        _big("revoked_at", nullable=True),
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
        _seq(),
        _name("group_name"),
        _name("model"),
        _text("rules"),
        _word("severity", 20),
        _word("status", 20),
        _text("title"),
        _text("message"),
        _text("details"),
        _big("opened_at"),
        _big("last_seen_at"),
        _integer("n_occurrences"),
        _big("notified_at", nullable=True),
        _big("acknowledged_at", nullable=True),
        _name("acknowledged_by", nullable=True),
        _big("resolved_at", nullable=True),
        _name("resolved_by", nullable=True),
        sa.CheckConstraint("severity IN ('info', 'warning', 'critical')", name=op.f("ck_incidents_severity")),
        sa.CheckConstraint("status IN ('open', 'acknowledged', 'resolved')", name=op.f("ck_incidents_status")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_incidents")),
        comment="Incidents of alert rules, from opening to resolution.",
    )
    op.create_index(op.f("ix_incidents_group_name"), "incidents", ["group_name"], unique=False)


def _create_alert_deliveries() -> None:
    op.create_table(
        "alert_deliveries",
        _seq(),
        _big("incident_seq"),
        _name("receiver"),
        _word("key", 64),
        _text("payload"),
        _big("created_at"),
        _big("due_at"),
        _big("claimed_until"),
        _integer("attempts"),
        _text("error", nullable=True),
        _big("done_at", nullable=True),
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
        _seq(),
        _name("model"),
        _name("group_name", nullable=True),
        _big("created_at"),
        _big("until"),
        _name("actor"),
        _text("reason"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_alert_silences")),
        comment="Silences: who silenced which incident group (null: all of a model), and until when.",
    )


def _create_monitor_runs() -> None:
    op.create_table(
        "monitor_runs",
        _seq(),
        _name("model"),
        _integer("version", nullable=True),
        _big("recorded_at"),
        _big("since"),
        _big("until"),
        _word("verdict", 20),
        _word("severity", 20, nullable=True),
        _text("summary"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_monitor_runs")),
        comment="Monitor runs with a summary of their reports.",
    )
    op.create_index(op.f("ix_monitor_runs_model_seq"), "monitor_runs", ["model", "seq"], unique=False)


def _create_rollups() -> None:
    op.create_table(
        "rollups",
        _name("model"),
        _word("section", 20),
        _word("granularity", 10),
        _big("bucket_start", autoincrement=False),
        _word("digest", 64),
        _name("source"),
        _float("weight", autoincrement=False),
        _big("n_rows"),
        _float("confidence_sum"),
        sa.Column("counts", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint(
            "model", "section", "granularity", "bucket_start", "digest", "source", "weight", name=op.f("pk_rollups")
        ),
        comment="Bin counts of logged rows of one weight, per hour and per day; any window is a sum of these.",
    )
