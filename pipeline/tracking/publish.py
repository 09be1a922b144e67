"""Publish finished runs to MLflow: one run for equal results, found again by its fingerprint."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.project.root import find_project_root
from pipeline.tracking.active_run import TrackingWarning
from pipeline.tracking.projection import build_projection
from pipeline.tracking.revision import revision_tags
from pipeline.tracking.tracker import ExperimentTracker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.config.groups.tracking_config import TrackingConfig
    from pipeline.config.root_config import Config
    from pipeline.tracking.projection import RunProjection

__all__ = ["PublishedRun", "make_tracker", "print_tracking_warnings", "publish_projection", "publish_run"]


@dataclass(frozen=True, slots=True)
class PublishedRun:
    """Where the run of some results is.

    `is_new` says that this call made it; `is_waiting` that the store was down and it waits in the outbox.
    """

    run_id: str
    name: str
    fingerprint: str
    is_new: bool
    is_pending: bool

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    def __str__(self) -> str:
        if self.is_pending:
            return f"{self.name!r} waits in the outbox; `mlops tracking flush` sends it"
        return f"{self.name!r} is run {self.run_id[:8]}{'' if self.is_new else ', recorded before'}"


def make_tracker(config: TrackingConfig, root: Path | None = None) -> ExperimentTracker:
    """Return the tracker that the settings describe; the address is read from the environment now.

    In a temporary copy of DVC's queue it is that of the workspace.
    """
    uri = os.environ.get(config.uri_env) or None
    return ExperimentTracker(
        config.experiment, uri, root if root is not None else find_project_root(), config.timeout_s
    )


def publish_run(root: Path, config: Config) -> PublishedRun:
    """Record the results below `root` as one MLflow run; results that have one already get no second.

    A store that is down stops nothing: one line says so, and the run waits in the outbox.

    Raises
    ------
    DataError
        When there are no finished results below `root`.
    """
    tracker = make_tracker(config.tracking)
    with print_tracking_warnings():
        return publish_projection(tracker, build_projection(root), revision_tags(root))


@contextmanager
def print_tracking_warnings() -> Iterator[None]:
    """Turn the warning that the store is down into one line for a person."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", TrackingWarning)
        yield
    for warning in caught:
        if issubclass(warning.category, TrackingWarning):
            sys.stderr.write(f"[tracking] {warning.message}\n")
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def publish_projection(
    tracker: ExperimentTracker, projection: RunProjection, revision: Mapping[str, str]
) -> PublishedRun:
    """Record one projection in a tracker's store, with tags that say which revision made it."""
    experiment = revision.get("dvc.experiment")
    name = f"{projection.name} ({experiment})" if experiment else projection.name
    run = tracker.start_run(
        name,
        fingerprint=projection.fingerprint,
        tags={**projection.tags, **revision, "mlflow.source.name": "dvc repro", "mlflow.source.type": "PROJECT"},
        description=projection.description or None,
    )
    with run:
        if not run.was_finished:
            tracker.log_batch(params=projection.params, metrics=projection.metrics, tags={})
            for given in projection.datasets:
                run.send(given)
            with tempfile.TemporaryDirectory() as folder:
                projection.write_artifacts(Path(folder))
                tracker.log_artifact(folder)
    return PublishedRun(run.key, run.name, projection.fingerprint, not run.was_finished, not run.is_online)
