"""Processor time that a trial needs to compare a million logged predictions with their outcomes.

Run it with `python benchmarks/trial_replay_speed.py`; the bar is 30 s for a million rows. The challenger scores each
logged row again, the champion's probabilities come from the log.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from benchmark_setup import MODELS, log_rows, make_package, promote_package, train_package

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from pipeline.config.config_loader import load_params  # noqa: E402 - needs the path above
from pipeline.package import PackageStore  # noqa: E402 - needs the path above
from pipeline.registry import stage_transitions  # noqa: E402 - needs the path above
from pipeline.state import open_state  # noqa: E402 - needs the path above
from pipeline.trials import TrialRequest, current_verdict, start_trial, update_comparison  # noqa: E402 - as above

BAR_S = 30.0
DAYS = 30
NOW = 1_770_000_000_000_000


def main() -> None:
    """Print the times and exit with 1 if the bar is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    n_rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        state = open_state(folder, clock=lambda: NOW)
        champion = make_package(folder)
        promote_package(state, champion, folder)
        train_package(folder / "challenger", MODELS["boosting"])
        packages = PackageStore(folder / "state/packages")
        challenger = packages.add(folder / "challenger")
        registered = stage_transitions.register_package(state, packages, champion.name, candidate=challenger)
        texts = {"outcome_every": 1, "has_distinct_texts": True}
        written_s = log_rows(state, champion, n_rows, until=NOW, days=DAYS, **texts)
        lifecycle = load_params(ROOT / "params.yaml").lifecycle
        request = TrialRequest(champion.name, registered.version.version, "benchmark", fresh_from=0)
        trial = start_trial(state, packages, lifecycle, request)
        started = time.process_time()
        comparison = update_comparison(state, packages, trial)
        used_s = time.process_time() - started
        verdict = current_verdict(state, trial, comparison)
        state.close()
    print(f"{n_rows:,} rows logged in {written_s:.0f} s")
    print(f"compared in {used_s:.1f} s of processor time, {1e6 * used_s / n_rows:.1f} us a row; bar {BAR_S:.0f} s")
    print(verdict.summary)
    sys.exit(used_s > BAR_S * n_rows / 1_000_000)


if __name__ == "__main__":
    main()
