"""Compare recorded runs by their metrics and settings: columns, direction, best run, groups and differences.

A column is a text: `metrics.` and the name of a metric, or `params.` and the key of a setting.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.metrics import METRICS
from pipeline.metrics.metric_labels import metric_label

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pipeline.tracking.run_search import RecordedRun

__all__ = [
    "KIND_GROUP",
    "NOT_SET",
    "SWEEP_GROUP",
    "ComparedMetric",
    "RunGroup",
    "best_run",
    "column_label",
    "compare_metrics",
    "default_metric",
    "differing_settings",
    "group_runs",
    "has_curves",
    "higher_is_better",
    "metric_place",
    "newest_with_curves",
    "run_columns",
    "run_kind",
    "run_value",
    "sort_runs",
]

KIND_GROUP, SWEEP_GROUP = "kind", "sweep"
NOT_SET = "(not set)"
_METRIC, _SETTING = "metrics.", "params."
_METRIC_ORDER = {name: at for at, name in enumerate(METRICS)}
_PLACES = ("test", "cv", "")  # the order of metrics: on test rows, of the folds, all others


@dataclass(frozen=True, slots=True)
class RunGroup:
    """Runs with one value of a setting, one sweep or one kind; `best` has the best value of the metric."""

    label: str
    runs: tuple[RecordedRun, ...]
    best: RecordedRun | None


@dataclass(frozen=True, slots=True)
class ComparedMetric:
    """One metric of several runs.

    Attributes
    ----------
    name : str
    values : tuple of float or None
        One for each run, in their order.
    best : tuple of int
        Positions of the best value; empty if all values are equal or the direction is unknown.
    """

    name: str
    values: tuple[float | None, ...]
    best: tuple[int, ...]

    @property
    def differences(self) -> tuple[float | None, ...]:
        """Each value minus that of the first run."""
        first = self.values[0]
        return tuple(None if first is None or value is None else value - first for value in self.values)


def run_kind(run: RecordedRun) -> str:
    """Return the kind of a run: `pipeline`, `trial`, `sweep`, `monitoring` or another; empty if it has none."""
    return run.tags.get("mlops.kind", "")


def has_curves(run: RecordedRun) -> bool:
    """Return whether a run recorded curves on test rows: runs of the whole graph do."""
    return run_kind(run) == "pipeline" and run.is_finished


def newest_with_curves(runs: Sequence[RecordedRun], n: int = 2) -> list[RecordedRun]:
    """Return the newest runs, those with curves first; `runs` are the newest first."""
    return sorted(runs, key=lambda run: not has_curves(run))[:n]


def run_columns(runs: Sequence[RecordedRun]) -> list[str]:
    """Return the columns of runs: metrics, those of test rows first, then the settings that differ.

    Metrics of baselines are left out. The name of the model is the first setting; then those of most runs come first.
    """
    names = {name for run in runs for name in run.metrics if ".baselines." not in name}
    metrics = sorted(names, key=_metric_order)
    n_known = Counter(key for run in runs for key in run.params)
    settings = sorted(_differing(runs), key=lambda key: (key != "model.name", -n_known[key], key))
    return [*(_METRIC + name for name in metrics), *(_SETTING + key for key in settings)]


def _metric_order(metric: str) -> tuple[int, int, str]:
    return _PLACES.index(metric_place(metric)), _METRIC_ORDER.get(_bare(metric), len(_METRIC_ORDER)), metric


def metric_place(metric: str) -> str:
    """Return where a metric was measured: `test` on test rows, `cv` on the folds; empty for all others."""
    place = metric.partition(".")[0]
    return place if place in _PLACES else ""


def _bare(metric: str) -> str:
    return metric.rpartition(".")[2]


def _differing(runs: Sequence[RecordedRun]) -> set[str]:
    """Return the settings of which two runs have different values, or that only some runs have."""
    n_known = Counter(key for run in runs for key in run.params)
    n_values = Counter(key for key, _ in {pair for run in runs for pair in run.params.items()})
    return {key for key, n in n_values.items() if n > 1 or n_known[key] < len(runs)}


def run_value(run: RecordedRun, column: str) -> float | str | None:
    """Return the value of a column: a number if it is one; None if the run has none."""
    if column.startswith(_METRIC):
        return run.metrics.get(column.removeprefix(_METRIC))
    text = run.params.get(column.removeprefix(_SETTING))
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        return text


def column_label(column: str) -> str:
    """Return the label of a column.

    Examples
    --------
    >>> column_label("metrics.test.log_loss"), column_label("params.model.name")
    ('Test: log loss', 'model.name')
    """
    if column.startswith(_METRIC):
        return metric_label(column.removeprefix(_METRIC))
    return column.removeprefix(_SETTING)


def higher_is_better(column: str) -> bool | None:
    """Return the direction of a metric; None for a setting and a metric without a known direction."""
    name = _bare(column)
    is_known = column.startswith((f"{_METRIC}test.", f"{_METRIC}cv.")) and ".baselines." not in column
    return METRICS[name].higher_is_better if is_known and name in METRICS else None


def default_metric(runs: Sequence[RecordedRun], columns: Sequence[str], objective: str) -> str | None:
    """Return the column that ranks runs: the objective where most runs have it, on test rows or folds.

    Without the objective it is the first of `columns`, those of `run_columns`, that has a direction.
    """
    counts = {
        column: sum(run_value(run, column) is not None for run in runs)
        for column in (f"{_METRIC}{place}.{objective}" for place in ("test", "cv"))
        if column in columns
    }
    if counts:
        return max(counts, key=counts.__getitem__)
    return next((column for column in columns if higher_is_better(column) is not None), None)


def best_run(runs: Iterable[RecordedRun], column: str) -> RecordedRun | None:
    """Return the run with the best value of a metric, the first of equal ones; None without a value or a direction."""
    is_higher = higher_is_better(column)
    known = [(value, run) for run in runs if isinstance(value := run_value(run, column), float)]
    if is_higher is None or not known:
        return None
    sign = -1.0 if is_higher else 1.0
    return min(known, key=lambda pair: sign * pair[0])[1]


def sort_runs(runs: Sequence[RecordedRun], column: str, *, is_reversed: bool = False) -> list[RecordedRun]:
    """Return runs by a column: the best metric first, otherwise numbers before texts; runs without a value are last."""
    known = [run for run in runs if run_value(run, column) is not None]
    sign = -1.0 if higher_is_better(column) else 1.0

    def key(run: RecordedRun) -> tuple[bool, float, str]:
        value = run_value(run, column)
        return (False, sign * value, "") if isinstance(value, float) else (True, 0.0, str(value))

    return [
        *sorted(known, key=key, reverse=is_reversed),
        *(run for run in runs if run_value(run, column) is None),
    ]


def group_runs(
    runs: Sequence[RecordedRun], group: str, *, metric: str | None, names: Mapping[str, str] | None = None
) -> list[RunGroup]:
    """Return runs in groups, the group with the best run first.

    Parameters
    ----------
    runs : sequence of RecordedRun
    group : str
        Column of a setting, `kind` or `sweep`.
    metric : str or None
        Column that decides the best run.
    names : mapping, optional
        Name by id of each sweep.
    """
    label_of = _group_label(group, names or {})
    members: dict[str, list[RecordedRun]] = {}
    for run in runs:
        members.setdefault(label_of(run), []).append(run)
    groups = [
        RunGroup(label, tuple(group_members), None if metric is None else best_run(group_members, metric))
        for label, group_members in members.items()
    ]
    if metric is None:
        return groups
    ranks = {run.run_id: at for at, run in enumerate(sort_runs(runs, metric))}
    return sorted(groups, key=lambda group: (group.best is None, ranks[(group.best or group.runs[0]).run_id]))


def _group_label(group: str, names: Mapping[str, str]) -> Callable[[RecordedRun], str]:
    if group == KIND_GROUP:
        return lambda run: run_kind(run) or "other"
    if group == SWEEP_GROUP:
        return lambda run: names.get(parent, parent[:8]) if (parent := run.tags.get("mlflow.parentRunId")) else "none"
    return lambda run: run.params.get(group.removeprefix(_SETTING), NOT_SET)


def differing_settings(runs: Sequence[RecordedRun]) -> list[tuple[str, tuple[str, ...]]]:
    """Return each setting that differs, with the value of each run."""
    return [(key, tuple(run.params.get(key, NOT_SET) for run in runs)) for key in sorted(_differing(runs))]


def compare_metrics(runs: Sequence[RecordedRun]) -> list[ComparedMetric]:
    """Return the metrics that at least one run has, in the order of `run_columns`; values are those of each run."""
    columns = [column for column in run_columns(runs) if column.startswith(_METRIC)]
    return [_compared(column, runs) for column in columns]


def _compared(column: str, runs: Sequence[RecordedRun]) -> ComparedMetric:
    values = tuple(run.metrics.get(column.removeprefix(_METRIC)) for run in runs)
    known = [value for value in values if value is not None]
    is_higher = higher_is_better(column)
    if is_higher is None or len(set(known)) < 2:
        return ComparedMetric(column.removeprefix(_METRIC), values, ())
    best = max(known) if is_higher else min(known)
    return ComparedMetric(
        column.removeprefix(_METRIC), values, tuple(at for at, value in enumerate(values) if value == best)
    )
