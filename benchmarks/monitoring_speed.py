"""Measure how long a drift report of a window takes, and compare its statistics with peers; parts can run alone.

    python benchmarks/monitoring_speed.py --parts drift,state,estimate,agreement,wide,run

Each implementation runs in a process of its own. Peers (Evidently, NannyML) are installed by pip in an
environment of their own, below the user's cache; where that fails, their rows are left out with the reason.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
from monitoring_implementations import NUMBERS, WHOLE, WORDS

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

_PEER_FOLDER = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "declarative-mlops/peers/monitoring"
_PACKAGES = ("evidently", "nannyml", "pandas<3", "pyarrow")
_N_WIDE, _WIDE_ROWS, _PIECE = 1_000, 300_000, 50_000


def print_row(
    what: str, value: float, unit: str, *, at_most: float | None = None, at_least: float | None = None
) -> None:
    """Print a measurement with its target, met or missed."""
    comparison = ""
    if at_most is not None:
        comparison = f"target: at most {at_most:g}   {'met' if value <= at_most else 'MISSED'}"
    if at_least is not None:
        comparison = f"target: at least {at_least:g}   {'met' if value >= at_least else 'MISSED'}"
    print(f"  {what:62} {value:12,.4g} {unit:6} {comparison}", flush=True)


def peer_python() -> Path | None:
    """Return the interpreter of the peers' environment, made by pip where it is not there."""
    python = _PEER_FOLDER / "bin/python"
    import_check = [str(python), "-c", "import evidently, nannyml, pyarrow"]
    if python.exists() and subprocess.run(import_check, capture_output=True, check=False).returncode == 0:
        return python
    try:
        subprocess.run([sys.executable, "-m", "venv", str(_PEER_FOLDER)], check=True, capture_output=True, text=True)
        command = [str(python), "-m", "pip", "install", "--quiet", *_PACKAGES]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=900)
    except (OSError, subprocess.SubprocessError) as error:
        message = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        print(f"  peers are left out: {message[-1] if message else 'pip failed'}")
        return None
    return python


