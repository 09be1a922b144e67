"""The only door to MLflow: record runs, find and compare them, and project what the graph made into them."""

from pipeline.tracking.publish import Published, publish, saying_warnings, tracker_of
from pipeline.tracking.run import ActiveRun, TrackingWarning
from pipeline.tracking.search import FoundRun
from pipeline.tracking.sync import Synced, send, sync
from pipeline.tracking.tracker import ExperimentTracker

__all__ = [
    "ActiveRun",
    "ExperimentTracker",
    "FoundRun",
    "Published",
    "Synced",
    "TrackingWarning",
    "publish",
    "saying_warnings",
    "send",
    "sync",
    "tracker_of",
]
