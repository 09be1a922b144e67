"""How long does it take to judge a window? Ours beside scipy on the raw rows, and beside others where they are installed.

Each way runs in a process of its own. `--peers PYTHON` names the interpreter of an environment that has `evidently`,
`nannyml` or both with the pandas that they want.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 - needs the path above
import pandas as pd  # noqa: E402 - needs the path above

NUMBERS, WHOLE, WORDS = ("income", "spent", "age"), ("visits", "friends"), ("plan", "region")


def make_rows(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {name: rng.normal(size=n) for name in NUMBERS}
    columns |= {name: rng.integers(0, 12, n).astype(float) for name in WHOLE}
    columns |= {name: rng.choice([f"{name} {i}" for i in range(4)], n, p=[0.4, 0.3, 0.2, 0.1]) for name in WORDS}
    frame = pd.DataFrame(columns)
    for name in (*NUMBERS, *WHOLE):
        frame.loc[rng.random(n) < 0.05, name] = np.nan
    return frame


def by_counts(before: pd.DataFrame, after: pd.DataFrame) -> tuple[float, dict[str, float], dict[str, float]]:
    """Return seconds for a window against a stored reference, and statistics of each column."""
    from pipeline.config.compose import compose
    from pipeline.config.load import build
    from pipeline.monitoring import Cells, count_window, expected_performance, find_drift
    from pipeline.package.reference import describe
    from pipeline.schema import Column, Schema, Target

    columns = [
        *(Column(one, "float", "Float64", nullable=True) for one in NUMBERS),
        *(Column(one, "integer", "Int64", nullable=True) for one in WHOLE),
        *(Column(one, "category", "category", categories=tuple(f"{one} {i}" for i in range(4))) for one in WORDS),
    ]
    schema = Schema("bench", tuple(columns), Target("y", ("no", "yes"), "yes"))
    score = np.random.default_rng(0).beta(1, 2, len(before))
    made = describe(before, schema, score=score, predicted=np.where(score < 0.5, "no", "yes"), n_bins=10, threshold=0.5)
    config = build(compose([], conf=ROOT / "conf").values, where="conf").drift
    find_drift(made, count_window(made, after.head(300), n_rows=300), config, min_rows=200)  # imports
    started = time.perf_counter()
    window = count_window(made, after, n_rows=len(after))
    counted = time.perf_counter()
    report = find_drift(made, window, config, min_rows=200)
    judged = time.perf_counter()
    scores = made.score.finest.count(score)
    at = time.perf_counter()
    expected_performance(
        Cells.from_histogram(made.score, scores, schema.target, threshold=0.5), confidence=0.95, draws=200, seed=0
    )
    parts = {
        "statistics and verdicts from the counts, ms": 1000 * (judged - counted),
        "expected performance from the score's counts, ms": 1000 * (time.perf_counter() - at),
        "state of the window, KB": window.n_bytes / 1000,
    }
    figures = {}
    for one in report.findings:
        name = "kolmogorov_smirnov" if one.column in (*NUMBERS, *WHOLE) else "jensen_shannon"
        figures[one.column] = one.statistics[name]
    return judged - started, figures, parts


def by_scipy(before: pd.DataFrame, after: pd.DataFrame) -> tuple[float, dict[str, float], dict[str, float]]:
    from scipy.spatial.distance import jensenshannon
    from scipy.stats import chi2_contingency, ks_2samp, wasserstein_distance

    started, figures = time.perf_counter(), {}
    for name in (*NUMBERS, *WHOLE):
        p, q = before[name].dropna().to_numpy(), after[name].dropna().to_numpy()
        figures[name] = float(ks_2samp(p, q, method="asymp").statistic)
        wasserstein_distance(p, q)
    for name in WORDS:
        table = pd.concat([before[name].value_counts(), after[name].value_counts()], axis=1).fillna(0).to_numpy().T
        chi2_contingency(table)
        figures[name] = float(jensenshannon(table[0], table[1], base=2))
    return time.perf_counter() - started, figures, {}


def by_evidently(before: pd.DataFrame, after: pd.DataFrame) -> tuple[float, dict[str, float], dict[str, float]]:
    from evidently import Report
    from evidently.presets import DataDriftPreset

    started = time.perf_counter()
    Report([DataDriftPreset()]).run(current_data=after, reference_data=before).dict()
    return time.perf_counter() - started, {}, {}


def by_nannyml(before: pd.DataFrame, after: pd.DataFrame) -> tuple[float, dict[str, float], dict[str, float]]:
    import nannyml as nml

    names = [*NUMBERS, *WHOLE, *WORDS]
    calculator = nml.UnivariateDriftCalculator(
        column_names=names,
        chunk_size=len(after),
        continuous_methods=["kolmogorov_smirnov", "jensen_shannon", "wasserstein"],
        categorical_methods=["chi2", "jensen_shannon"],
    )
    calculator.fit(before)
    started = time.perf_counter()
    calculator.calculate(after)
    return time.perf_counter() - started, {}, {}


WAYS = {"ours": by_counts, "scipy": by_scipy, "evidently": by_evidently, "nannyml": by_nannyml}


def run_here(way: str, n: int) -> None:
    before, after = make_rows(n, 0), make_rows(n, 1)
    seconds, figures, parts = WAYS[way](before, after)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak_mb, "figures": figures, "parts": parts}))


def measure(way: str, n: int, python: str) -> dict[str, Any] | None:
    command = [python, __file__, "--way", way, "--rows", str(n)]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        print(f"{way}: cannot be run here ({last[0][:150]})")
        return None
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the window, and of the reference")
    parser.add_argument("--peers", help="interpreter of an environment with evidently or nannyml")
    parser.add_argument("--way", choices=list(WAYS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way is not None:
        run_here(given.way, given.rows)
        return
    print(f"{given.rows:,} rows against {given.rows:,}, seven columns; seconds exclude reading and imports")
    ours = measure("ours", given.rows, sys.executable)
    if ours is None:
        sys.exit(1)
    others = {"scipy": sys.executable, **(dict.fromkeys(("evidently", "nannyml"), given.peers) if given.peers else {})}
    print(f"{'ours':12} {ours['seconds']:8.3f} s {ours['peak_mb']:7.0f} MB")
    for way, python in others.items():
        found = measure(way, given.rows, python)
        if found is None:
            continue
        times = found["seconds"] / ours["seconds"]
        print(f"{way:12} {found['seconds']:8.3f} s {found['peak_mb']:7.0f} MB  {times:6.1f} times")
        for column, value in found["figures"].items():
            print(f"    {column:8} {value:.9f}, ours {ours['figures'][column]:.9f}")
    for what, value in ours["parts"].items():
        print(f"{what}: {value:.1f}")


if __name__ == "__main__":
    main()
