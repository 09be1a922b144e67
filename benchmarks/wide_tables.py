"""Measure what each part of the project takes for a table of few and of many columns: seconds and peak memory.

    python benchmarks/wide_tables.py                    # 100, 500 and 1,504 columns of 8,190 rows
    python benchmarks/wide_tables.py --columns 100 500

The table is made: flags of 0 and 1, twenty amounts, two classes that a twentieth of the flags decide. The peer is
scikit-learn on the same rows in a process of its own: `read_csv`, the same estimator, five folds and the final fit.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from app_latency import PAGES, switch_page, wait_until_rendered  # noqa: E402 - needs the path above

from tests.app.browser import browser_page, running_app_process  # noqa: E402 - needs the path above
from tests.fixtures.workspace import STAGES, Workspace, create_workspace  # noqa: E402 - needs the path above

if TYPE_CHECKING:
    from collections.abc import Iterator

_N_ROWS, _N_AMOUNTS, _SEED = 8_190, 20, 0
_N_REQUESTS, _N_BATCHES, _BATCH_ROWS = 40, 25, 100
_TARGET, _NAME = "outcome", "wide"
_PEER = """
import sys, pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_predict
frame = pd.read_csv(sys.argv[1])
X, y = frame.drop(columns=sys.argv[2]).to_numpy("float32"), frame[sys.argv[2]]
model = HistGradientBoostingClassifier(learning_rate=0.05, max_iter=100, max_leaf_nodes=15, min_samples_leaf=40,
                                       l2_regularization=1.0, early_stopping=False)
cross_val_predict(model, X, y, cv=StratifiedKFold(5, shuffle=True, random_state=0), method="predict_proba")
model.fit(X, y)
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of a command, and the peak memory of the largest of its processes."""

    seconds: float
    peak_mb: float

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s, {self.peak_mb:,.0f} MB"


def make_table(n_columns: int) -> pd.DataFrame:
    """Return a table of `n_columns` columns, the target included."""
    rng = np.random.default_rng(_SEED)
    n_flags = n_columns - 1 - _N_AMOUNTS
    flags = (rng.random((_N_ROWS, n_flags)) < rng.uniform(0.02, 0.5, n_flags)).astype(np.int64)
    amounts = rng.gamma(2.0, 3.0, (_N_ROWS, _N_AMOUNTS)).round(2)
    score = flags @ (rng.normal(size=n_flags) * (rng.random(n_flags) < 0.05)) + 0.1 * amounts[:, 0]
    is_successful = rng.random(_N_ROWS) < 1 / (1 + np.exp(-(score - np.median(score))))
    return pd.DataFrame(
        {f"flag_{i:04}": flags[:, i] for i in range(n_flags)}
        | {f"amount_{i:02}": amounts[:, i] for i in range(_N_AMOUNTS)}
        | {_TARGET: np.where(is_successful, "successful", "unsuccessful")}
    )


def measure_command(project: Workspace, *command: str, accepted: tuple[int, ...] = (0,)) -> Cost:
    """Run a command in the project; the memory is that of the largest process that it waited for."""
    started = time.perf_counter()
    with (project.root / "command.log").open("w") as log:
        process = subprocess.Popen(command, cwd=project.root, env=project.environment(), stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in accepted:
        raise RuntimeError(f"{' '.join(command)}: {(project.root / 'command.log').read_text()[-2000:]}")
    return Cost(time.perf_counter() - started, usage.ru_maxrss / 1024)


def measure_graph(project: Workspace, file: Path) -> Iterator[tuple[str, str]]:
    """Yield the cost of every step from the file to the version in Production."""
    project.run("mlops", "data", "add", str(file))
    yield "data init", str(measure_command(project, "mlops", "data", "init", str(file), "--target", _TARGET))
    project.edit("conf/config.yaml", "data: personality", f"data: {_NAME}")
    training = None
    for stage in STAGES:
        # A candidate may fail a gate, which is exit code 5.
        cost = measure_command(project, "dvc", "repro", "--quiet", stage, accepted=(0, 5, 255))
        training = cost if stage == "train" else training
        yield stage, str(cost)
    peer = measure_command(project, sys.executable, "-c", _PEER, str(file), _TARGET)
    yield "scikit-learn, the same folds and fit", str(peer)
    yield "train ÷ scikit-learn (bar: 3)", f"{training.seconds / peer.seconds:.1f}" if training else ""
    measure_command(project, "mlops", "models", "register", accepted=(0, 5))
    measure_command(project, "mlops", "promote", "1", "--force", "--reason", "benchmark", accepted=(0, 5))


def measure_server(project: Workspace, rows: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield the time until the server is ready, and of its requests."""
    started = time.perf_counter()
    with project.serving("mlops", "serve") as port:
        yield "server, until it is ready", f"{time.perf_counter() - started:.1f} s"
        single = [json.dumps({"features": row}).encode() for row in rows[:_N_REQUESTS]]
        batches = [
            json.dumps({"instances": rows[i * _BATCH_ROWS : (i + 1) * _BATCH_ROWS]}).encode() for i in range(_N_BATCHES)
        ]
        yield "predict a row, median", f"{_median_ms(port, '/predict', single):.1f} ms"
        yield f"predict {_BATCH_ROWS} rows, median", f"{_median_ms(port, '/predict/batch', batches):.0f} ms"
        yield "explain a row, median", f"{_median_ms(port, '/v1/explain', single[:5]):.0f} ms"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/openapi.json") as response:
            yield "OpenAPI document", f"{len(response.read()) / 1e6:.2f} MB"


