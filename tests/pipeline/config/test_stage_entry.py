"""One stage file, two callers: DVC with the composed file, a person with overrides or a sweep."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Path(__file__).parents[3]
STAGE = """
import sys, time
from pathlib import Path
from pipeline.config.stage_entry import stage
from pipeline.errors import DataError


def by_hand(config):
    print("by hand", config.seed, config.model.name)
    if config.seed == 13:
        raise DataError("row 13: unlucky")
    return float(config.seed)


@stage("demo", by_hand=by_hand)
def main(config):
    print("by dvc", config.seed, "hydra" in sys.modules)
    if config.seed == 7:
        Path("began").touch()
        time.sleep(60)
    if config.seed == 99:
        raise ZeroDivisionError("oops")


if __name__ == "__main__":
    main()
"""
BY_DVC = ("-cd", ".", "-cn", "params")


@pytest.fixture
def demo(project: Path) -> Path:
    (project / "demo.py").write_text(STAGE, encoding="utf-8")
    return project


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "demo", *arguments]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}


def _run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(*arguments), cwd=project, env=_environment(), capture_output=True, text=True, check=False
    )


def _set_seed(project: Path, seed: int) -> None:
    params = project / "params.yaml"
    params.write_text(params.read_text(encoding="utf-8").replace("seed: 42", f"seed: {seed}", 1), encoding="utf-8")


def test_dvc_runs_the_stage_on_the_composed_file_without_hydra(demo: Path) -> None:
    done = _run(demo, *BY_DVC)
    assert done.returncode == 0
    assert done.stdout.splitlines()[:2] == ["[demo] starts", "by dvc 42 False"]


def test_a_person_runs_it_with_overrides(demo: Path) -> None:
    assert _run(demo, "seed=3", "model=random_forest").stdout == "by hand 3 random_forest\n"


def test_a_sweep_runs_every_combination(demo: Path) -> None:
    done = _run(demo, "-m", "model=random_forest,naive_bayes", "seed=1,2")
    said = [line for line in done.stdout.splitlines() if line.startswith("by hand")]
    assert said == [f"by hand {seed} {model}" for model in ("random_forest", "naive_bayes") for seed in (1, 2)]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("seed=abc",), 3, 'seed: found "abc"'),
        (("modle=x",), 3, "did you mean 'model'"),
        (("seed=13",), 4, "row 13: unlucky"),
        (("--config-dir", "x"), 2, "'--config-dir' is not used here"),
        (("--experimental-rerun", "x.pickle"), 2, "is not used here"),
        (("hydra.searchpath=[x]",), 3, "is not open to overrides"),
    ],
    ids=str,
)
def test_a_refusal_is_a_letter_with_its_exit_code(demo: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = _run(demo, *arguments)
    assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (code, True, False)


def test_a_bug_shows_its_trace_and_ends_with_70(demo: Path) -> None:
    _set_seed(demo, 99)
    done = _run(demo, *BY_DVC)
    assert (done.returncode, "ZeroDivisionError: oops" in done.stderr) == (70, True)


def test_only_one_stage_at_a_time_holds_the_project(demo: Path) -> None:
    from pipeline.files import exclusive_lock
    from pipeline.project import paths

    with exclusive_lock(demo / paths.PROJECT_LOCK, operation="the test"):
        waiting = subprocess.Popen(_command(*BY_DVC), cwd=demo, env=_environment(), stdout=subprocess.PIPE, text=True)
        time.sleep(2)
        assert waiting.poll() is None
    printed, _ = waiting.communicate(timeout=30)
    assert (waiting.returncode, printed.startswith("[demo] starts")) == (0, True)


def test_a_stage_ends_when_the_dvc_that_started_it_is_killed(demo: Path) -> None:
    _set_seed(demo, 7)
    stands_for_dvc = demo / "dvc"
    stands_for_dvc.write_text(
        "import subprocess, sys; subprocess.run(' '.join(sys.argv[1:]), shell=True)", encoding="utf-8"
    )
    command = [sys.executable, str(stands_for_dvc), *_command(*BY_DVC)]
    parent = subprocess.Popen(command, cwd=demo, env=_environment(), start_new_session=True, stdout=subprocess.DEVNULL)
    _until((demo / "began").exists)
    stages = _running(demo)
    assert stages
    parent.kill()
    parent.wait()
    _until(lambda: not _running(demo))


def _running(project: Path) -> list[int]:
    return [one.pid for one in psutil.process_iter() if _is_stage(one, project)]


def _is_stage(process: psutil.Process, folder: Path) -> bool:
    try:
        is_alive = process.status() != psutil.STATUS_ZOMBIE
        return is_alive and Path(process.cwd()) == folder and process.cmdline()[1:3] == ["-m", "demo"]
    except (psutil.Error, OSError):  # it ended while it was looked at
        return False


def _until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_true():
        assert time.monotonic() < deadline, "waited 20 s"
        time.sleep(0.1)


def test_control_c_is_not_a_bug(demo: Path) -> None:
    _set_seed(demo, 7)
    # As from a terminal: who runs the tests in the background may ignore the signal, and children would inherit that.
    command = ["env", "--default-signal=INT", *_command(*BY_DVC)]
    process = subprocess.Popen(command, cwd=demo, env=_environment(), stderr=subprocess.PIPE, text=True)
    _until((demo / "began").exists)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert (process.returncode, said) == (130, "stopped; earlier outputs are intact\n")


def test_the_help_page_shows_groups_defaults_types_and_units(demo: Path) -> None:
    page = _run(demo, "--help").stdout
    assert "hist_gradient_boosting*" in page
    assert "training.folds = 5  (integer >= 2 <= 50, folds)" in page
    assert "data.source.rows = 18524  (integer > 0, rows)" in page
