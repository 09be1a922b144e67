"""Kill the loop with SIGKILL at random moments of a trial, and compare what the next loop makes of it.

Run it with `python benchmarks/loop_kills.py`; `--kills` is the number of kills. Each one starts from the same
database: a loop is killed while it compares, opens the canary or promotes. Loops that start after the end of its lease
finish the trial. The bar: each ends as an undisturbed trial does, with a whole audit trail.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from benchmark_setup import MODELS, log_rows, make_package, promote_package, train_package  # noqa: E402 - as above

from pipeline import state as store  # noqa: E402 - needs the path above
from pipeline.config.config_loader import load_params  # noqa: E402 - as above
from pipeline.loop import LoopPart, run_loop_once  # noqa: E402 - as above
from pipeline.package import PackageStore  # noqa: E402 - as above
from pipeline.registry import stage_transitions  # noqa: E402 - as above
from pipeline.trials import TrialRequest, advance_trials, start_trial  # noqa: E402 - as above

NOW = 1_770_000_000_000_000
HOUR_US = 3_600_000_000
LEASE_US = 60_000_000
PARTS = (LoopPart("trials", advance_trials),)
N_RUNS = 3  # canary, promotion, and one more
SEED = 7
PASSED = {"verdict": "promote", "gates": []}


@cache
def settings() -> Any:
    """Return the settings under which few hours decide, and each challenger that is not far worse wins."""
    config = load_params(ROOT / "params.yaml")
    trial = {"min_units": 5, "min_outcomes": 20, "test": "non_inferiority", "margin": 1.0}
    plain = config.lifecycle.model_dump(mode="json")
    plain["trial"] |= trial
    plain["canary"]["steps"] = [{"share": 0.05, "min_hours": 0, "min_predictions": 0}]
    lifecycle = config.lifecycle.model_validate({**plain, "mode": "act"}, strict=False)
    return config.model_copy(update={"lifecycle": lifecycle})


def prepare(folder: Path, n_rows: int) -> None:
    """Write a project with a champion, a challenger on trial, and a log with outcomes."""
    state = store.open_state(folder, clock=lambda: NOW)
    champion = make_package(folder)
    promote_package(state, champion, folder)
    train_package(folder / "challenger", MODELS["boosting"])
    packages = PackageStore(folder / "state/packages")
    candidate = packages.add(folder / "challenger")
    registered = stage_transitions.register_package(state, packages, champion.name, candidate=candidate, gates=PASSED)
    log_rows(state, champion, n_rows, until=NOW, days=5, outcome_every=1)
    request = TrialRequest(champion.name, registered.version.version, "benchmark", fresh_from=0)
    start_trial(state, packages, settings().lifecycle, request)
    state.close()


def run_loop(folder: Path, at: int, holder: str) -> None:
    """Run the loop once at a moment."""
    state = store.open_state(folder, clock=lambda: at)
    run_loop_once(settings(), folder, state=state, holder=holder, parts=PARTS)
    state.close()


def outcome(folder: Path) -> str:
    """Return where trials, Production and the audit trail ended, as text without moments."""
    state = store.open_state(folder)
    model = settings().name
    with state.reading() as connection:
        trials = store.read_trials(connection, model)
        found = {
            "trials": [(trial.purpose, trial.state, trial.step) for trial in trials],
            "sums": [str(sorted(store.read_trial_sums(connection, trial.seq).items())) for trial in trials],
            "production": store.current_deployment(connection, model).version("Production"),
            "actions": [entry.action for entry in store.read_audit_entries(connection, model=model)],
            "breaks": len(store.verify_audit_chain(connection)),
            "undecided": len(store.find_undecided_changes(connection)),
        }
    state.close()
    return json.dumps(found)


def in_child(work: Any, *arguments: Any, kill_after_s: float | None = None) -> bool:
    """Run a function in a fork of this process; return whether it was killed before its end.

    Raises
    ------
    RuntimeError
        When it failed by itself.
    """
    child = os.fork()
    if child == 0:
        try:
            work(*arguments)
        except BaseException as error:  # noqa: BLE001 - the parent gets the code
            sys.stderr.write(f"{error!r}\n")
            os._exit(1)
        os._exit(0)
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    if os.WEXITSTATUS(status):
        raise RuntimeError(f"{work.__name__} failed in process {child}")
    return False


def write_outcome(folder: Path, path: Path) -> None:
    """Write the outcome of a project to a file, for the parent."""
    path.write_text(outcome(folder), encoding="utf-8")


def finished(folder: Path, path: Path, kill_after_s: float | None = None, killed_run: int = 0) -> tuple[str, bool]:
    """Run the loop as often as the trial needs, once with a kill; return the outcome, and whether the kill met it."""
    was_killed, at = False, NOW
    for number in range(N_RUNS):
        at += HOUR_US
        if kill_after_s is not None and number == killed_run:
            was_killed = in_child(run_loop, folder, at, f"loop {number}", kill_after_s=kill_after_s)
        in_child(run_loop, folder, at + LEASE_US, f"loop {number} again")
    in_child(write_outcome, folder, path)
    return path.read_text(encoding="utf-8"), was_killed


def main() -> None:
    """Print how many kills met a run, and how many trials ended otherwise than an undisturbed one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--rows", type=int, default=20_000)
    arguments = parser.parse_args()
    rng = np.random.default_rng(SEED)
    settings()  # each fork has them
    with tempfile.TemporaryDirectory() as name:
        folder, path = Path(name) / "project", Path(name) / "outcome.json"
        folder.mkdir()
        preparing = multiprocessing.get_context("spawn").Process(target=prepare, args=(folder, arguments.rows))
        preparing.start()
        preparing.join()
        shutil.copytree(folder / "state", Path(name) / "before")
        started = time.monotonic()
        expected, _ = finished(folder, path)
        duration_s = (time.monotonic() - started) / N_RUNS
        n_met, n_different = 0, 0
        for _ in range(arguments.kills):
            for database in (folder / "state").glob("state.db*"):
                database.unlink()
            shutil.copy(Path(name) / "before/state.db", folder / "state/state.db")
            result, was_killed = finished(folder, path, float(rng.uniform(0.0, duration_s)), int(rng.integers(2)))
            n_met += was_killed
            n_different += result != expected
    plain = json.loads(expected)
    print(f"undisturbed: {plain['trials']}, version {plain['production']} in Production, {duration_s:.2f} s a run")
    print(f"{arguments.kills} kills, {n_met} of them during a run; {n_different} trials ended otherwise; bar 0")
    sys.exit(n_different > 0)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
