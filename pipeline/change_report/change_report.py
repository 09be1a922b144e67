"""Compare both sides of a change: settings, stages, figures with intervals, gates, slices, columns, size, time."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import files
from pipeline.change_report.setting_changes import changed_settings
from pipeline.change_report.snapshots import snapshots_before_and_after
from pipeline.change_report.stage_changes import stages_that_ran, stages_to_run
from pipeline.config.config_loader import build_config
from pipeline.config.strict_yaml import read_yaml
from pipeline.errors import ConfigError
from pipeline.gates import compare_schemas
from pipeline.metrics import METRICS, compare_paired
from pipeline.modeling.classifier import encode_target
from pipeline.modeling.scored_rows import make_scored_rows
from pipeline.project import paths
from pipeline.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pandas as pd

    from pipeline.change_report.setting_changes import SettingChange
    from pipeline.change_report.snapshots import ProjectSnapshot
    from pipeline.change_report.stage_changes import StageChange
    from pipeline.config.root_config import Config
    from pipeline.gates import SchemaChange
    from pipeline.metrics import MetricEstimate
    from pipeline.package import Package

__all__ = ["ChangeReport", "GateChange", "MetricChange", "SliceChange", "build_change_report"]

_N_WARM_UP, _N_TIMED = 5, 101
_CURVES = {"calibration": ("predicted", "observed"), "roc": ("false_positive_rate", "true_positive_rate")}

MetricInterval = tuple[float | None, float | None, float | None]


@dataclass(frozen=True, slots=True)
class MetricChange:
    """One metric on the test rows: value, low and high of both sides.

    `difference` is after minus before by the paired bootstrap, None where the two were not judged on the same rows.
    """

    name: str
    unit: str
    higher_is_better: bool
    before: MetricInterval | None
    after: MetricInterval | None
    difference: MetricInterval | None

    @property
    def verdict(self) -> str:
        """`better` or `worse` where the difference is beyond chance, `not told apart`, or `not compared`."""
        if self.difference is None or None in self.difference:
            return "not compared"
        _, low, high = self.difference
        if low == high == 0:
            return "equal"
        if low is not None and high is not None and low <= 0 <= high:
            return "not told apart"
        return "better" if ((low or 0.0) > 0) is self.higher_is_better else "worse"


@dataclass(frozen=True, slots=True)
class GateChange:
    """One gate before and after; None where it was not asked."""

    name: str
    before: str | None
    after: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class SliceChange:
    """A part of the test rows whose figure got worse; beyond chance when it left its earlier interval."""

    column: str
    part: str
    metric: str
    n_rows: int
    before: float
    after: float
    is_beyond_chance: bool


@dataclass(frozen=True, slots=True)
class ChangeReport:
    """What a change does; `notes` say what could not be compared and what to do about it."""

    base: str
    notes: tuple[str, ...]
    settings: tuple[SettingChange, ...]
    executed_stages: tuple[StageChange, ...]
    pending_stages: tuple[StageChange, ...]
    is_same_model: bool | None
    metrics: tuple[MetricChange, ...]
    gate_verdicts: tuple[str | None, str | None]
    gates: tuple[GateChange, ...]
    slices: tuple[SliceChange, ...]
    schema: tuple[SchemaChange, ...]
    size_mb: tuple[float | None, float | None]
    latency_ms: tuple[float, float] | None
    curves: Mapping[str, tuple[tuple[tuple[float, float], ...], tuple[tuple[float, float], ...]]]

    @property
    def is_stale(self) -> bool:
        """Whether the model of the folder is not the one that its settings give."""
        return any(one.stage in ("train", "evaluate") for one in self.pending_stages)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        figures = [{**asdict(one), "verdict": one.verdict} for one in self.metrics]
        return {**asdict(self), "figures": figures}


def build_change_report(root: Path, base: str, *, with_latency: bool = False) -> ChangeReport:
    """Return what the folder changes against the commit at which it left `base`.

    Parameters
    ----------
    root : Path
        Folder of the project.
    base : str
        A branch, tag or commit.
    with_latency : bool
        Whether both packages are timed on one row, side by side; the result differs by machine and moment.

    Raises
    ------
    UsageError, DataError, ConfigError
        When one of the sides cannot be read.
    DependencyUnavailable
        When DVC does not answer.
    """
    graph = read_yaml(root / "dvc.yaml")["stages"]
    with snapshots_before_and_after(root, base) as (before, after):
        to_run = stages_to_run(root, graph, after.lock, after.settings)
        config = build_config(after.settings, where="conf/")
        packages = before.load_package(), after.load_package()
        digests = tuple(None if one is None else one.digest for one in packages)
        differences = _paired_differences(before, after, packages, config)
        return ChangeReport(
            before.name,
            tuple(_notes(before, after, to_run, is_paired=bool(differences))),
            changed_settings(before.settings, after.settings, graph),
            stages_that_ran(before.lock, after.lock) if before.lock else (),
            to_run,
            None if None in digests else digests[0] == digests[1],
            tuple(_metric_changes(before, after, differences)),
            (_gate_verdict(before), _gate_verdict(after)),
            tuple(_gate_changes(before, after)),
            tuple(_worsened_slices(before, after)),
            tuple(_schema_changes(before, config)),
            (_package_size_mb(packages[0]), _package_size_mb(packages[1])),
            _latencies_ms(packages, after) if with_latency else None,
            _curves(before, after),
        )


def _notes(
    before: ProjectSnapshot, after: ProjectSnapshot, to_run: tuple[StageChange, ...], *, is_paired: bool
) -> Iterator[str]:
    yield from (side.missing_reason for side in (before, after) if side.missing_reason is not None)
    if any(one.stage in ("train", "evaluate") for one in to_run) and after.lock:
        yield "the figures of this folder are those of its last run; run `dvc repro` to see what the change does to them"
    if before.missing_reason is None and after.missing_reason is None and not is_paired:
        yield "the test rows or classes are not the same on both sides, so figures are shown beside each other, not compared"


def _paired_differences(
    before: ProjectSnapshot, after: ProjectSnapshot, packages: tuple[Package | None, Package | None], config: Config
) -> dict[str, MetricEstimate]:
    """Return differences by metric of both models on the same test rows; empty where they cannot be had."""
    old, new = packages
    is_same = before.output_md5(paths.TEST_ROWS) is not None and before.output_md5(paths.TEST_ROWS) == after.output_md5(
        paths.TEST_ROWS
    )
    if (
        old is None
        or new is None
        or not is_same
        or old.classes != new.classes
        or not (after.folder / paths.TEST_ROWS).is_file()
    ):
        return {}
    rows = files.read_parquet(after.folder / paths.TEST_ROWS)
    if any(name not in rows for name in (*old.schema.feature_names, *new.schema.feature_names)):
        return {}
    target = new.schema.target
    codes = encode_target(rows, target)
    evaluation = config.evaluation
    scored = [
        make_scored_rows(
            target, codes, one.predict_proba(rows), threshold=one.threshold, n_bins=evaluation.calibration_bins
        )
        for one in (new, old)
    ]
    names = [name for name in config.evaluation.metrics if name in METRICS]
    return compare_paired(
        scored[0],
        scored[1],
        names,
        confidence_level=evaluation.confidence_level,
        n_resamples=evaluation.bootstrap_samples,
        seed=config.seed,
    )


def _metric_changes(
    before: ProjectSnapshot, after: ProjectSnapshot, differences: Mapping[str, MetricEstimate]
) -> Iterator[MetricChange]:
    old, new = ((side.read_json(paths.EVALUATION_REPORT) or {}).get("metrics", {}) for side in (before, after))
    for name in dict.fromkeys((*new, *old)):
        known = new.get(name, old.get(name))
        found = differences.get(name)
        yield MetricChange(
            name,
            known["unit"],
            known["higher_is_better"],
            _to_interval(old.get(name)),
            _to_interval(new.get(name)),
            None if found is None else _to_interval(found.as_dict()),
        )


def _to_interval(estimate: Mapping[str, Any] | None) -> MetricInterval | None:
    return None if estimate is None else (estimate["value"], estimate["low"], estimate["high"])


def _gate_verdict(side: ProjectSnapshot) -> str | None:
    found = side.read_json(paths.REGISTRATION_REPORT)
    return None if found is None else str(found["verdict"])


def _gate_changes(before: ProjectSnapshot, after: ProjectSnapshot) -> Iterator[GateChange]:
    old, new = (
        {gate["name"]: gate for gate in (side.read_json(paths.REGISTRATION_REPORT) or {}).get("gates", ())}
        for side in (before, after)
    )
    for name in dict.fromkeys((*new, *old)):
        then, now = old.get(name, {}), new.get(name, {})
        reason = now["reason"] if now else then["reason"]
        yield GateChange(name, then.get("result"), now.get("result"), reason)


def _worsened_slices(before: ProjectSnapshot, after: ProjectSnapshot) -> Iterator[SliceChange]:
    """Yield the parts that got worse, those beyond chance first, then by how much."""
    old, new = (
        {
            (one["column"], one["part"], one["metric"]): one
            for one in (side.read_json(paths.EVALUATION_REPORT) or {}).get("slices", ())
        }
        for side in (before, after)
    )
    worse = []
    for key in sorted(set(old) & set(new)):
        then, now = old[key], new[key]
        if key[2] not in METRICS or then["value"] is None or now["value"] is None:
            continue
        sign = -1.0 if METRICS[key[2]].higher_is_better else 1.0
        if sign * (now["value"] - then["value"]) <= 0:
            continue
        edge = then["low"] if sign < 0 else then["high"]
        is_beyond = edge is not None and sign * (now["value"] - edge) > 0
        worse.append(
            (
                not is_beyond,
                -abs(now["value"] - then["value"]),
                SliceChange(*key, now["rows"], then["value"], now["value"], is_beyond),
            )
        )
    yield from (one for _, _, one in sorted(worse, key=lambda entry: entry[:2]))


def _schema_changes(before: ProjectSnapshot, config: Config) -> list[SchemaChange]:
    try:
        earlier = build_config(before.settings, where=before.name)
    except ConfigError:  # settings of an earlier form: the package says what callers sent
        package = before.load_package()
        return [] if package is None else compare_schemas(package.schema, Schema.from_config(config.data))
    return compare_schemas(Schema.from_config(earlier.data), Schema.from_config(config.data))


def _package_size_mb(package: Package | None) -> float | None:
    return None if package is None else round(sum(one.size for one in package.manifest.files.values()) / 1e6, 3)


def _latencies_ms(
    packages: tuple[Package | None, Package | None], after: ProjectSnapshot
) -> tuple[float, float] | None:
    """Return the median time for one row of both, in milliseconds, taken in turn."""
    old, new = packages
    if old is None or new is None or not (after.folder / paths.TEST_ROWS).is_file():
        return None
    rows = files.read_parquet(after.folder / paths.TEST_ROWS)
    taken: dict[int, list[float]] = {0: [], 1: []}
    asked = [_first_row(rows, one) for one in (old, new)]
    for _ in range(_N_WARM_UP + _N_TIMED):
        for side, one in enumerate((old, new)):
            started = time.perf_counter()
            one.predict_proba(asked[side])
            taken[side].append(time.perf_counter() - started)
    before, now = (float(np.median(taken[side][_N_WARM_UP:])) * 1e3 for side in (0, 1))
    return before, now


def _first_row(rows: pd.DataFrame, package: Package) -> dict[str, list[Any]]:
    first = rows.reindex(columns=list(package.schema.feature_names)).head(1).astype(object)
    return {str(name): values.where(values.notna(), None).tolist() for name, values in first.items()}


def _curves(before: ProjectSnapshot, after: ProjectSnapshot) -> dict[str, Any]:
    return {
        name: tuple(_curve_points(side.folder / paths.PLOTS / f"{name}.csv", *columns) for side in (before, after))
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