def _median_ms(port: int, path: str, bodies: list[bytes]) -> float:
    return 1_000 * median(_request_seconds(port, path, body) for body in bodies)


def _request_seconds(port: int, path: str, body: bytes) -> float:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, {"Content-Type": "application/json"})
    started = time.perf_counter()
    with urllib.request.urlopen(request, timeout=300) as response:
        response.read()
    return time.perf_counter() - started


def measure_pages(project: Workspace) -> Iterator[tuple[str, str]]:
    """Yield the seconds until each page is rendered when it is visited again."""
    with browser_page() as page, running_app_process(project) as (address, _):
        page.set_default_timeout(180_000)
        started = time.perf_counter()
        page.goto(address)
        wait_until_rendered(page, "Overview", started)
        for name in PAGES[1:]:
            switch_page(page, name)
        for name in PAGES:
            yield f"page {name}", f"{switch_page(page, name):.1f} s"


def measure_width(n_columns: int, folder: Path) -> dict[str, str]:
    """Return the cost of each part for a table of `n_columns` columns."""
    table = make_table(n_columns)
    file = folder / f"{_NAME}.csv"
    table.to_csv(file, index=False)
    project = create_workspace(folder / "project")
    costs = {}
    for what, cost in measure_graph(project, file):
        costs[what] = cost
        print(f"{n_columns} columns: {what}: {cost}", file=sys.stderr, flush=True)
    rows = table.drop(columns=_TARGET).head(_N_BATCHES * _BATCH_ROWS).to_dict(orient="records")
    costs.update(measure_server(project, rows))
    costs["monitor"] = str(measure_command(project, sys.executable, "-m", "stages.monitor", accepted=(0, 6)))
    costs.update(measure_pages(project))
    return costs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--columns", type=int, nargs="+", default=[100, 500, 1_504])
    arguments = parser.parse_args()
    by_width = {}
    for n_columns in arguments.columns:
        with tempfile.TemporaryDirectory() as folder:
            by_width[n_columns] = measure_width(n_columns, Path(folder))
    print(f"| {_N_ROWS:,} rows | " + " | ".join(f"{n:,} columns" for n in by_width) + " |")
    print("|---|" + "---|" * len(by_width))
    for what in next(iter(by_width.values())):
        print(f"| {what} | " + " | ".join(costs.get(what, "") for costs in by_width.values()) + " |")


if __name__ == "__main__":
    main()
