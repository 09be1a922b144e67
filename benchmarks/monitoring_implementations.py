"""Run one implementation of drift detection or estimation and print its statistics as JSON.

Call it as `monitoring_implementations.py NAME FOLDER`.

Run by the interpreter of our environment or of the peers': the engine is imported by its own implementations only.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

ROOT = Path(__file__).parents[1]
NUMBERS, WHOLE, WORDS = ("income", "spent", "age"), ("visits", "friends"), ("plan", "region")
METRICS = ("accuracy", "roc_auc", "precision", "recall")


def read_rows(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    return pd.read_parquet(folder / "before.parquet"), pd.read_parquet(folder / "after.parquet")


def engine_drift(folder: Path) -> dict[str, Any]:
    """Detect drift of the window against `reference.json`: the reference's rows are not read."""
    sys.path.insert(0, str(ROOT))
    from pipeline.config.config_loader import load_params
    from pipeline.monitoring import DriftContext, count_frame, detect_drift
    from pipeline.package import Reference

    made = Reference.from_dict(json.loads((folder / "reference.json").read_text(encoding="utf-8")))
    context = DriftContext(load_params(ROOT / "params.yaml").drift, min_rows=200)
    after = pd.read_parquet(folder / "after.parquet")
    detect_drift(made, count_frame(made, after.head(300), n_rows=300), context)  # imports
    started = time.perf_counter()
    report = detect_drift(made, count_frame(made, after, n_rows=len(after)), context)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "statistics": {finding.column: finding.statistics for finding in report.findings}}


def engine_drift_by_column(folder: Path) -> dict[str, Any]:
    """Detect drift of the window as `engine_drift`, but each column of the file is read when it is counted."""
    return engine_drift_wide(folder)


def scipy_drift(folder: Path) -> dict[str, Any]:
    from scipy.spatial.distance import jensenshannon
    from scipy.stats import chi2_contingency, ks_2samp, wasserstein_distance

    before, after = read_rows(folder)
    statistics: dict[str, dict[str, float]] = {}
    started = time.perf_counter()
    for name in (*NUMBERS, *WHOLE):
        p, q = before[name].dropna().to_numpy(), after[name].dropna().to_numpy()
        statistics[name] = {
            "kolmogorov_smirnov": float(ks_2samp(p, q, method="asymp").statistic),
            "wasserstein": float(wasserstein_distance(p, q) / p.std()),
        }
    statistics |= _clipped_statistics(folder, before, after, statistics)
    for name in WORDS:
        table = pd.concat([before[name].value_counts(), after[name].value_counts()], axis=1).fillna(0).to_numpy().T
        statistics[name] = {
            "chi_squared": float(chi2_contingency(table, correction=False)[0]),
            "jensen_shannon": float(jensenshannon(table[0], table[1], base=2)),
        }
    return {"seconds": time.perf_counter() - started, "statistics": statistics}


def _clipped_statistics(
    folder: Path, before: pd.DataFrame, after: pd.DataFrame, statistics: dict[str, dict[str, float]]
) -> dict[str, dict[str, float]]:
    """Add the distance of whole numbers that lie at the outermost edges where they were beyond, as the engine does."""
    from scipy.stats import wasserstein_distance

    columns = json.loads((folder / "reference.json").read_text(encoding="utf-8"))["columns"]
    clipped_statistics = {}
    for bins in (column for column in columns if column["name"] in WHOLE):
        ends = bins["points"][0], bins["points"][-1]
        p, q = (side[bins["name"]].dropna().clip(*ends).to_numpy() for side in (before, after))
        clipped = float(wasserstein_distance(p, q) / bins["deviation"])
        clipped_statistics[bins["name"]] = {**statistics[bins["name"]], "wasserstein, clipped": clipped}
    return clipped_statistics


def evidently_drift(folder: Path) -> dict[str, Any]:
    from evidently import Report
    from evidently.presets import DataDriftPreset

    before, after = read_rows(folder)
    started = time.perf_counter()
    Report([DataDriftPreset()]).run(current_data=after, reference_data=before).dict()
    return {"seconds": time.perf_counter() - started, "statistics": {}}


def evidently_statistics(folder: Path) -> dict[str, Any]:
    """The statistics that Evidently and the engine define alike; its Jensen-Shannon has the natural logarithm."""
    from evidently import Report
    from evidently.metrics import ValueDrift

    before, after = read_rows(folder)
    requested = [(name, "wasserstein", "wasserstein") for name in (*NUMBERS, *WHOLE)]
    requested += [(name, *pair) for name in WORDS for pair in (("jensenshannon", "jensen_shannon"), ("psi", "psi"))]
    metrics = [ValueDrift(column=name, method=method) for name, method, _ in requested]
    values = Report(metrics).run(current_data=after, reference_data=before).dict()["metrics"]
    statistics: dict[str, dict[str, float]] = {}
    for (name, method, statistic), value in zip(requested, values, strict=True):
        scale = 0.6931471805599453**0.5 if method == "jensenshannon" else 1.0
        statistics.setdefault(name, {})[statistic] = float(value["value"]) / scale
    return {"seconds": 0.0, "statistics": statistics}


