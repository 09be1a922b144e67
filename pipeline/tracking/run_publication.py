"""Publish finished runs to MLflow: one run for equal results, identified by its fingerprint."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.project import paths
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
    """A published run.

    `is_new`: this call created it. `is_pending`: the store was unreachable, and the run waits in the outbox.
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
            return f"{self.name!r} waits in the outbox; send it with `mlops tracking flush`"
        return f"{self.name!r}: {'recorded as' if self.is_new else 'already recorded as'} run {self.run_id[:8]}"


def make_tracker(config: TrackingConfig, root: Path | None = None) -> ExperimentTracker:
    """Return the tracker of the settings; the URI comes from the environment.

    In a temporary copy of DVC's queue, it is the tracker of the workspace.
    """
    uri = os.environ.get(config.uri_env) or None
    return ExperimentTracker(
        config.experiment, uri, root if root is not None else find_project_root(), config.timeout_s
    )


def publish_run(root: Path, config: Config) -> PublishedRun:
    """Publish the results below `root` as one MLflow run; results with a run get no second one.

    If the store is unreachable, one line is printed and the run waits in the outbox.

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
    """Print the warning about an unreachable store as one line."""
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
    """Publish one projection, tagged with the revision that produced it."""
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
            for dataset in projection.datasets:
                run.send(dataset)
            with tempfile.TemporaryDirectory() as folder:
                projection.write_artifacts(Path(folder))
                tracker.log_artifact(folder)
            tracker.log_model(projection.root / paths.CANDIDATE_PACKAGE, tags=projection.model_tags)
    return PublishedRun(run.key, run.name, projection.fingerprint, not run.was_finished, not run.is_online)
