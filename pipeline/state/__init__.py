"""The state database: what is live, who decided it, and what is still to be told to MLflow."""

from pipeline.state.audit import Act, AuditEntry, Break, append, entries, verify
from pipeline.state.database import URL_ENV, State, connect, exists, open_state
from pipeline.state.deployments import STAGES, Change, Served, decide, served
from pipeline.state.keys import KEY_PREFIX, KeyRecord, create_key, keys, note_use, revoke_key, split_key
from pipeline.state.migration import Revision, revision, upgrade
from pipeline.state.outbox import Task, done, enqueue, failed, waiting
from pipeline.state.prediction_log import Journal, KeyTaken, PredictionRow, StoredAnswer
from pipeline.state.prediction_rows import (
    add_outcomes,
    erase_subject,
    known_predictions,
    last_outcomes,
    prediction_rows,
    remove_answers,
    remove_predictions,
)
from pipeline.state.prediction_search import (
    HourCount,
    LoggedPrediction,
    Search,
    count_by_hour,
    count_predictions,
    search_predictions,
)
from pipeline.state.rollup_rows import (
    add_rollups,
    clear_rollups,
    predictions_after,
    rolled_until,
    sum_rollups,
    window_predictions,
)
from pipeline.state.serving_events import ServingEvent, add_event, events
from pipeline.state.versions import Version, add_version, all_versions, find_version, version_by_digest

__all__ = [
    "KEY_PREFIX",
    "STAGES",
    "URL_ENV",
    "Act",
    "AuditEntry",
    "Break",
    "Change",
    "HourCount",
    "Journal",
    "KeyRecord",
    "KeyTaken",
    "LoggedPrediction",
    "PredictionRow",
    "Revision",
    "Search",
    "Served",
    "ServingEvent",
    "State",
    "StoredAnswer",
    "Task",
    "Version",
    "add_event",
    "add_outcomes",
    "add_rollups",
    "add_version",
    "all_versions",
    "append",
    "clear_rollups",
    "connect",
    "count_by_hour",
    "count_predictions",
    "create_key",
    "decide",
    "done",
    "enqueue",
    "entries",
    "erase_subject",
    "events",
    "exists",
    "failed",
    "find_version",
    "keys",
    "known_predictions",
    "last_outcomes",
    "note_use",
    "open_state",
    "prediction_rows",
    "predictions_after",
    "remove_answers",
    "remove_predictions",
    "revision",
    "revoke_key",
    "rolled_until",
    "search_predictions",
    "served",
    "split_key",
    "sum_rollups",
    "upgrade",
    "verify",
    "version_by_digest",
    "waiting",
    "window_predictions",
]
