"""Group `monitoring`: which window of the prediction log is evaluated, and how often."""

from __future__ import annotations

from typing import Literal

from pipeline.config.groups.alerts_config import Severity
from pipeline.config.groups.section import Positive, Section, Share, setting

__all__ = ["ImportanceConfig", "MonitoringConfig", "PredictionSource"]

# Where a logged prediction comes from: the HTTP API, the app, a scored file, a call of the library, or a stream.
PredictionSource = Literal["api", "app", "file", "library", "stream"]


class ImportanceConfig(Section):
    """How importance on labeled rows is measured, and when it counts as changed."""

    max_rows: Positive = setting("Most labeled rows of a window; more are sampled", unit="rows")
    n_redraws: Positive = setting("How often each row gets another row's value of a feature")
    alpha: float = setting("Chance of a change where there is none, over all features", gt=0, lt=0.5)
    min_share_change: Share = setting("Smallest change of a feature's share of the importance that counts")


class MonitoringConfig(Section):
    """Which window is evaluated, and how often."""

    window_hours: Positive = setting("Length of the window", unit="h")
    sources: tuple[PredictionSource, ...] = setting(
        "Sources of logged predictions that monitoring counts; the others stay in the log", min_length=1
    )
    label_delay_hours: float = setting(
        "How late outcomes may arrive; metrics are provisional until then", unit="h", ge=0
    )
    min_rows: Positive = setting("Fewer rows give the verdict `not_enough_data`", unit="rows")
    confidence_level: float = setting("Level of the intervals of performance metrics", gt=0.5, lt=1)
    exit_code: int = setting(
        "Exit code of the stage when a rule of `exit_severity` fires; 0: always success", ge=0, le=125
    )
    exit_severity: Severity = setting("Lowest severity that sets the exit code")
    interval_minutes: float = setting("Time between runs of the stage; 0: run once", unit="min", ge=0, le=1440)
    baseline: Literal["training", "previous_window"] = setting(
        "Reference of drift: the training rows, or the previous window of the same length"
    )
    mlflow_runs: Literal["all", "findings", "none"] = setting("Which monitor runs MLflow gets")
    bootstrap_samples: int = setting(
        "Draws of outcomes, for the intervals of estimated metrics", unit="draws", ge=100, le=10_000
    )
    importance: ImportanceConfig
