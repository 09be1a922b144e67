"""Sections of group `serving` about the engine: what it follows, how much it takes, how it logs."""

from __future__ import annotations

from typing import Literal

from pipeline.config.groups.section import Positive, Section, Share, setting

__all__ = ["EngineConfig", "PredictionLogConfig"]


class EngineConfig(Section):
    """How the engine follows what serves, and how much it takes at once."""

    poll_interval_s: float = setting("Time between two looks at the state database", unit="s", gt=0, le=60)
    max_rows: Positive = setting("Rows that one request may hold", unit="rows")
    missing_share_warning: Share = setting("Share of missing values of a row from which an answer says so")
    prediction_cache_rows: int = setting("Answers kept for rows that come again; 0 keeps none", unit="rows", ge=0)
    fallback_to_last_good: bool = setting(
        "Whether a start falls back to the version that served before, when the newest is damaged"
    )
    fallback_to_rule: bool = setting(
        "Whether the package's rule of two questions answers when no model can be loaded; answers say so"
    )


class PredictionLogConfig(Section):
    """How answers are kept: an answer is given when its row is committed and synced."""

    mode: Literal["durable", "none"] = setting("Whether answers are logged at all")
    on_log_failure: Literal["reject", "serve_unlogged"] = setting("What becomes of requests that cannot be logged")
    max_queue_rows: Positive = setting("Rows that may wait to be logged; more are turned away", unit="rows")
    sample_rate: float = setting("Share of requests whose rows are kept, each with its weight", gt=0, le=1)
    retention_days: Positive = setting("Age from which rows are removed", unit="d")
    partition_days: Positive = setting(
        "Time that one partition of the log holds on PostgreSQL; it goes as a whole, up to so much later", unit="d"
    )
    idempotency_hours: Positive = setting("How long a retry with an idempotency key gets the stored answer", unit="h")
