"""The state database: what is live, who decided it, and what is still to be told to MLflow."""

from pipeline.state.audit import Act, AuditEntry, Break, append, entries, verify
from pipeline.state.database import URL_ENV, State, connect, exists, open_state
from pipeline.state.deployments import STAGES, Change, Served, decide, served
from pipeline.state.migration import Revision, revision, upgrade
from pipeline.state.outbox import Task, done, enqueue, failed, waiting
from pipeline.state.versions import Version, add_version, all_versions, find_version, version_by_digest

__all__ = [
    "STAGES",
    "URL_ENV",
    "Act",
    "AuditEntry",
    "Break",
    "Change",
    "Revision",
    "Served",
    "State",
    "Task",
    "Version",
    "add_version",
    "all_versions",
    "append",
    "connect",
    "decide",
    "done",
    "enqueue",
    "entries",
    "exists",
    "failed",
    "find_version",
    "open_state",
    "revision",
    "served",
    "upgrade",
    "verify",
    "version_by_digest",
    "waiting",
]
