"""The only door to MLflow: record runs, find and compare them, and project what the graph made into them."""

from pipeline.tracking.active_run import ActiveRun, TrackingWarning
from pipeline.tracking.publish import PublishedRun, make_tracker, print_tracking_warnings, publish_run
from pipeline.tracking.run_search import RecordedRun
from pipeline.tracking.sync import SyncResult, flush_outbox, sync_runs
from pipeline.tracking.tracker import ExperimentTracker

__all__ = [
    "ActiveRun",
    "ExperimentTracker",
    "PublishedRun",
    "RecordedRun",
    "SyncResult",
    "TrackingWarning",
    "flush_outbox",
    "make_tracker",
    "print_tracking_warnings",
    "publish_run",
    "sync_runs",
]
