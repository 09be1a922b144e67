"""The tables of the state database; docs/reference/state.md describes them for readers from outside.

Moments are UTC in microseconds since 1970. Columns called `seq` count 1, 2, 3 ... without a gap in the order
in which rows were committed. JSON columns hold text in canonical form.

Conditions of indexes are declared for SQLite alone: an option for PostgreSQL would load its dialect into every
process. The migrations declare them for both.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from pipeline.state.loop_tables import (
    importances,
    leases,
    loop_runs,
    retrains,
    shadow_predictions,
    trial_servers,
    trial_traffic,
    trial_units,
    trials,
)
from pipeline.state.stream_tables import stream_consumers, stream_offsets, stream_partitions
from pipeline.state.sweep_tables import sweep_trials, sweeps
from pipeline.state.table_base import DIGEST, METADATA, NAME

__all__ = [
    "METADATA",
    "alert_deliveries",
    "alert_silences",
    "api_keys",
    "audit",
    "counters",
    "deployments",
    "idempotent_responses",
    "importances",
    "incidents",
    "leases",
    "loop_runs",
    "mlflow_outbox",
    "models",
    "monitor_runs",
    "outcomes",
    "predictions",
    "retrains",
    "rollups",
    "serving_events",
    "shadow_predictions",
    "stream_consumers",
    "stream_offsets",
    "stream_partitions",
    "sweep_trials",
    "sweeps",
    "trial_servers",
    "trial_traffic",
    "trial_units",
    "trials",
    "versions",
]

counters = Table(
    "counters",
    METADATA,
    Column("name", NAME, primary_key=True),
    Column("value", BigInteger, nullable=False),
    comment="The last number of each gap-free sequence.",
)

models = Table(
    "models",
    METADATA,
    Column("name", NAME, primary_key=True),
    Column("generation", BigInteger, nullable=False),
    comment="One row per model; its generation grows by one with every decision about a deployment or a trial.",
)

versions = Table(
    "versions",
    METADATA,
    Column("model", NAME, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("digest", DIGEST, nullable=False),
    Column("semver", String(40), nullable=False),
    Column("stage", String(20), nullable=False),
    Column("description", Text, nullable=False),
    Column("tags", Text, nullable=False),
    Column("registered_at", BigInteger, nullable=False),
    UniqueConstraint("model", "digest"),
    CheckConstraint("stage IN ('None', 'Staging', 'Production', 'Archived')", name="stage"),
    ForeignKeyConstraint(["model"], ["models.name"]),
    comment="Registered packages; the digest identifies the content, equal content is the same version.",
)

deployments = Table(
    "deployments",
    METADATA,
    Column("model", NAME, primary_key=True),
    Column("stage", String(20), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("digest", DIGEST, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("deployed_at", BigInteger, nullable=False),
    CheckConstraint("stage IN ('Staging', 'Production')", name="stage"),
    ForeignKeyConstraint(["model", "version"], ["versions.model", "versions.version"]),
    comment="Current deployments: at most one version per stage of a model.",
)

audit = Table(
    "audit",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("actor", NAME, nullable=False),
    Column("action", String(40), nullable=False),
    Column("model", NAME, nullable=False),
    Column("version", Integer),
    Column("generation", BigInteger),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("previous", DIGEST, nullable=False),
    Column("hash", DIGEST, nullable=False),
    comment="Who decided what, when and why; append-only, each row holds the hash of the row before.",
)

mlflow_outbox = Table(
    "mlflow_outbox",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(40), nullable=False),
    Column("payload", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", Text),
    Column("done_at", BigInteger),
    comment="Updates pending for MLflow, in the order of the decisions.",
)

predictions = Table(
    "predictions",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("prediction_id", String(36), nullable=False, unique=True),
    Column("predicted_at", BigInteger, nullable=False),
    Column("model", NAME, nullable=False),
    Column("version", Integer, nullable=False),
    Column("digest", DIGEST, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("features", Text, nullable=False),
    Column("prediction", NAME, nullable=False),
    Column("probabilities", Text, nullable=False),
    Column("confidence", Float, nullable=False, server_default="0"),
    Column("served_by", String(20), nullable=False, server_default="production"),
    Column("variant", String(20), nullable=False, server_default="champion"),
    Column("source", NAME, nullable=False, server_default="api"),
    Column("latency_us", BigInteger, nullable=False, server_default="0"),
    Column("weight", Float, nullable=False, server_default="1"),
    Column("idempotency_key", NAME),
    Column("subject", NAME),
    Index(None, "model", "predicted_at"),
    Index("ix_predictions_subject", "subject", sqlite_where=text("subject IS NOT NULL")),
    comment="The prediction log: every prediction with its features.",
)

idempotent_responses = Table(
    "idempotent_responses",
    METADATA,
    Column("idempotency_key", NAME, primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    Column("request_digest", DIGEST, nullable=False),
    Column("response", Text, nullable=False),
    Column("subject", NAME),
    Index(None, "created_at"),
    comment="Responses to requests with an idempotency key, for retries.",
)

serving_events = Table(
    "serving_events",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("model", NAME, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("version", Integer),
    Column("digest", DIGEST),
    Column("generation", BigInteger),
    Column("message", Text, nullable=False),
    Index(None, "model", "kind"),
    comment="Model changes of servers: activated, refused, fell back, stopped.",
)

api_keys = Table(
    "api_keys",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("digest", DIGEST, nullable=False, unique=True),
    Column("role", String(20), nullable=False),
    Column("name", NAME, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("last_used_at", BigInteger),
    Column("revoked_at", BigInteger),
    CheckConstraint("role IN ('predict', 'feedback', 'viewer', 'operator', 'admin')", name="role"),
    comment="API keys; a key is shown once and stored as its SHA-256.",
)

outcomes = Table(
    "outcomes",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("prediction_id", String(36), nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("outcome", NAME, nullable=False),
    Column("source", NAME, nullable=False),
    Column("caller", NAME, nullable=False, server_default=""),
    Index(None, "prediction_id"),
    comment="Ground truth; it may arrive late, twice, or never. The latest one counts.",
)

incidents = Table(
    "incidents",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("group_name", NAME, nullable=False),
    Column("model", NAME, nullable=False),
    Column("rules", Text, nullable=False),
    Column("severity", String(20), nullable=False),
    Column("status", String(20), nullable=False),
    Column("title", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("details", Text, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("last_seen_at", BigInteger, nullable=False),
    Column("n_occurrences", Integer, nullable=False),
    Column("notified_at", BigInteger),
    Column("acknowledged_at", BigInteger),
    Column("acknowledged_by", NAME),
    Column("resolved_at", BigInteger),
    Column("resolved_by", NAME),
    CheckConstraint("severity IN ('info', 'warning', 'critical')", name="severity"),
    CheckConstraint("status IN ('open', 'acknowledged', 'resolved')", name="status"),
    Index(None, "group_name"),
    comment="Incidents of alert rules, from opening to resolution.",
)

alert_deliveries = Table(
    "alert_deliveries",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("incident_seq", BigInteger, nullable=False),
    Column("receiver", NAME, nullable=False),
    Column("key", DIGEST, nullable=False, unique=True),
    Column("payload", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("claimed_until", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", Text),
    Column("done_at", BigInteger),
    Index("ix_alert_deliveries_due_at", "due_at", sqlite_where=text("done_at IS NULL")),
    comment="Notifications to receivers, in the order of their creation; each is sent at least once.",
)

alert_silences = Table(
    "alert_silences",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("model", NAME, nullable=False),
    Column("group_name", NAME),
    Column("created_at", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("actor", NAME, nullable=False),
    Column("reason", Text, nullable=False),
    comment="Silences: who silenced which incident group (null: all of a model), and until when.",
)

monitor_runs = Table(
    "monitor_runs",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("model", NAME, nullable=False),
    Column("version", Integer),
    Column("recorded_at", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("verdict", String(20), nullable=False),
    Column("severity", String(20)),
    Column("summary", Text, nullable=False),
    Index(None, "model", "seq"),
    comment="Monitor runs with a summary of their reports.",
)

rollups = Table(
    "rollups",
    METADATA,
    Column("model", NAME, primary_key=True),
    Column("section", String(20), primary_key=True),
    Column("granularity", String(10), primary_key=True),
    Column("bucket_start", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", DIGEST, primary_key=True),
    Column("source", NAME, primary_key=True),
    Column("weight", Float, primary_key=True, autoincrement=False),
    Column("n_rows", BigInteger, nullable=False),
    Column("confidence_sum", Float, nullable=False),
    Column("counts", LargeBinary, nullable=False),
    comment="Bin counts of logged rows of one weight, per hour and per day; any window is a sum of these.",
)
