"""Compare two snapshots: settings, stages, metrics with intervals, gates, slices, schema, size, latency."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import files
from pipeline.change_report.gate_verdicts import NOT_EVALUATED, locked_registration, registration_of_folder
from pipeline.change_report.paired_evaluation import evaluate_paired
from pipeline.change_report.setting_changes import changed_settings
from pipeline.change_report.snapshots import snapshots_before_and_after
from pipeline.change_report.stage_changes import stages_that_ran, stages_to_run
from pipeline.config.config_loader import build_config
from pipeline.config.strict_yaml import read_yaml
from pipeline.errors import ConfigError
from pipeline.gates import compare_schemas
from pipeline.metrics import MetricEstimate, comparison_verdict
from pipeline.project import paths
from pipeline.schema import Schema
from pipeline.tracking.revision import revision_tags

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pandas as pd

    from pipeline.change_report.setting_changes import SettingChange
    from pipeline.change_report.snapshots import ProjectSnapshot
    from pipeline.change_report.stage_changes import StageChange
    from pipeline.config.root_config import Config
    from pipeline.evaluation import SliceChange
    from pipeline.gates import SchemaChange
    from pipeline.metrics import ComparisonVerdict
    from pipeline.package import Package

__all__ = ["ChangeReport", "GateChange", "MetricChange", "build_change_report"]

_N_WARM_UP, _N_TIMED = 5, 101
_CURVES = {"calibration": ("predicted", "observed"), "roc": ("false_positive_rate", "true_positive_rate")}


@dataclass(frozen=True, slots=True)
class MetricChange:
    """One metric on the test rows, before and after.

    `difference` is after minus before on the same rows; None if the test rows differ.
    """

    name: str
    unit: str
    higher_is_better: bool
    before: MetricEstimate | None
    after: MetricEstimate | None
    difference: MetricEstimate | None

    @property
    def verdict(self) -> ComparisonVerdict:
        """`better`, `worse`, `equal`, `no significant difference` or `not compared`."""
        return comparison_verdict(self.difference, higher_is_better=self.higher_is_better)


@dataclass(frozen=True, slots=True)
class GateChange:
    """Result of one gate before and after; None if it was not evaluated."""

    name: str
    before: str | None
    after: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class ChangeReport:
    """The effects of a change; `notes` explain what could not be compared, and what to do.

    `revision` is the commit of the folder, and whether the folder has uncommitted edits.
    """

    base: str
    revision: str
    notes: tuple[str, ...]
    settings: tuple[SettingChange, ...]
    executed_stages: tuple[StageChange, ...]
    pending_stages: tuple[StageChange, ...]
    is_same_model: bool | None
    metrics: tuple[MetricChange, ...]
    gate_verdicts: tuple[str, str]
    gates: tuple[GateChange, ...]
    slices: tuple[SliceChange, ...]
    schema: tuple[SchemaChange, ...]
    size_mb: tuple[float | None, float | None]
    latency_ms: tuple[float, float] | None
    curves: Mapping[str, tuple[tuple[tuple[float, float], ...], tuple[tuple[float, float], ...]]]

    @property
    def is_stale(self) -> bool:
        """Whether the model of the folder is older than its settings."""
        return any(change.stage in ("train", "evaluate") for change in self.pending_stages)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        metrics = [{**asdict(metric), "verdict": metric.verdict} for metric in self.metrics]
        slices = [{**asdict(slice_), "verdict": slice_.verdict} for slice_ in self.slices]
        return {**asdict(self), "metrics": metrics, "slices": slices}


def build_change_report(root: Path, base: str, *, with_latency: bool = False) -> ChangeReport:
    """Return what the folder changes since the commit at which it branched off `base`.

    Parameters
    ----------
    root : Path
        Project root.
    base : str
        A branch, tag or commit.
    with_latency : bool
        Whether to measure the latency of both packages; it depends on the machine.

    Raises
    ------
    UsageError, DataError, ConfigError
        When a snapshot cannot be read.
    DependencyUnavailable
        When DVC fails.
    """
    graph = read_yaml(root / "dvc.yaml")["stages"]
    with snapshots_before_and_after(root, base) as (before, after):
        to_run = stages_to_run(root, graph, after.lock, after.settings)
        config = build_config(after.settings, where="conf/")
        packages = before.load_package(), after.load_package()
        digests = tuple(None if package is None else package.digest for package in packages)
        paired = evaluate_paired(before, after, packages, config.evaluation)
        registrations = locked_registration(before), registration_of_folder(root, after, to_run)
        return ChangeReport(
            before.name,
            _revision(root),
            tuple(_notes(before, after, to_run, is_paired=paired is not None)),
            changed_settings(before.settings, after.settings, graph),
            stages_that_ran(before.lock, after.lock) if before.lock else (),
            to_run,
            None if None in digests else digests[0] == digests[1],
            tuple(_metric_changes(before, after, {} if paired is None else paired.differences)),
            (_gate_verdict(registrations[0]), _gate_verdict(registrations[1])),
            tuple(_gate_changes(*registrations)),
            () if paired is None else paired.worse_slices,
            tuple(_schema_changes(before, config)),
            (_package_size_mb(packages[0]), _package_size_mb(packages[1])),
            _latencies_ms(packages, after) if with_latency else None,
            _curves(before, after),
        )


def _revision(root: Path) -> str:
    tags = revision_tags(root)
    edits = " with uncommitted edits" if tags.get("git.dirty") == "true" else ""
    return f"{tags['git.commit'][:8]}{edits}" if "git.commit" in tags else ""


def _notes(
    before: ProjectSnapshot, after: ProjectSnapshot, to_run: tuple[StageChange, ...], *, is_paired: bool
) -> Iterator[str]:
    yield from (snapshot.missing_reason for snapshot in (before, after) if snapshot.missing_reason is not None)
    if any(change.stage in ("train", "evaluate") for change in to_run) and after.lock:
        yield "the metrics of this folder are from its last run; run `dvc repro` to update them"
    if before.missing_reason is None and after.missing_reason is None and not is_paired:
        yield "the test rows or classes differ, so metrics are shown without a comparison"


def _metric_changes(
    before: ProjectSnapshot, after: ProjectSnapshot, differences: Mapping[str, MetricEstimate]
) -> Iterator[MetricChange]:
    old, new = ((snapshot.read_json(paths.EVALUATION_REPORT) or {}).get("metrics", {}) for snapshot in (before, after))
    for name in dict.fromkeys((*new, *old)):
        known = new.get(name, old.get(name))
        difference = differences.get(name)
        yield MetricChange(
            name,
            known["unit"],
            known["higher_is_better"],
            _to_estimate(old.get(name)),
            _to_estimate(new.get(name)),
            difference,
        )


def _to_estimate(values: Mapping[str, Any] | None) -> MetricEstimate | None:
    return None if values is None else MetricEstimate.from_dict(values)


def _gate_verdict(registration: Mapping[str, Any] | None) -> str:
    return NOT_EVALUATED if registration is None else str(registration["verdict"])


def _gate_changes(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Iterator[GateChange]:
    old, new = ({gate["name"]: gate for gate in (report or {}).get("gates", ())} for report in (before, after))
    for name in dict.fromkeys((*new, *old)):
        old_gate, new_gate = old.get(name, {}), new.get(name, {})
        reason = NOT_EVALUATED if after is None else (new_gate or old_gate)["reason"]
        yield GateChange(name, old_gate.get("result"), new_gate.get("result"), reason)


def _schema_changes(before: ProjectSnapshot, config: Config) -> list[SchemaChange]:
    try:
        old_config = build_config(before.settings, where=before.name)
    except ConfigError:  # settings of an older format: the package has the schema of clients
        package = before.load_package()
        return [] if package is None else compare_schemas(package.schema, Schema.from_config(config.data))
    return compare_schemas(Schema.from_config(old_config.data), Schema.from_config(config.data))


def _package_size_mb(package: Package | None) -> float | None:
    return None if package is None else round(sum(file.size for file in package.manifest.files.values()) / 1e6, 3)


def _latencies_ms(
    packages: tuple[Package | None, Package | None], after: ProjectSnapshot
) -> tuple[float, float] | None:
    """Return the median latency of one row of both packages in milliseconds, measured alternately."""
    old, new = packages
    if old is None or new is None or not (after.folder / paths.TEST_ROWS).is_file():
        return None
    rows = files.read_parquet(after.folder / paths.TEST_ROWS)
    calls = [(package, _first_row(rows, package), list[float]()) for package in (old, new)]
    for _ in range(_N_WARM_UP + _N_TIMED):
        for package, row, durations_s in calls:
            started_at = time.perf_counter()
            package.predict_proba(row)
            durations_s.append(time.perf_counter() - started_at)
    old_ms, new_ms = (float(np.median(durations_s[_N_WARM_UP:])) * 1e3 for _, _, durations_s in calls)
    return old_ms, new_ms


def _first_row(rows: pd.DataFrame, package: Package) -> dict[str, list[Any]]:
    first = rows.reindex(columns=list(package.schema.feature_names)).head(1).astype(object)
    return {str(name): values.where(values.notna(), None).tolist() for name, values in first.items()}


def _curves(before: ProjectSnapshot, after: ProjectSnapshot) -> dict[str, Any]:
    return {
        name: tuple(
            _curve_points(snapshot.folder / paths.PLOTS / f"{name}.csv", *columns) for snapshot in (before, after)
        )
        for name, columns in _CURVES.items()
    }


def _curve_points(path: Path, x: str, y: str) -> tuple[tuple[float, float], ...]:
    import csv

    if not path.is_file():
        return ()
    with path.open(encoding="utf-8", newline="") as stream:
        rows = [(float(row[x]), float(row[y])) for row in csv.DictReader(stream) if row[x] and row[y]]
    step = max(len(rows) // 200, 1)
    return tuple(rows[::step])