def _run_nannyml(folder: Path, *, is_exact: bool) -> dict[str, Any]:
    import nannyml as nml

    before, after = read_rows(folder)
    exact = {name: {"calculation_method": "exact"} for name in ("kolmogorov_smirnov", "wasserstein")}
    calculator = nml.UnivariateDriftCalculator(
        column_names=[*NUMBERS, *WHOLE, *WORDS],
        chunk_size=len(after),
        continuous_methods=["kolmogorov_smirnov", "wasserstein"] + ([] if is_exact else ["jensen_shannon"]),
        categorical_methods=["chi2", "jensen_shannon"],
        computation_params=exact if is_exact else None,
    )
    calculator.fit(before)
    started = time.perf_counter()
    drift = calculator.calculate(after)
    seconds = time.perf_counter() - started
    table = drift.filter(period="analysis").to_df()
    values = {(name[0], name[1]): float(table[name].iloc[0]) for name in table.columns if name[2] == "value"}
    statistics: dict[str, dict[str, float]] = {}
    for (column, method), value in values.items():
        # Its Wasserstein is in the unit of the column.
        scale = float(before[column].std(ddof=0)) if method == "wasserstein" else 1.0
        if method != "jensen_shannon" or column in WORDS:
            statistics.setdefault(column, {})["chi_squared" if method == "chi2" else method] = value / scale
    return {"seconds": seconds, "statistics": statistics}


def nannyml_drift(folder: Path) -> dict[str, Any]:
    return _run_nannyml(folder, is_exact=False)


def nannyml_statistics(folder: Path) -> dict[str, Any]:
    return _run_nannyml(folder, is_exact=True)


def engine_estimate(folder: Path) -> dict[str, Any]:
    sys.path.insert(0, str(ROOT))
    import numpy as np

    from pipeline.monitoring import IntervalOptions, ScoreHistogram, estimate_performance

    score = pd.read_parquet(folder / "scores.parquet")["y_pred_proba"].to_numpy()

    def estimate(part: Any) -> Any:
        histogram = ScoreHistogram.from_rows(np.column_stack([1 - part, part]), (part >= 0.5).astype(int), positive=1)
        return estimate_performance(histogram, METRICS, intervals=IntervalOptions(0.95, 200, 0))

    estimate(score[:500])  # imports
    started = time.perf_counter()
    performance = estimate(score)
    return {
        "seconds": time.perf_counter() - started,
        "statistics": {"all": {name: performance.metrics[name].value for name in METRICS}},
    }


def nannyml_estimate(folder: Path) -> dict[str, Any]:
    """Confidence-based estimation with the probabilities as they are: they are calibrated already."""
    import nannyml as nml
    from nannyml.calibration import Calibrator

    class AsTheyAre(Calibrator):
        def fit(self, *_: Any, **__: Any) -> None: ...

        def calibrate(self, y_pred_proba: Any, *_: Any, **__: Any) -> Any:
            return y_pred_proba

    live, known = pd.read_parquet(folder / "scores.parquet"), pd.read_parquet(folder / "known.parquet")
    estimator = nml.CBPE(
        metrics=list(METRICS), y_pred_proba="y_pred_proba", y_pred="y_pred", y_true="y_true",
        problem_type="classification_binary", chunk_size=len(live), calibrator=AsTheyAre(),
    )  # fmt: skip
    estimator.fit(known)
    started = time.perf_counter()
    performance = estimator.estimate(live)
    seconds = time.perf_counter() - started
    table = performance.filter(period="analysis").to_df()
    return {
        "seconds": seconds,
        "statistics": {"all": {name: float(table[name, "value"].iloc[0]) for name in METRICS}},
    }


def engine_drift_wide(folder: Path) -> dict[str, Any]:
    """Detect drift in a Parquet file of many columns, which is read column by column."""
    sys.path.insert(0, str(ROOT))
    from pipeline.config.config_loader import load_params
    from pipeline.monitoring import DriftContext, count_frame, detect_drift
    from pipeline.package import Reference

    started = time.perf_counter()
    made = Reference.from_dict(json.loads((folder / "reference.json").read_text(encoding="utf-8")))
    columns = _Columns(folder / "after.parquet")
    window = count_frame(made, columns, n_rows=columns.n_rows)
    report = detect_drift(made, window, DriftContext(load_params(ROOT / "params.yaml").drift, min_rows=200))
    return {"seconds": time.perf_counter() - started, "statistics": {"drifted": list(report.drifted_columns)}}


class _Columns(Mapping[str, Any]):
    """The columns of a Parquet file, each read when it is asked for."""

    def __init__(self, path: Path) -> None:
        from pyarrow import parquet

        self._file = parquet.ParquetFile(path)
        self._names = list(self._file.schema_arrow.names)
        self.n_rows = self._file.metadata.num_rows

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        return self._file.read([name])[name].to_pandas()

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _peak_mb() -> float:
    """Return the peak memory of this program alone; `resource` counts the memory of its parent at the start too."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


IMPLEMENTATIONS = {
    function.__name__: function
    for function in (
        engine_drift, engine_drift_by_column, scipy_drift, evidently_drift, nannyml_drift,
        evidently_statistics, nannyml_statistics, engine_estimate, nannyml_estimate, engine_drift_wide,
    )
}  # fmt: skip


if __name__ == "__main__":
    warnings.filterwarnings("ignore")  # of the peers' own libraries
    with contextlib.redirect_stdout(io.StringIO()):
        measurement = IMPLEMENTATIONS[sys.argv[1]](Path(sys.argv[2]))
    print(json.dumps({**measurement, "peak_mb": _peak_mb()}))