def run_implementation(implementation: str, folder: Path, python: Path | str = sys.executable) -> dict[str, Any] | None:
    """Run one implementation in a process of its own; None, with the reason printed, where it fails."""
    command = [str(python), str(Path(__file__).with_name("monitoring_implementations.py")), implementation, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        print(f"  {implementation} is left out: {last[0][:150]}")
        return None
    measurement: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measurement


def make_rows(n: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {name: rng.normal(shift, size=n) for name in NUMBERS}
    columns |= {name: np.minimum(rng.binomial(12, 0.4 + shift / 5, n), 12).astype(float) for name in WHOLE}
    shares = np.array([0.4, 0.3, 0.2, 0.1]) + shift * np.array([-0.2, 0.1, 0.1, 0.0])
    columns |= {name: rng.choice([f"{name} {i}" for i in range(4)], n, p=shares) for name in WORDS}
    frame = pd.DataFrame(columns)
    for name in (*NUMBERS, *WHOLE):
        frame.loc[rng.random(n) < 0.05, name] = np.nan
    return frame


def describe_schema(frame: pd.DataFrame) -> Any:
    """Return the reference of rows, with scores that fit no model: they are not compared here."""
    from pipeline.package.reference import build_reference
    from pipeline.schema import Column, Schema, Target

    columns = []
    for name in frame.columns:
        if name.startswith(WORDS):
            words = tuple(f"{name} {i}" for i in range(4))
            columns.append(Column(name, "category", "category", categories=words))
        else:
            is_whole = name.startswith(WHOLE)
            columns.append(
                Column(name, "integer" if is_whole else "float", "Int64" if is_whole else "Float64", nullable=True)
            )
    schema = Schema("bench", tuple(columns), Target("y", ("no", "yes"), "yes"))
    score = np.random.default_rng(0).beta(1, 2, len(frame))
    predicted = np.where(score < 0.5, "no", "yes")
    return build_reference(frame, schema, score=score, predicted=predicted, n_bins=10, threshold=0.5)


def write_rows(folder: Path, n: int, shift: float = 0.1) -> None:
    before = make_rows(n, 0)
    before.to_parquet(folder / "before.parquet")
    make_rows(n, 1, shift).to_parquet(folder / "after.parquet")
    (folder / "reference.json").write_text(json.dumps(describe_schema(before).as_dict()), encoding="utf-8")


def benchmark_drift(folder: Path, n: int) -> None:
    """A window of raw rows against a stored reference: time without reading and imports, peak of the whole process."""
    write_rows(folder, n)
    engine, by_column = run_implementation("engine_drift", folder), run_implementation("engine_drift_by_column", folder)
    if engine is None or by_column is None:
        sys.exit(1)
    print_row("engine: counting, every statistic, verdicts", engine["seconds"], "s")
    print_row("engine: peak, the window as a frame", engine["peak_mb"], "MB")
    print_row("engine: peak, the window read column by column", by_column["peak_mb"], "MB")
    print_row("engine: reading column by column, counting, verdicts", by_column["seconds"], "s")
    python = peer_python()
    others: dict[str, Path | str] = {"scipy_drift": sys.executable}
    if python is not None:
        others |= {"nannyml_drift": python, "evidently_drift": python}
    for implementation, interpreter in others.items():
        if (measurement := run_implementation(implementation, folder, interpreter)) is None:
            continue
        print_row(f"{implementation}: time", measurement["seconds"], "s")
        target = 50 if implementation == "evidently_drift" else 12
        print_row(
            f"{implementation}: times slower than engine",
            measurement["seconds"] / engine["seconds"],
            "",
            at_least=target,
        )
        target = 0.25 if implementation == "evidently_drift" else None
        for what, measured in (("frame", engine), ("by column", by_column)):
            part = measured["peak_mb"] / measurement["peak_mb"]
            print_row(
                f"{implementation}: our peak ({what}), as a part of its {measurement['peak_mb']:,.0f} MB",
                part,
                "",
                at_most=target,
            )


def benchmark_state(_: Path, n: int) -> None:
    """What follows from counts alone."""
    from pipeline.config.config_loader import load_params
    from pipeline.monitoring import (
        DriftContext,
        IntervalOptions,
        ScoreHistogram,
        count_frame,
        detect_drift,
        estimate_performance,
    )
    from pipeline.schema import Target

    before, after = make_rows(min(n, 100_000), 0), make_rows(min(n, 100_000), 1, 0.1)
    made = describe_schema(before)
    context = DriftContext(load_params(ROOT / "params.yaml").drift, min_rows=200)
    whole = count_frame(made, after, n_rows=len(after))
    half = len(after) // 2
    parts = [count_frame(made, rows, n_rows=len(rows)) for rows in (after[:half], after[half:])]
    merged = parts[0].merge(parts[1])
    unequal = sum(int((merged.features[name] != counts).sum()) for name, counts in whole.features.items())
    score = np.random.default_rng(0).beta(1, 2, 1_000_000)
    target, scores = Target("y", ("no", "yes"), "yes"), made.score.finest.count(score)

    def estimate() -> None:
        histogram = ScoreHistogram.from_histogram(made.score, scores, target, threshold=0.5)
        estimate_performance(histogram, intervals=IntervalOptions(0.95, 200, 0))

    print_row(
        "statistics and verdicts from the counts, median of 15",
        median_ms(lambda: detect_drift(made, whole, context)),
        "ms",
        at_most=5,
    )
    print_row("expected performance from the score's counts, median of 15", median_ms(estimate), "ms", at_most=10)
    print_row("state of the window", whole.n_bytes / 1000, "KB", at_most=50)
    print_row("bins in which merge(A, B) is not count(A + B)", unequal, "", at_most=0)


def median_ms(task: Any, rounds: int = 15) -> float:
    """Return the median time of the processor: the wall clock also counts other programs."""
    spent = []
    for _ in range(rounds + 1):
        started = time.process_time()
        task()
        spent.append(1000 * (time.process_time() - started))
    return median(spent[1:])


def benchmark_estimate(folder: Path, n: int) -> None:
    """Performance before outcomes, from a million probabilities that are calibrated."""
    for name, seed in (("scores", 1), ("known", 0)):
        rng = np.random.default_rng(seed)
        score = rng.beta(1, 2 - seed / 2, n if name == "scores" else 50_000)
        frame = pd.DataFrame({"y_pred_proba": score, "y_pred": (score >= 0.5).astype(int)})
        if name == "known":
            frame["y_true"] = (rng.random(len(score)) < score).astype(int)
        frame.to_parquet(folder / f"{name}.parquet")
    engine, python = run_implementation("engine_estimate", folder), peer_python()
    if engine is None:
        sys.exit(1)
    print_row("engine, with its band of 200 draws", engine["seconds"], "s")
    other = run_implementation("nannyml_estimate", folder, python) if python is not None else None
    if other is None:
        return
    print_row("NannyML, without its fit", other["seconds"], "s")
    print_row("times slower than engine", other["seconds"] / engine["seconds"], "", at_least=10)
    for name, value in other["statistics"]["all"].items():
        value_of_engine = engine["statistics"]["all"][name]
        print_row(
            f"{name}: {value_of_engine:.6f}, NannyML {value:.6f}, difference",
            abs(value_of_engine - value),
            "",
            at_most=0.001,
        )


def compare_results(folder: Path, _: int) -> None:
    """The same statistics of the same rows, where they are defined alike."""
    write_rows(folder, 100_000)
    engine, python = run_implementation("engine_drift", folder), peer_python()
    implementations: dict[str, Path | str] = {"scipy_drift": sys.executable}
    if python is not None:
        implementations |= {"evidently_statistics": python, "nannyml_statistics": python}
    if engine is None:
        sys.exit(1)
    for statistics in engine["statistics"].values():
        if "wasserstein" in statistics:
            statistics["wasserstein, clipped"] = statistics["wasserstein"]
    for implementation, interpreter in implementations.items():
        if (measurement := run_implementation(implementation, folder, interpreter)) is None:
            continue
        worst = _largest_differences(engine["statistics"], measurement["statistics"])
        for (statistic, kind), off in worst.items():
            print_row(
                f"{implementation}: {statistic}, {kind}: largest difference",
                off,
                "",
                at_most=0.001 if kind == "continuous" or statistic == "wasserstein" else 1e-9,
            )


def benchmark_wide(folder: Path, _: int) -> None:
    """300,000 rows by 1,000 columns from a file against a stored reference of 100,000 rows; ten columns are shifted."""
    from pyarrow import Table, parquet

    sections, shifted = [], []
    for index in range(0, _N_WIDE, 100):
        part = _wide_rows(100_000, range(index, index + 100), seed=index, is_shifted=False)
        sections.append(describe_schema(part))
        shifted.append(next(iter(part.columns)))
    made = replace(sections[0], columns=tuple(bins for section in sections for bins in section.columns))
    (folder / "reference.json").write_text(json.dumps(made.as_dict()), encoding="utf-8")
    writer = None
    for index in range(0, _WIDE_ROWS, _PIECE):
        table = Table.from_pandas(_wide_rows(_PIECE, range(_N_WIDE), seed=10_000 + index, is_shifted=True))
        writer = writer or parquet.ParquetWriter(folder / "after.parquet", table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()
    if (measurement := run_implementation("engine_drift_wide", folder)) is None:
        sys.exit(1)
    print_row("reading, counting, statistics, verdicts", measurement["seconds"], "s", at_most=60)
    print_row("peak", measurement["peak_mb"], "MB", at_most=1500)
    wrong = set(measurement["statistics"]["drifted"]) ^ set(shifted)
    print_row("columns that are named wrongly: shifted and not named, or the reverse", len(wrong), "", at_most=0)


def _largest_differences(engine: dict[str, Any], theirs: dict[str, Any]) -> dict[tuple[str, str], float]:
    """Return the largest difference by statistic and kind of column; that of chi-squared is relative."""
    kinds = {"continuous": NUMBERS, "whole numbers": WHOLE, "words": WORDS}
    worst: dict[tuple[str, str], float] = {}
    for kind, column in ((kind, column) for kind, names in kinds.items() for column in names):
        for statistic, value in theirs.get(column, {}).items():
            off = abs(engine[column][statistic] - value)
            off /= max(abs(value), 1.0) if statistic == "chi_squared" else 1.0
            worst[statistic, kind] = max(worst.get((statistic, kind), 0.0), off)
    return worst


def _wide_rows(n: int, numbers: range, *, seed: int, is_shifted: bool) -> pd.DataFrame:
    """Return seven tenths real numbers, two whole ones and one of words; each hundredth column may be shifted."""
    rng, columns = np.random.default_rng(seed), {}
    for index in numbers:
        if index % 10 < 7:
            shift = 0.5 if is_shifted and index % 100 == 0 else 0.0
            columns[f"income_{index}"] = np.round(rng.standard_normal(n, dtype=np.float32) + np.float32(shift), 3)
        elif index % 10 < 9:
            columns[f"visits_{index}"] = rng.integers(0, 12, n, dtype=np.int8)
        else:
            words = [f"plan_{index} {i}" for i in range(4)]
            columns[f"plan_{index}"] = pd.Categorical.from_codes(rng.integers(0, 4, n), words)
    return pd.DataFrame(columns)


def benchmark_run(folder: Path, n: int) -> None:
    """`python -m stages.monitor` where it ran before (MLflow's store exists), on a million uncounted rows."""
    from benchmark_setup import log_rows, make_package, promote_package

    from pipeline.state import open_state

    made, opened = make_package(folder), open_state(folder)
    promote_package(opened, made, folder)
    for name in ("conf", "params.yaml"):
        (folder / name).symlink_to(ROOT / name)
    command = [sys.executable, "-m", "stages.monitor", "-cd", ".", "-cn", "params"]
    how: dict[str, Any] = {"cwd": folder, "env": {**os.environ, "PYTHONPATH": str(ROOT)}, "capture_output": True}
    subprocess.run(command, **how, check=True)
    log_rows(opened, made, n, until=opened.clock(), days=0.9)
    opened.close()
    before, started = os.times(), time.perf_counter()
    done = subprocess.run(command, **how, text=True, check=False)
    spent, after = time.perf_counter() - started, os.times()
    if done.returncode:
        sys.exit(done.stderr)
    used = after.children_user + after.children_system - before.children_user - before.children_system
    print_row("start-up, counting, drift detection, report, MLflow's run", spent, "s", at_most=5)
    print_row("the same, time of the processor", used, "s")


BENCHMARKS = {
    "drift": benchmark_drift,
    "state": benchmark_state,
    "estimate": benchmark_estimate,
    "agreement": compare_results,
    "wide": benchmark_wide,
    "run": benchmark_run,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the window, and of the reference")
    parser.add_argument("--parts", default=",".join(BENCHMARKS), help="which, separated by commas")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts.split(",")) - set(BENCHMARKS):
        parser.error(f"--parts: {', '.join(sorted(unknown))}; accepted: {', '.join(BENCHMARKS)}")
    for part in arguments.parts.split(","):
        print(f"{part}: {(BENCHMARKS[part].__doc__ or '').strip()}")
        with tempfile.TemporaryDirectory() as name:
            BENCHMARKS[part](Path(name), arguments.rows)


if __name__ == "__main__":
    main()
