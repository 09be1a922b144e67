"""Show a run of the monitor in MLflow; a store that is down delays nothing, the run waits in the outbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.alerts.run_summary import flatten_metrics
from pipeline.tracking import make_tracker, print_tracking_warnings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pipeline.config.groups.tracking_config import TrackingConfig
    from pipeline.state import MonitorRun

__all__ = ["log_monitor_run"]


def log_monitor_run(root: Path, config: TrackingConfig, run: MonitorRun, report: Mapping[str, Any], page: str) -> None:
    """Make one run of MLflow from one run of the monitor: its figures as metrics, its findings as files."""
    tracker = make_tracker(config, root)
    tags = {
        "mlops.kind": "monitoring",
        "mlops.model": run.model,
        "mlops.verdict": run.verdict,
        "mlops.severity": run.severity or "none",
        "mlops.window.since": report["drift"]["window"]["since"],
        "mlops.window.until": report["drift"]["window"]["until"],
    }
    with print_tracking_warnings(), tracker.start_run(f"monitoring {run.model}", tags=tags):
        tracker.log_metrics(flatten_metrics(run.summary))
        tracker.log_dict(dict(report), "monitoring.json")
        tracker.log_text(page, "monitoring.html")
