"""Group `monitoring`: which window of the prediction log is evaluated, and how often."""

from __future__ import annotations

from typing import Literal

from pipeline.config.groups.alerts_config import Severity
from pipeline.config.groups.section import Positive, Section, setting

__all__ = ["MonitoringConfig"]


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
