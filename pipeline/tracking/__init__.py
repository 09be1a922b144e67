"""The only module that uses MLflow tracking: log runs, search and compare them, publish results of the graph."""

from pipeline.tracking.active_run import ActiveRun, TrackingWarning
from pipeline.tracking.run_publication import PublishedRun, make_tracker, print_tracking_warnings, publish_run
from pipeline.tracking.run_search import RecordedRun
from pipeline.tracking.run_sync import SyncResult, end_abandoned_runs, flush_outbox, sync_runs
from pipeline.tracking.tracker import ExperimentTracker

__all__ = [
    "ActiveRun",
    "ExperimentTracker",
    "PublishedRun",
    "RecordedRun",
    "SyncResult",
    "TrackingWarning",
    "end_abandoned_runs",
    "flush_outbox",
    "make_tracker",
    "print_tracking_warnings",
    "publish_run",
    "sync_runs",
]
