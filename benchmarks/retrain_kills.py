"""Kill `mlops retrain` with SIGKILL at random moments, continue it each time, and check what is left.

    python benchmarks/retrain_kills.py [--kills 100]

Each retrain runs in a copy of a small finished workspace and is killed up to five times before it may end. Checked
after each: the checked-out branch and its files, the version in Production, the chain of the audit trail, and that no
worktree is left. Printed: the state in which each kill came, and how each retrain ended.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from pipeline import state as store
from pipeline.config.config_loader import load_params
from tests.fixtures import workspace
from tests.pipeline.monitoring.log_fixtures import MODEL_NAME
from tests.pipeline.retraining.retrain_fixtures import log_labels

KILLS_PER_RETRAIN = 5
MLOPS = (sys.executable, "-c", "from pipeline.cli.root_command import main; main()")


def make_workspace(folder: Path) -> workspace.Workspace:
    made = workspace.create_workspace(folder)
    workspace.use_small_dataset(made)
    made.repro()
    made.commit("The first results")
    state = store.open_state(folder)
    log_labels(folder, 900, has_changed=True, at=state.clock())
    state.close()
    return made


def state_of(root: Path) -> str:
    state = store.open_state(root)
    with state.reading() as connection:
        retrains = store.read_retrains(connection, load_params(root / "params.yaml").name)
    state.close()
    return retrains[-1].state if retrains else "none"


def run_once(project: workspace.Workspace, *, kill_after_s: float | None) -> bool:
    """Start or continue the retrain, and kill it after some seconds; return whether it was killed."""
    words = ("retrain", "--reason", "kills") if state_of(project.root) == "none" else ("retrain", "approve", "1")
    process = subprocess.Popen(
        [*MLOPS, *words],
        cwd=project.root,
        env=project.environment(PYTHONPATH=str(project.root), MLOPS_ACTOR="ada"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        process.wait(kill_after_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True
    return False


def check(project: workspace.Workspace, head: str, outputs: dict[str, str]) -> list[str]:
    """Return what is wrong after the end of a retrain."""
    state = store.open_state(project.root)
    with state.reading() as connection:
        broken = store.verify_audit_chain(connection)
        champion = store.current_deployment(connection, MODEL_NAME).version("Production")
    state.close()
    found = {
        "HEAD changed": project.run("git", "rev-parse", "HEAD").stdout != head,
        "outputs changed": project.outputs() != outputs,
        "the workspace is dirty": project.run("git", "status", "--porcelain").stdout != "",
        "the audit chain is broken": bool(broken),
        "Production changed": champion != 1,
        "a worktree is left": project.run("git", "worktree", "list").stdout.count("\n") != 1,
    }
    return [name for name, is_wrong in found.items() if is_wrong]


def kill_and_finish(project: workspace.Workspace, rng: np.random.Generator, n_kills: int) -> tuple[list[str], str]:
    """Return the states in which kills came, and the last state."""
    killed_in = []
    while len(killed_in) < n_kills and run_once(project, kill_after_s=float(rng.uniform(1.0, 30.0))):
        killed_in.append(state_of(project.root))
    while (state := state_of(project.root)) in ("none", "asked", "approved", "snapshot", "trained", "committed"):
        run_once(project, kill_after_s=None)
        if state_of(project.root) == state:
            time.sleep(2.0)  # the graph of a killed process still runs, and holds its lock
    return killed_in, state


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    n_kills = parser.parse_args().kills
    rng = np.random.default_rng(20)
    kills: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="retrain-kills-") as name:
        original = make_workspace(Path(name) / "original")
        head, outputs = original.run("git", "rev-parse", "HEAD").stdout, original.outputs()
        while kills.total() < n_kills:
            project = original.copy(Path(name) / f"copy-{ends.total()}")
            killed_in, end = kill_and_finish(project, rng, min(KILLS_PER_RETRAIN, n_kills - kills.total()))
            kills.update(killed_in)
            ends[end] += 1
            wrong.update(check(project, head, outputs))
            print(
                f"{kills.total():3} kills, in states {dict(kills)}; ends {dict(ends)}; wrong {dict(wrong)}", flush=True
            )
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
