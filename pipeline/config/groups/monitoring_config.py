"""Groups that speak of what is live: promotion, monitoring, drift, alerts, serving, tracking."""

from __future__ import annotations

from typing import Literal

from pipeline.config.groups.alerts_config import AlertsConfig, Severity
from pipeline.config.groups.http import HttpLimitsConfig, OidcConfig
from pipeline.config.groups.section import Positive, Section, Share, setting
from pipeline.config.groups.serving_config import EngineConfig, PredictionLogConfig

__all__ = [
    "AlertsConfig",
    "CategoricalDriftConfig",
    "DriftConfig",
    "MonitoringConfig",
    "MultivariateDriftConfig",
    "NumericDriftConfig",
    "PromotionConfig",
    "ServingConfig",
    "SliceGateConfig",
    "TrackingConfig",
]


class TrackingConfig(Section):
    """Where runs are recorded."""

    experiment: str = setting("Name of the MLflow experiment", min_length=1)
    uri_env: str = setting("Environment variable with the address of a server; the SQLite store when it is unset")
    timeout_s: Positive = setting("How long a server may take before work goes on without it", unit="s")
    fail_fast: bool = setting("Whether a sweep ends with its first failing configuration")


class SliceGateConfig(Section):
    """How much worse than the champion a part of the rows may become."""

    metric: str = setting("Member of the metric table")
    max_worsening: float = setting("Largest worsening of a slice", unit="unit of the metric", ge=0)


class PromotionConfig(Section):
    """What a candidate must show, and what becomes of one that passes."""

    policy: Literal["manual", "staging", "production"] = setting("Where a passing candidate goes by itself")
    register_experiments: bool = setting("Whether `dvc exp run` registers its candidate")
    metric: str = setting("Member of the metric table by which candidate and champion are compared")
    test: Literal["superiority", "non_inferiority"] = setting(
        "Better beyond chance, or not worse by more than the margin"
    )
    margin: float = setting("Margin of non-inferiority", unit="unit of the metric", ge=0)
    confidence_level: float = setting("Level of the intervals", gt=0.5, lt=1)
    bootstrap_samples: int = setting("Paired bootstrap resamples", unit="resamples", ge=100, le=100_000)
    baselines: tuple[Literal["majority", "depth_2_tree"], ...] = setting("Baselines to be better than")
    metric_limits: dict[str, float] = setting("Worst accepted figure on the test rows, by metric")
    slices: SliceGateConfig
    max_latency_ms: float = setting("Longest time for one row", unit="ms", gt=0)
    max_size_mb: float = setting("Largest package", unit="MB", gt=0)
    require_onnx: bool = setting("Whether a package without an ONNX form is refused")
    allow_schema_break: bool = setting("Whether the columns may change in a way that breaks callers")


class MonitoringConfig(Section):
    """Which window is judged."""

    window_hours: Positive = setting("Length of the window", unit="h")
    label_delay_hours: float = setting("How late outcomes may come; until then figures are provisional", unit="h", ge=0)
    min_rows: Positive = setting("Fewer rows: not enough data, which is not the same as no drift", unit="rows")
    confidence_level: float = setting("Level of the intervals of performance", gt=0.5, lt=1)
    exit_code: int = setting("Exit code of the stage when a rule of `exit_severity` spoke; 0 goes on", ge=0, le=125)
    exit_severity: Severity = setting("Least severity at which the stage ends with that code")
    interval_minutes: float = setting("How often the stage looks again; 0 for once", unit="min", ge=0, le=1440)
    baseline: Literal["training", "previous_window"] = setting(
        "What drift is measured from: the training rows, or the window of the same length before"
    )
    mlflow_runs: Literal["all", "findings", "none"] = setting("Which runs of the monitor MLflow shows")
    bootstrap_samples: int = setting("Draws from which those intervals are taken", unit="draws", ge=100, le=10_000)


class NumericDriftConfig(Section):
    """Limits for numbers."""

    wasserstein: float = setting("Wasserstein distance", unit="reference standard deviations", gt=0)
    missing: Share = setting("Change of the share of missing values")


class CategoricalDriftConfig(Section):
    """Limits for words, where missing is one of them."""

    jensen_shannon: float = setting("Jensen-Shannon distance, base 2", gt=0, le=1)


class MultivariateDriftConfig(Section):
    """When a model that tells live rows from training rows is right too often."""

    auc: float = setting("Area under the ROC curve, out of fold; 0.5 is guessing", gt=0.5, lt=1)
    max_rows: int = setting("Rows of each side that it looks at", unit="rows", ge=200)


class DriftConfig(Section):
    """How far a live window may move from the reference before we speak up."""

    alpha: float = setting("Chance of a false alarm over all columns together", gt=0, lt=0.5)
    consecutive_windows: int = setting(
        "Windows in a row that must show it; before that it is watched", unit="windows", ge=1, le=100
    )
    numeric: NumericDriftConfig
    categorical: CategoricalDriftConfig
    multivariate: MultivariateDriftConfig


class ServingConfig(Section):
    """Where the HTTP API listens."""

    host: str = setting("Address to bind; anything but loopback needs authentication", min_length=1)
    port: int = setting("Port to bind", ge=1, le=65535)
    authentication: Literal["none", "required"] = setting("Whether callers need an API key or a token")
    allowed_hosts: tuple[str, ...] = setting(
        "Names that the server answers to besides its address; empty with credentials: all"
    )
    log_requests: Literal["errors", "all"] = setting("Which requests get a line in the log; slow ones always do")
    trace_sample_rate: Share = setting(
        "Requests without a trace of their caller that get one, where traces are asked for"
    )
    limits: HttpLimitsConfig
    oidc: OidcConfig
    engine: EngineConfig
    log: PredictionLogConfig
