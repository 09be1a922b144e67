"""Synchronize MLflow with git, dvc.lock, DVC's cache and the outbox; synchronization is idempotent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import DataError
from pipeline.project import paths
from pipeline.tracking import run_outbox, run_process
from pipeline.tracking.dvc_history import dvc_cache_folder, lock_commits, restored_commit
from pipeline.tracking.logged_models import restore_logged_model
from pipeline.tracking.projection import build_projection
from pipeline.tracking.revision import revision_tags
from pipeline.tracking.run_operations import RunBatch, apply_operation
from pipeline.tracking.run_publication import PublishedRun, make_tracker, publish_projection
from pipeline.tracking.run_search import require_store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pipeline.config.groups.tracking_config import TrackingConfig
    from pipeline.tracking.tracker import ExperimentTracker

__all__ = ["SyncResult", "end_abandoned_runs", "flush_outbox", "sync_runs"]


@dataclass(frozen=True, slots=True)
class SyncResult:
    """Result of a synchronization: published runs, runs sent from the outbox, skipped commits, ended runs.

    `killed_run_ids` are the runs whose process was gone; they ended as KILLED.
    """

    published: tuple[PublishedRun, ...]
    sent_run_ids: tuple[str, ...]
    skipped: dict[str, str]
    killed_run_ids: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "published": [run.as_dict() for run in self.published],
            "sent": list(self.sent_run_ids),
            "skipped": self.skipped,
            "killed": list(self.killed_run_ids),
        }


def flush_outbox(config: TrackingConfig, *, unfinished: bool = False) -> tuple[str, ...]:
    """Send the runs in the outbox, and return their ids.

    Raises
    ------
    DependencyUnavailable
        When the store is still unreachable; the outbox is unchanged.
    """
    tracker = make_tracker(config)
    with require_store():
        return tuple(run_outbox.send_pending_runs(tracker.store, tracker.store.root, unfinished=unfinished))


def end_abandoned_runs(tracker: ExperimentTracker) -> tuple[str, ...]:
    """End the running runs of an experiment whose process is gone as KILLED, and return their ids.

    Raises
    ------
    DependencyUnavailable
        When the store is unreachable.
    """
    with require_store():
        return tuple(run_process.mark_abandoned_runs_killed(tracker.store, tracker.experiment_name))


def sync_runs(
    root: Path,
    config: TrackingConfig,
    *,
    all_commits: bool = False,
    on_progress: Callable[[str], None] = lambda _: None,
) -> SyncResult:
    """Publish the results below `root`, send the outbox, and end runs whose process is gone.

    With `all_commits`, also publish all runs of the history.

    Parameters
    ----------
    root : Path
        Project root.
    config : TrackingConfig
        Tracking settings.
    all_commits : bool
        Also publish each commit of each branch and DVC experiment, from DVC's cache.
    on_progress : callable
        Receives one line for each result.

    Raises
    ------
    DependencyUnavailable
        When the store is unreachable.
    DataError
        When there is nothing to publish.
    """
    tracker = make_tracker(config, root.resolve())
    with require_store():
        tracker.store.experiment_id(config.experiment)
        sent = run_outbox.send_pending_runs(tracker.store, root.resolve())
    killed = end_abandoned_runs(tracker)
    published: dict[str, PublishedRun] = {}
    skipped: dict[str, str] = {}
    if all_commits:
        _publish_history(root, tracker, published, skipped, on_progress)
    try:
        _add_run(published, _publish_outputs(tracker, root, revision_tags(root)), on_progress)
    except DataError:
        if not published and not sent and not killed:
            raise
    return SyncResult(tuple(published.values()), tuple(sent), skipped, killed)


def _publish_history(
    root: Path,
    tracker: ExperimentTracker,
    published: dict[str, PublishedRun],
    skipped: dict[str, str],
    on_progress: Callable[[str], None],
) -> None:
    cache = dvc_cache_folder(root)
    for commit in lock_commits(root):
        try:
            with restored_commit(root, commit, cache=cache) as folder:
                _add_run(published, _publish_outputs(tracker, folder, commit.tags()), on_progress)
        except DataError as error:
            skipped[commit.sha] = str(error)
            on_progress(f"{commit.sha[:10]} skipped: {error}")


def _add_run(published: dict[str, PublishedRun], run: PublishedRun, on_progress: Callable[[str], None]) -> None:
    if run.fingerprint not in published:
        published[run.fingerprint] = run
        on_progress(str(run))


def _publish_outputs(tracker: ExperimentTracker, folder: Path, revision: Mapping[str, str]) -> PublishedRun:
    projection = build_projection(folder)
    run = publish_projection(tracker, projection, revision)
    if run.is_new:
        return run
    if revision.get("git.dirty") == "false":
        _tag_commit(tracker, run, revision)
    with require_store():
        restore_logged_model(tracker.store, run.run_id, folder / paths.CANDIDATE_PACKAGE, projection.model_tags)
    return run


def _tag_commit(tracker: ExperimentTracker, run: PublishedRun, revision: Mapping[str, str]) -> None:
    """Tag a run with the commit of its results, if it was recorded before they were committed."""
    recorded = tracker.find_run(run.fingerprint)
    if recorded is not None and recorded.tags.get("git.dirty") != "false":
        with require_store(), tracker.store.translate_errors():
            apply_operation(tracker.store.client(), recorded.run_id, RunBatch(tags=revision))
