"""Record what an experiment did: parameters, metrics, models, figures, data; and find and compare runs."""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import UsageError
from pipeline.evaluation.plots import draw_plot
from pipeline.project.root import find_project_root
from pipeline.text import shorten
from pipeline.tracing import current_trace_id
from pipeline.tracking import comparison_plots, dataset_description, flavors, run_search
from pipeline.tracking.active_run import ActiveRun, now_ms
from pipeline.tracking.run_operations import ArtifactFiles, MetricPoint, RunBatch
from pipeline.tracking.run_store import RunStore, StoreUnreachable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from matplotlib.figure import Figure

    from pipeline.tracking.run_operations import RunOperation
    from pipeline.tracking.run_search import RecordedRun

__all__ = ["FINGERPRINT_TAG", "ExperimentTracker"]

FINGERPRINT_TAG = "mlops.fingerprint"
TRACE_TAG = "mlops.trace_id"
_MAX_PARAM_LENGTH = 6000
_MAX_TAG_LENGTH = 8000
_FORBIDDEN_CHARACTERS = re.compile(r"[^\w\-. /:]")


@dataclass
class ExperimentTracker:
    """Records runs of one experiment; when the store is down, work goes on and runs wait in an outbox.

    Parameters
    ----------
    experiment_name : str
        Name of the MLflow experiment; made at the first run.
    tracking_uri : str, optional
        Address of a server, or another address that MLflow knows; the project's own SQLite file when None.
    root : Path, optional
        The project's folder, where that file and the outbox are; found by itself when None.
    timeout_s : float
        How long an answer may take before work goes on without the store, in seconds.

    Examples
    --------
    >>> tracker = ExperimentTracker("my_experiment")  # doctest: +SKIP
    >>> with tracker.start_run("model_training"):  # doctest: +SKIP
    ...     tracker.log_params({"learning_rate": 0.01})
    ...     tracker.log_metrics({"accuracy": 0.95, "f1_score": 0.93})
    ...     tracker.log_model(model, "model")
    """

    experiment_name: str
    tracking_uri: str | None = None
    root: Path | None = None
    timeout_s: float = 10
    _open_runs: list[ActiveRun] = field(default_factory=list, repr=False)
    _store: RunStore | None = field(default=None, repr=False)

    @property
    def store(self) -> RunStore:
        """The store that runs go to."""
        if self._store is None:
            root = self.root if self.root is not None else find_project_root()
            self._store = RunStore(root.resolve(), self.tracking_uri, self.timeout_s)
        return self._store

    def start_run(
        self,
        run_name: str | None = None,
        *,
        nested: bool = False,
        tags: Mapping[str, object] | None = None,
        description: str | None = None,
        fingerprint: str | None = None,
        parent_id: str | None = None,
    ) -> ActiveRun:
        """Open a run; use it in a `with` statement, or end it with `end_run`.

        Parameters
        ----------
        run_name : str, optional
            Name for people; the experiment's when None.
        nested : bool
            Whether the run is a child of the one that is open.
        tags, description
            What to find it by, and what it is about.
        fingerprint : str, optional
            What makes the run the same as another: a finished run with it is returned as it is
            (`was_finished`), an unfinished one is gone on with.
        parent_id : str, optional
            Id of a run that another process has opened, whose child this is.

        Raises
        ------
        UsageError
            When a run is open and `nested` is not said.
        """
        if self._open_runs and not nested:
            raise UsageError(
                f"start_run: run {self._open_runs[-1].name!r} is open; end it first, or say nested=True for a child of it"
            )
        marks = _clean_tags(tags, description, fingerprint)
        trace_id = current_trace_id()
        if trace_id is not None:
            marks[TRACE_TAG] = trace_id
        if parent_id is not None:
            marks["mlflow.parentRunId"] = parent_id
        parent = self._open_runs[-1] if self._open_runs else None
        run = ActiveRun(
            self.store, self.experiment_name, run_name or self.experiment_name, marks, parent, open_runs=self._open_runs
        )
        found = None if fingerprint is None else self.find_run(fingerprint)
        if found is not None:
            run.run_id, run.was_finished, run.metrics = found.run_id, found.is_finished, dict(found.metrics)
        run.start()
        self._open_runs.append(run)
        return run

    def end_run(self, status: str = "FINISHED") -> None:
        """End the run that is open; nothing happens when there is none."""
        if self._open_runs:
            self._open_runs[-1].end(status)

    def detach_run(self, run: ActiveRun) -> None:
        """Let go of a run without ending it; `take_up` opens it again, here or in another process."""
        self._open_runs.remove(run)

    def resume_run(self, key: str) -> ActiveRun:
        """Open again a run that was let go of, by its id or by its folder in the outbox."""
        run = ActiveRun.from_key(self.store, self.experiment_name, key, self._open_runs)
        self._open_runs.append(run)
        return run

    def read_text(self, run: RecordedRun, name: str) -> str:
        """Return a text file that is kept with a run.

        Raises
        ------
        UsageError
            When the run has no such file.
        DependencyUnavailable
            When the store is down.
        """
        with run_search.require_store(), tempfile.TemporaryDirectory() as folder:
            client = self.store.client()
            with self.store.translate_errors():
                if name not in {entry.path for entry in client.list_artifacts(run.run_id)}:
                    raise UsageError(f"run {run.name!r} keeps no file {name}; choose a trial or a pipeline run")
            return self.store.download(run.run_id, name, Path(folder)).read_text(encoding="utf-8")

    @property
    def active_run(self) -> ActiveRun:
        """The innermost open run.

        Raises
        ------
        UsageError
            When no run is open.
        """
        if not self._open_runs:
            raise UsageError("no run is open: write `with tracker.start_run('name'):` around what logs")
        return self._open_runs[-1]

    def _send(self, operation: RunOperation) -> None:
        self.active_run.send(operation)

    def log_params(self, params: Mapping[str, object]) -> None:
        """Record settings, in one call; nested ones get names such as `model.max_iter`."""
        words = {_clean_name(key): _param_text(value) for key, value in _flatten_params(params)}
        self._send(RunBatch(params=words))

    def log_param(self, name: str, value: object) -> None:
        """Record one setting."""
        self.log_params({name: value})

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Record figures, all in one call; `step` orders several values of one name."""
        at_ms = now_ms()
        points = tuple(MetricPoint(_clean_name(key), float(value), at_ms, step) for key, value in metrics.items())
        self.active_run.metrics.update({point.name: point.value for point in points})
        self._send(RunBatch(metrics=points))

    def log_metric(self, name: str, value: float, step: int = 0) -> None:
        """Record one figure; prefer `log_metrics`, which sends many at once."""
        self.log_metrics({name: value}, step)

    def log_batch(
        self, *, params: Mapping[str, object], metrics: Mapping[str, float], tags: Mapping[str, object]
    ) -> None:
        """Record parameters, metrics and tags in one call."""
        at_ms = now_ms()
        points = tuple(MetricPoint(_clean_name(key), float(value), at_ms) for key, value in metrics.items())
        self.active_run.metrics.update({point.name: point.value for point in points})
        self._send(
            RunBatch(
                {_clean_name(key): _param_text(value) for key, value in _flatten_params(params)},
                points,
                _clean_tags(tags, None, None),
            )
        )

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Record words to find the run by."""
        self._send(RunBatch(tags=_clean_tags(tags, None, None)))

    def log_artifact(self, path: str | Path, folder: str | None = None) -> None:
        """Keep a file, or all that is in a folder, with the run.

        Raises
        ------
        UsageError
            When there is nothing at `path`.
        """
        if not Path(path).exists():
            raise UsageError(f"log_artifact: {path}: no such file or folder")
        self._send(ArtifactFiles(Path(path), folder))

    def log_text(self, text: str, name: str) -> None:
        """Keep a text as the file `name`, which may stand in a folder, such as `notes/why.md`."""
        self._log_file(name, lambda path: path.write_text(text, encoding="utf-8"))

    def log_dict(self, values: Any, name: str) -> None:
        """Keep plain values as a JSON file."""
        self.log_text(json.dumps(values, indent=2, sort_keys=True, default=str) + "\n", name)

    def log_figure(self, figure: Figure, name: str) -> None:
        """Keep a matplotlib figure as the file `name` (`.png` where it has no suffix)."""
        name = name if Path(name).suffix else f"{name}.png"
        self._log_file(name, lambda path: figure.savefig(path, dpi=120, bbox_inches="tight"))

    def log_table(self, frame: pd.DataFrame, name: str) -> None:
        """Keep a frame as a CSV file."""
        self._log_file(name if Path(name).suffix else f"{name}.csv", lambda path: frame.to_csv(path, index=False))

    def _log_file(self, name: str, write: Any) -> None:
        place = Path(name)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / place.name
            write(path)
            above = place.parent.as_posix()
            self._send(ArtifactFiles(path, None if above == "." else above))

    def log_model(
        self, model: Any, name: str = "model", *, example: pd.DataFrame | None = None, signature: Any = None
    ) -> str:
        """Keep a model so that `mlflow.pyfunc.load_model` and `mlflow models serve` know it; return its address.

        Parameters
        ----------
        model : a scikit-learn estimator, or the folder of a model package
            An estimator is kept in skops form with the types that it is made of; one that skops cannot
            write is kept by cloudpickle, and the run says so in the tag `mlops.model.form`.
        name : str
            Its folder in the run.
        example : DataFrame, optional
            A few rows from which the signature is inferred; integer columns may have missing values.
        signature : mlflow.models.ModelSignature, optional
            When it is known already.
        """
        with tempfile.TemporaryDirectory() as above:
            folder = Path(above) / "model"
            if isinstance(model, str | Path):
                form = flavors.save_package(Path(model), folder)
            else:
                form = flavors.save_estimator(model, folder, example=example, signature=signature)
            self._send(ArtifactFiles(folder, name))
        self.set_tags({"mlops.model.form": form})
        return f"runs:/{self.active_run.key}/{name}"

    def log_confusion_matrix(
        self, y_true: Any, y_pred: Any, labels: Sequence[Any] | None = None, name: str = "confusion_matrix"
    ) -> pd.DataFrame:
        """Keep the confusion matrix as a figure and as a table; return the table (rows: truth, columns: prediction)."""
        table = comparison_plots.confusion_table(y_true, y_pred, labels)
        self.log_figure(draw_plot("confusion", comparison_plots.confusion_pairs(y_true, y_pred)), f"{name}.png")
        self.log_table(table.rename_axis("true").reset_index(), f"{name}.csv")
        return table

    def log_dataset(
        self, frame: pd.DataFrame, name: str, *, context: str = "training", source: str = "memory", digest: str = ""
    ) -> None:
        """Record which rows the run read: name, digest, columns with their types, number of rows.

        `digest` is the hash of the content where it is known; it is computed when it is empty.
        """
        self._send(dataset_description.describe_frame(frame, name, context=context, source=source, digest=digest))

    def find_run(self, fingerprint: str) -> RecordedRun | None:
        """Return the run with a fingerprint, a finished one if there is one; None when there is none.

        A store that is down has none; the next call that writes will say that it is down.
        """
        try:
            found = run_search.search_store(self.store, self.experiment_name, tags={FINGERPRINT_TAG: fingerprint})
        except StoreUnreachable:
            return None
        return next((run for run in found if run.is_finished), found[0] if found else None)

    def search_runs(
        self, tags: Mapping[str, object] | None = None, *, text: str = "", n: int = 1000
    ) -> list[RecordedRun]:
        """Return runs that have all of `tags`, newest first, at most `n`.

        Parameters
        ----------
        tags : mapping, optional
            Words that must be equal.
        text : str
            A filter in MLflow's own language besides, such as ``"metrics.log_loss < 0.13"``.

        Raises
        ------
        DependencyUnavailable
            When the store is down.
        """
        with run_search.require_store():
            return run_search.search_store(self.store, self.experiment_name, tags=tags or {}, text=text, n=n)

    def compare_runs(self, run_ids: Sequence[str] | None = None) -> pd.DataFrame:
        """Return one row for each run with the parameters that differ among them and all metrics.

        Parameters
        ----------
        run_ids : sequence of str, optional
            Ids, beginnings of ids, or names; all runs of the experiment when None.
        """
        return run_search.runs_table(self.get_runs(run_ids))

    def get_runs(self, run_ids: Sequence[str] | None = None) -> list[RecordedRun]:
        """Return runs by id, beginning of an id, or name.

        Raises
        ------
        UsageError
            Naming the one that no run has.
        """
        return run_search.select_runs(self.search_runs(), run_ids)

    def plot_comparison(self, run_ids: Sequence[str] | None = None, *, color_by: str | None = None) -> Figure:
        """Return a parallel-coordinates figure: a line for each run through what differs and through its metrics."""
        return comparison_plots.plot_parallel_coordinates(self.compare_runs(run_ids), color_by=color_by)

    def best_run(self, metric: str, *, higher_is_better: bool, tags: Mapping[str, object] | None = None) -> RecordedRun:
        """Return the finished run with the best value of a metric.

        Raises
        ------
        UsageError
            When no finished run has it.
        """
        having = [run for run in self.search_runs(tags) if run.is_finished and metric in run.metrics]
        if not having:
            raise UsageError(f"no finished run of {self.experiment_name!r} has the metric {metric!r}")
        return (max if higher_is_better else min)(having, key=lambda run: run.metrics[metric])


def _flatten_params(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in values.items():
        if isinstance(value, dict) and value:
            found += _flatten_params(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", value))
    return found


def _clean_name(key: str) -> str:
    """Return the name with what MLflow refuses replaced by an underscore."""
    return _FORBIDDEN_CHARACTERS.sub("_", str(key))[:250]


def _param_text(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return shorten(text, _MAX_PARAM_LENGTH)


def _clean_tags(tags: Mapping[str, object] | None, description: str | None, fingerprint: str | None) -> dict[str, str]:
    words = {_clean_name(key): str(value)[:_MAX_TAG_LENGTH] for key, value in (tags or {}).items()}
    if description is not None:
        words["mlflow.note.content"] = description
    if fingerprint is not None:
        words[FINGERPRINT_TAG] = fingerprint
    return words
