"""Log runs of an experiment (parameters, metrics, models, figures, data), search and compare them."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import UsageError
from pipeline.evaluation.plots import draw_plot
from pipeline.files import canonical_json
from pipeline.project.actor import current_actor
from pipeline.project.root import find_project_root
from pipeline.tracing import current_trace_id
from pipeline.tracking import comparison_plots, dataset_description, flavors, run_search
from pipeline.tracking.active_run import ActiveRun, now_ms
from pipeline.tracking.run_operations import ArtifactFiles, MetricPoint, ModelFiles, RunBatch
from pipeline.tracking.run_process import PROCESS_TAG, current_process
from pipeline.tracking.run_store import RunStore, StoreUnreachable
from pipeline.tracking.run_texts import clean_name, param_texts, tag_texts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from matplotlib.figure import Figure

    from pipeline.tracking.run_operations import RunOperation
    from pipeline.tracking.run_search import RecordedRun

__all__ = ["FINGERPRINT_TAG", "ExperimentTracker"]

FINGERPRINT_TAG = "mlops.fingerprint"
TRACE_TAG = "mlops.trace_id"


@dataclass
class ExperimentTracker:
    """Tracker of one experiment; if the store is unreachable, work continues and runs wait in an outbox.

    Parameters
    ----------
    experiment_name : str
        Name of the MLflow experiment; created at the first run.
    tracking_uri : str, optional
        URI of an MLflow server or store; the SQLite file of the project when None.
    root : Path, optional
        Project root with that file and the outbox; found from the working directory when None.
    timeout_s : float
        Timeout of a response in seconds; after it work continues without the store.

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
        """The tracking store."""
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
            Name of the run; that of the experiment when None.
        nested : bool
            Whether the run is a child of the open run.
        tags, description
            Tags for searches, and a description.
        fingerprint : str, optional
            Identity of the run: a finished run with it is returned unchanged (`was_finished`), an
            unfinished one is resumed.
        parent_id : str, optional
            Id of the parent run, which another process opened.

        Raises
        ------
        UsageError
            When a run is open and `nested` is false.
        """
        if self._open_runs and not nested:
            raise UsageError(f"start_run: run {self._open_runs[-1].name!r} is open; end it first, or pass nested=True")
        all_tags = {**_process_tags(), **tag_texts(tags)}
        if description is not None:
            all_tags["mlflow.note.content"] = description
        if fingerprint is not None:
            all_tags[FINGERPRINT_TAG] = fingerprint
        trace_id = current_trace_id()
        if trace_id is not None:
            all_tags[TRACE_TAG] = trace_id
        if parent_id is not None:
            all_tags["mlflow.parentRunId"] = parent_id
        parent = self._open_runs[-1] if self._open_runs else None
        run = ActiveRun(
            self.store,
            self.experiment_name,
            run_name or self.experiment_name,
            all_tags,
            parent,
            open_runs=self._open_runs,
        )
        known = None if fingerprint is None else self.find_run(fingerprint)
        if known is not None:
            run.run_id, run.was_finished, run.metrics = known.run_id, known.is_finished, dict(known.metrics)
        run.start()
        self._open_runs.append(run)
        return run

    def end_run(self, status: str = "FINISHED") -> None:
        """End the open run, if there is one."""
        if self._open_runs:
            self._open_runs[-1].end(status)

    def detach_run(self, run: ActiveRun) -> None:
        """Release a run without ending it; `resume_run` reopens it, here or in another process."""
        self._open_runs.remove(run)

    def resume_run(self, key: str) -> ActiveRun:
        """Reopen a detached run by its id, or by its folder in the outbox."""
        run = ActiveRun.from_key(self.store, self.experiment_name, key, self._open_runs)
        self._open_runs.append(run)
        return run

    def read_text(self, run: RecordedRun, name: str) -> str:
        """Return a text artifact of a run.

        Raises
        ------
        UsageError
            When the run has no such file.
        DependencyUnavailable
            When the store is unreachable.
        """
        with run_search.require_store(), tempfile.TemporaryDirectory() as folder:
            client = self.store.client()
            with self.store.translate_errors():
                if name not in {entry.path for entry in client.list_artifacts(run.run_id)}:
                    raise UsageError(f"run {run.name!r} has no artifact {name}; choose a trial or a pipeline run")
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
            raise UsageError("no run is open: write `with tracker.start_run('name'):` around the logging code")
        return self._open_runs[-1]

    def _send(self, operation: RunOperation) -> None:
        self.active_run.send(operation)

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log parameters in one call; nested ones get names such as `model.max_iter`."""
        self._send(RunBatch(params=param_texts(params)))

    def log_param(self, name: str, value: object) -> None:
        """Log one parameter."""
        self.log_params({name: value})

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Log metrics in one call; `step` orders several values of one metric."""
        at_ms = now_ms()
        points = tuple(MetricPoint(clean_name(key), float(value), at_ms, step) for key, value in metrics.items())
        self._send(RunBatch(metrics=points))

    def log_metric(self, name: str, value: float, step: int = 0) -> None:
        """Log one metric; prefer `log_metrics`, which sends many in one call."""
        self.log_metrics({name: value}, step)

    def log_batch(
        self, *, params: Mapping[str, object], metrics: Mapping[str, float], tags: Mapping[str, object]
    ) -> None:
        """Log parameters, metrics and tags in one call."""
        at_ms = now_ms()
        points = tuple(MetricPoint(clean_name(key), float(value), at_ms) for key, value in metrics.items())
        self._send(RunBatch(param_texts(params), points, tag_texts(tags)))

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set tags of the run."""
        self._send(RunBatch(tags=tag_texts(tags)))

    def log_artifact(self, path: str | Path, folder: str | None = None) -> None:
        """Log a file, or the content of a folder, as an artifact.

        Raises
        ------
        UsageError
            When `path` does not exist.
        """
        if not Path(path).exists():
            raise UsageError(f"log_artifact: {path}: no such file or folder")
        self._send(ArtifactFiles(Path(path), folder))

    def log_text(self, text: str, name: str) -> None:
        """Log a text as the file `name`, which may include a folder, such as `notes/why.md`."""
        self._log_file(name, lambda path: path.write_text(text, encoding="utf-8"))

    def log_dict(self, values: Any, name: str) -> None:
        """Log plain values as a JSON file; NaN and infinities, which JSON has no form for, become texts."""
        self.log_text(canonical_json(json.loads(json.dumps(values, default=str), parse_constant=str)), name)

    def log_figure(self, figure: Figure, name: str) -> None:
        """Log a matplotlib figure as the file `name` (`.png` without a suffix)."""
        name = name if Path(name).suffix else f"{name}.png"
        self._log_file(name, lambda path: figure.savefig(path, dpi=120, bbox_inches="tight"))

    def log_table(self, frame: pd.DataFrame, name: str) -> None:
        """Log a frame as a CSV file."""
        self._log_file(name if Path(name).suffix else f"{name}.csv", lambda path: frame.to_csv(path, index=False))

    def _log_file(self, name: str, write: Any) -> None:
        place = Path(name)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / place.name
            write(path)
            above = place.parent.as_posix()
            self._send(ArtifactFiles(path, None if above == "." else above))

    def log_model(
        self,
        model: Any,
        name: str = "model",
        *,
        example: pd.DataFrame | None = None,
        signature: Any = None,
        tags: Mapping[str, object] | None = None,
    ) -> str:
        """Log a model as a LoggedModel of the run, with the metrics that the run has; return its URI.

        Parameters
        ----------
        model : a scikit-learn estimator, or the folder of a model package
            An estimator is written by skops with its types, or by cloudpickle if skops cannot write it; the
            tag `mlops.model.form` names the format.
        name : str
            Name of the model.
        example : DataFrame, optional
            A few rows from which the signature is inferred; integer columns may have missing values.
        signature : mlflow.models.ModelSignature, optional
            Signature, if known.
        tags : mapping, optional
            Tags of the model.
        """
        with tempfile.TemporaryDirectory() as above:
            folder = Path(above) / "model"
            if isinstance(model, str | Path):
                form = flavors.save_package(Path(model), folder)
                model_type: str | None = "classifier"
            else:
                form = flavors.save_estimator(model, folder, example=example, signature=signature)
                model_type = flavors.estimator_type(model)
            points = tuple(self.active_run.metric_points.values())
            self._send(ModelFiles(folder, name, model_type, points, tag_texts(tags)))
        self.set_tags({"mlops.model.form": form})
        return f"runs:/{self.active_run.key}/{name}"

    def log_confusion_matrix(
        self, y_true: Any, y_pred: Any, labels: Sequence[Any] | None = None, name: str = "confusion_matrix"
    ) -> pd.DataFrame:
        """Log the confusion matrix as a figure and a table; return the table (rows: actual, columns: predicted)."""
        table = comparison_plots.confusion_table(y_true, y_pred, labels)
        self.log_figure(draw_plot("confusion", comparison_plots.confusion_pairs(y_true, y_pred)), f"{name}.png")
        self.log_table(table.rename_axis("true").reset_index(), f"{name}.csv")
        return table

    def log_dataset(
        self, frame: Any, name: str, *, context: str = "training", source: str = "memory", digest: str = ""
    ) -> None:
        """Log the rows of the run: name, digest, column types, number of rows.

        `digest` is the hash of the content; it is computed if it is empty.
        """
        self._send(dataset_description.describe_frame(frame, name, context=context, source=source, digest=digest))

    def find_run(self, fingerprint: str) -> RecordedRun | None:
        """Return the run with a fingerprint, preferably a finished one; None without one.

        An unreachable store gives None; the next call that writes reports it.
        """
        try:
            runs = run_search.search_store(self.store, self.experiment_name, tags={FINGERPRINT_TAG: fingerprint})
        except StoreUnreachable:
            return None
        return next((run for run in runs if run.is_finished), runs[0] if runs else None)

    def search_runs(
        self, tags: Mapping[str, object] | None = None, *, text: str = "", n: int = 1000
    ) -> list[RecordedRun]:
        """Return runs that have all of `tags`, newest first, at most `n`.

        Parameters
        ----------
        tags : mapping, optional
            Tags that must be equal.
        text : str
            An additional filter in MLflow's syntax, such as ``"metrics.log_loss < 0.13"``.

        Raises
        ------
        DependencyUnavailable
            When the store is unreachable.
        """
        with run_search.require_store():
            return run_search.search_store(self.store, self.experiment_name, tags=tags or {}, text=text, n=n)

    def compare_runs(self, run_ids: Sequence[str] | None = None) -> pd.DataFrame:
        """Return one row for each run with the parameters that differ among them and all metrics.

        Parameters
        ----------
        run_ids : sequence of str, optional
            Ids, prefixes of ids, or names; all runs of the experiment when None.
        """
        return run_search.runs_table(self.get_runs(run_ids))

    def get_runs(self, run_ids: Sequence[str] | None = None) -> list[RecordedRun]:
        """Return runs by id, prefix of an id, or name.

        Raises
        ------
        UsageError
            Naming an id or name that matches no run.
        """
        return run_search.select_runs(self.search_runs(), run_ids)

    def plot_comparison(self, run_ids: Sequence[str] | None = None, *, color_by: str | None = None) -> Figure:
        """Return a parallel-coordinates plot: one line for each run through differing parameters and metrics."""
        return comparison_plots.plot_parallel_coordinates(self.compare_runs(run_ids), color_by=color_by)

    def best_run(self, metric: str, *, higher_is_better: bool, tags: Mapping[str, object] | None = None) -> RecordedRun:
        """Return the finished run with the best value of a metric.

        Raises
        ------
        UsageError
            When no finished run has the metric.
        """
        candidates = [run for run in self.search_runs(tags) if run.is_finished and metric in run.metrics]
        if not candidates:
            raise UsageError(f"no finished run of {self.experiment_name!r} has the metric {metric!r}")
        return (max if higher_is_better else min)(candidates, key=lambda run: run.metrics[metric])


def _process_tags() -> dict[str, str]:
    """Return the tags of this process: its user and program, as MLflow's pages show them, and its identity."""
    return {
        "mlflow.user": current_actor(),
        "mlflow.source.name": Path(sys.argv[0]).name or "python",
        "mlflow.source.type": "LOCAL",
        PROCESS_TAG: current_process().as_tag(),
    }
