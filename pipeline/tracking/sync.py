"""Make MLflow show again what git, dvc.lock, DVC's cache and the outbox hold; doing it twice changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import DataError
from pipeline.tracking import outbox
from pipeline.tracking.history import cache_of, commits, restored
from pipeline.tracking.operations import Batch, apply
from pipeline.tracking.projection import project
from pipeline.tracking.publish import Published, publish_projection, tracker_of
from pipeline.tracking.revision import revision_tags
from pipeline.tracking.search import needing_the_store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pipeline.config.groups.live import TrackingConfig
    from pipeline.tracking.tracker import ExperimentTracker

__all__ = ["Synced", "send", "sync"]


@dataclass(frozen=True, slots=True)
class Synced:
    """What became of it: results with their runs, letters that arrived, and commits that could not be rebuilt."""

    published: tuple[Published, ...]
    sent: tuple[str, ...]
    skipped: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "published": [one.as_dict() for one in self.published],
            "sent": list(self.sent),
            "skipped": self.skipped,
        }


def send(config: TrackingConfig, *, unfinished: bool = False) -> tuple[str, ...]:
    """Send what waits in the outbox, and return the ids of the runs.

    Raises
    ------
    DependencyUnavailable
        When the store is still down; everything is still in the outbox.
    """
    tracker = tracker_of(config)
    with needing_the_store():
        return tuple(outbox.send(tracker.store, tracker.store.root, unfinished=unfinished))


def sync(
    root: Path, config: TrackingConfig, *, all_commits: bool = False, told: Callable[[str], None] = lambda _: None
) -> Synced:
    """Publish the results below `root` and send the outbox; with `all_commits` rebuild every run of the history.

    Parameters
    ----------
    root : Path
        The project's folder.
    config : TrackingConfig
        Where to.
    all_commits : bool
        Also the results of each commit of each branch and DVC experiment, from DVC's cache.
    told : callable
        Is given one line for each result, as it is done.

    Raises
    ------
    DependencyUnavailable
        When the store is down.
    DataError
        When there is nothing to publish at all.
    """
    tracker = tracker_of(config, root.resolve())
    with needing_the_store():
        tracker.store.experiment_id(config.experiment)
        sent = outbox.send(tracker.store, root.resolve())
    published: dict[str, Published] = {}
    skipped: dict[str, str] = {}
    if all_commits:
        _rebuild(root, tracker, published, skipped, told)
    try:
        _keep(published, _publish(tracker, root, revision_tags(root)), told)
    except DataError:
        if not published and not sent:
            raise
    return Synced(tuple(published.values()), tuple(sent), skipped)


def _rebuild(
    root: Path,
    tracker: ExperimentTracker,
    published: dict[str, Published],
    skipped: dict[str, str],
    told: Callable[[str], None],
) -> None:
    cache = cache_of(root)
    for commit in commits(root):
        try:
            with restored(root, commit, cache=cache) as folder:
                _keep(published, _publish(tracker, folder, commit.tags()), told)
        except DataError as error:
            skipped[commit.sha] = str(error)
            told(f"{commit.sha[:10]} is left out: {error}")


def _keep(published: dict[str, Published], one: Published, told: Callable[[str], None]) -> None:
    if one.fingerprint not in published:
        published[one.fingerprint] = one
        told(str(one))


def _publish(tracker: ExperimentTracker, folder: Path, revision: Mapping[str, str]) -> Published:
    one = publish_projection(tracker, project(folder), revision)
    if not one.is_new and revision.get("git.dirty") == "false":
        _settle(tracker, one, revision)
    return one


def _settle(tracker: ExperimentTracker, one: Published, revision: Mapping[str, str]) -> None:
    """Name the commit that holds the results, for a run that was recorded before they were committed."""
    known = tracker.find(one.fingerprint)
    if known is not None and known.tags.get("git.dirty") != "false":
        with needing_the_store(), tracker.store.asking():
            apply(tracker.store.client(), known.run_id, Batch(tags=revision))
