"""The only door to MLflow: record runs, find and compare them, and project what the graph made into them."""

from pipeline.tracking.publish import PublishedRun, publish_run, print_tracking_warnings, make_tracker
from pipeline.tracking.run import ActiveRun, TrackingWarning
from pipeline.tracking.search import RecordedRun
from pipeline.tracking.sync import SyncResult, flush_outbox, sync_runs
from pipeline.tracking.tracker import ExperimentTracker

__all__ = [
    "ActiveRun",
    "ExperimentTracker",
    "RecordedRun",
    "PublishedRun",
    "SyncResult",
    "TrackingWarning",
    "publish_run",
    "print_tracking_warnings",
    "flush_outbox",
    "sync_runs",
    "make_tracker",
]
