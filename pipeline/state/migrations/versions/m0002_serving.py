"""What serving keeps: more about each prediction, stored answers, events, keys of callers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["upgrade"]

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Widen predictions, and make the tables of the serving process."""
    _predictions()
    _answers()
    _events()
    _keys()


def _predictions() -> None:
    for column in (
        sa.Column("confidence", sa.Float(), nullable=False, server_default="0"),
        sa.Column("served_by", sa.String(length=20), nullable=False, server_default="champion"),
        sa.Column("variant", sa.String(length=200), nullable=False, server_default="champion"),
        sa.Column("latency_us", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("weight", sa.Float(), nullable=False, server_default="1"),
        sa.Column("idempotency_key", sa.String(length=200), nullable=True),
        sa.Column("subject", sa.String(length=200), nullable=True),
    ):
        op.add_column("predictions", column)
    present = sa.text("subject IS NOT NULL")
    op.create_index(
        "ix_predictions_subject", "predictions", ["subject"], sqlite_where=present, postgresql_where=present
    )


def _answers() -> None:
    op.create_table(
        "answers",
        sa.Column("idempotency_key", sa.String(length=200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("request", sa.String(length=64), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("idempotency_key", name=op.f("pk_answers")),
        comment="What a request with an idempotency key was answered, for its retries.",
    )
    op.create_index(op.f("ix_answers_at"), "answers", ["at"], unique=False)


def _events() -> None:
    op.create_table(
        "serving_events",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("generation", sa.BigInteger(), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_serving_events")),
        comment="What servers did about the model: activated, refused, fell back, recovered.",
    )
    op.create_index(op.f("ix_serving_events_model_kind"), "serving_events", ["model", "kind"], unique=False)


def _keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "role IN ('predict', 'feedback', 'viewer', 'operator', 'admin')", name=op.f("ck_api_keys_role")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_keys_digest")),
        comment="Who may call the API; a key is shown once and kept as its SHA-256.",
    )
