"""Decisions, listing and gates: how long a person or a pipeline waits for the registry.

Run it with `python benchmarks/registry_latency.py`; bars stand beside the figures.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from pipeline import files, package, state  # noqa: E402 - needs the path above
from pipeline.config.composition import compose  # noqa: E402
from pipeline.gates import Gate, GateInputs, GateReport, evaluate_gates  # noqa: E402
from pipeline.modeling.scored_rows import make_scored_rows  # noqa: E402
from pipeline.package.package_store import PackageStore  # noqa: E402
from pipeline.registry import promote_version, register_package  # noqa: E402
from tests.fixtures.small_packages import parts, write_small_package  # noqa: E402
from tests.fixtures.toy_dataset import settings  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "personality_model"
N_VERSIONS = 1000
N_GATE_ROWS = 20_000


def print_row(what: str, seconds: float, target: float) -> None:
    verdict = "" if seconds <= target else "  MISSED"
    print(f"{what:<72}{seconds * 1e3:9.0f} ms   bar {target * 1e3:6.0f} ms{verdict}")


def fastest_seconds(work: Callable[[], object], repeats: int = 7) -> float:
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken)


def passed_gate_report() -> dict[str, object]:
    gates = tuple(
        Gate(f"gate {at}", "pass", "a reason of the usual length, with figures", 0.1, 0.2) for at in range(12)
    )
    return GateReport("0" * 64, None, gates).as_dict()


def benchmark_transitions(folder: Path) -> None:
    """Register plus promote, MLflow's part apart."""
    opened, store = state.open_state(folder), PackageStore(folder / "state/packages")
    taken = []
    for at in range(5):
        write_small_package(
            folder / f"made_{at}", "personality", f"model.estimator.l2_regularization={at + 1}.0", n_rows=4000
        )
        started = time.perf_counter()
        candidate = store.add(folder / f"made_{at}")
        registration = register_package(opened, store, NAME, candidate=candidate, gates=passed_gate_report())
        promote_version(opened, NAME, registration.version.version, stage="Production")
        taken.append(time.perf_counter() - started)
    opened.close()
    print_row("register plus promote: package checked, copied, read back, two decisions", min(taken), 0.3)


def benchmark_listing(folder: Path) -> None:
    """`mlops models list` with a thousand versions, start-up included."""
    files.write_text(folder / "params.yaml", compose((), conf=ROOT / "conf").text)
    (folder / "dvc.yaml").touch()
    opened = state.open_state(folder)
    tags = {
        "model": "hist_gradient_boosting",
        "gates": passed_gate_report(),
        "metrics": dict.fromkeys("abcdefghijkl", 0.5),
    }
    with opened.writing() as connection:
        for at in range(N_VERSIONS):
            state.add_version(connection, NAME, f"{at:064x}", at=at, semver=f"1.{at}.0", description="", tags=tags)
    opened.close()
    print_row(
        f"mlops models list, {N_VERSIONS:,} versions", fastest_seconds(lambda: run_mlops(folder, "models", "list")), 1.5
    )
    print_row("mlops --help", fastest_seconds(lambda: run_mlops(folder, "--help")), 0.3)


def run_mlops(folder: Path, *words: str) -> None:
    program = Path(sys.executable).with_name("mlops")
    subprocess.run([program, *words], cwd=folder, check=True, capture_output=True)


def benchmark_gates(folder: Path) -> None:
    """All gates on 20,000 rows, against a champion."""
    config = settings()
    for name, overrides in (("candidate", ()), ("champion", ("model.estimator.learning_rate=0.1",))):
        write_small_package(folder / name, "personality", *overrides, n_rows=4000)
    candidate, champion = package.load_package(folder / "candidate"), package.load_package(folder / "champion")
    test = parts("personality", 4000).test
    rows = test.iloc[np.resize(np.arange(len(test)), N_GATE_ROWS)].reset_index(drop=True)
    metrics = {name: {"value": 0.01, "low": 0.005, "high": 0.02} for name in config.promotion.metric_limits}
    better = {"difference": {config.promotion.metric: {"value": -0.1, "low": -0.2, "high": -0.05}}}
    evaluation = {"metrics": metrics, "baselines": dict.fromkeys(("majority", "depth_2_tree"), better)}
    evidence = GateInputs(rows, evaluation, {"level": "ok", "leakage": []})

    def work() -> GateReport:
        return evaluate_gates(candidate, evidence, config.promotion, champion=champion)

    print_row(f"gates: {N_GATE_ROWS:,} rows, 2,000 resamples, against a champion", fastest_seconds(work), 1.0)
    target = candidate.schema.target
    codes = np.array([target.classes.index(word) for word in rows[target.column]])
    alone = fastest_seconds(
        lambda: make_scored_rows(target, codes, candidate.predict_proba(rows), threshold=candidate.threshold)
    )
    print(f"{'   of which one scoring of the rows':<72}{alone * 1e3:9.0f} ms")


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="mlops-registry-"))
    try:
        for work in (benchmark_transitions, benchmark_listing, benchmark_gates):
            (folder / work.__name__).mkdir()
            work(folder / work.__name__)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
