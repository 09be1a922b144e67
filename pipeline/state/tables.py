"""The tables of the state database; docs/state.md describes them for readers from outside.

Moments are UTC in microseconds since 1970. Columns called `seq` count 1, 2, 3 ... without a gap in the order
in which rows were committed. JSON columns hold text in canonical form.

Conditions of indices are said for SQLite alone, as an option for PostgreSQL would load its dialect into every process;
the migrations say them for both.
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
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

__all__ = [
    "METADATA",
    "alert_deliveries",
    "alert_silences",
    "alerts",
    "answers",
    "api_keys",
    "audit",
    "counters",
    "deployments",
    "models",
    "monitor_runs",
    "outbox",
    "outcomes",
    "predictions",
    "rollups",
    "serving_events",
    "versions",
]

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

_DIGEST = String(64)
_NAME = String(200)

counters = Table(
    "counters",
    METADATA,
    Column("name", _NAME, primary_key=True),
    Column("value", BigInteger, nullable=False),
    comment="The last number given out of each gap-free sequence.",
)

models = Table(
    "models",
    METADATA,
    Column("name", _NAME, primary_key=True),
    Column("generation", BigInteger, nullable=False),
    comment="One row for each model; its generation grows by one with every decision about what serves.",
)

versions = Table(
    "versions",
    METADATA,
    Column("model", _NAME, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("digest", _DIGEST, nullable=False),
    Column("semver", String(40), nullable=False),
    Column("stage", String(20), nullable=False),
    Column("description", Text, nullable=False),
    Column("tags", Text, nullable=False),
    Column("registered_at", BigInteger, nullable=False),
    UniqueConstraint("model", "digest"),
    CheckConstraint("stage IN ('None', 'Staging', 'Production', 'Archived')", name="stage"),
    ForeignKeyConstraint(["model"], ["models.name"]),
    comment="Registered packages; the digest names the content, equal content is the same version.",
)

deployments = Table(
    "deployments",
    METADATA,
    Column("model", _NAME, primary_key=True),
    Column("stage", String(20), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("digest", _DIGEST, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    CheckConstraint("stage IN ('Staging', 'Production')", name="stage"),
    ForeignKeyConstraint(["model", "version"], ["versions.model", "versions.version"]),
    comment="What serves now: at most one version for each stage of a model.",
)

audit = Table(
    "audit",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", _NAME, nullable=False),
    Column("action", String(40), nullable=False),
    Column("model", _NAME, nullable=False),
    Column("version", Integer),
    Column("generation", BigInteger),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("previous", _DIGEST, nullable=False),
    Column("hash", _DIGEST, nullable=False),
    comment="Who decided what, when and why; rows are only ever added, each with the hash of the one before.",
)

outbox = Table(
    "outbox",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(40), nullable=False),
    Column("payload", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", Text),
    Column("done_at", BigInteger),
    comment="What MLflow has still to be told, in the order in which it was decided.",
)

predictions = Table(
    "predictions",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("prediction_id", String(36), nullable=False, unique=True),
    Column("at", BigInteger, nullable=False),
    Column("model", _NAME, nullable=False),
    Column("version", Integer, nullable=False),
    Column("digest", _DIGEST, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("features", Text, nullable=False),
    Column("prediction", _NAME, nullable=False),
    Column("probabilities", Text, nullable=False),
    Column("confidence", Float, nullable=False, server_default="0"),
    Column("served_by", String(20), nullable=False, server_default="champion"),
    Column("variant", _NAME, nullable=False, server_default="champion"),
    Column("latency_us", BigInteger, nullable=False, server_default="0"),
    Column("weight", Float, nullable=False, server_default="1"),
    Column("idempotency_key", _NAME),
    Column("subject", _NAME),
    Index(None, "model", "at"),
    Index("ix_predictions_subject", "subject", sqlite_where=text("subject IS NOT NULL")),
    comment="Every answer that was given, with what it was given for.",
)

answers = Table(
    "answers",
    METADATA,
    Column("idempotency_key", _NAME, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("request", _DIGEST, nullable=False),
    Column("answer", Text, nullable=False),
    Column("subject", _NAME),
    Index(None, "at"),
    comment="What a request with an idempotency key was answered, for its retries.",
)

serving_events = Table(
    "serving_events",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("model", _NAME, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("version", Integer),
    Column("digest", _DIGEST),
    Column("generation", BigInteger),
    Column("message", Text, nullable=False),
    Index(None, "model", "kind"),
    comment="What servers did about the model: activated, refused, fell back, recovered.",
)

api_keys = Table(
    "api_keys",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("digest", _DIGEST, nullable=False, unique=True),
    Column("role", String(20), nullable=False),
    Column("name", _NAME, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("last_used_at", BigInteger),
    Column("revoked_at", BigInteger),
    CheckConstraint("role IN ('predict', 'feedback', 'viewer', 'operator', 'admin')", name="role"),
    comment="Who may call the API; a key is shown once and kept as its SHA-256.",
)

outcomes = Table(
    "outcomes",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("prediction_id", String(36), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("outcome", _NAME, nullable=False),
    Column("source", _NAME, nullable=False),
    Index(None, "prediction_id"),
    comment="What was true in the end; it may arrive late, twice, or never. The last one counts.",
)

alerts = Table(
    "alerts",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("incident", _NAME, nullable=False),
    Column("model", _NAME, nullable=False),
    Column("rules", Text, nullable=False),
    Column("severity", String(20), nullable=False),
    Column("status", String(20), nullable=False),
    Column("title", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("details", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("n_times", Integer, nullable=False),
    Column("told_at", BigInteger),
    Column("acknowledged_at", BigInteger),
    Column("acknowledged_by", _NAME),
    Column("resolved_at", BigInteger),
    Column("resolved_by", _NAME),
    CheckConstraint("severity IN ('info', 'warning', 'critical')", name="severity"),
    CheckConstraint("status IN ('open', 'acknowledged', 'resolved')", name="status"),
    Index(None, "incident"),
    comment="Incidents: what somebody has to know, from its first sight to its end.",
)

alert_deliveries = Table(
    "alert_deliveries",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("alert", BigInteger, nullable=False),
    Column("sink", _NAME, nullable=False),
    Column("key", _DIGEST, nullable=False, unique=True),
    Column("payload", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("claimed_until", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", Text),
    Column("done_at", BigInteger),
    Index("ix_alert_deliveries_due_at", "due_at", sqlite_where=text("done_at IS NULL")),
    comment="Messages to receivers, in the order in which they were written; each leaves at least once.",
)

alert_silences = Table(
    "alert_silences",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("model", _NAME, nullable=False),
    Column("incident", _NAME),
    Column("at", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("actor", _NAME, nullable=False),
    Column("reason", Text, nullable=False),
    comment="Who asked for quiet, about what (all of a model where no incident is named), and until when.",
)

monitor_runs = Table(
    "monitor_runs",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("model", _NAME, nullable=False),
    Column("version", Integer),
    Column("at", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("verdict", String(20), nullable=False),
    Column("severity", String(20)),
    Column("figures", Text, nullable=False),
    Index(None, "model", "seq"),
    comment="What each run of the monitor found, as figures.",
)

rollups = Table(
    "rollups",
    METADATA,
    Column("model", _NAME, primary_key=True),
    Column("part", String(20), primary_key=True),
    Column("span", String(10), primary_key=True),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", _DIGEST, primary_key=True),
    Column("variant", _NAME, primary_key=True),
    Column("weight", Float, primary_key=True, autoincrement=False),
    Column("n_rows", BigInteger, nullable=False),
    Column("total", Float, nullable=False),
    Column("counts", LargeBinary, nullable=False),
    comment="Rows of one weight by bin of the package's reference, by hour and by day: any window is a sum of these.",
)
