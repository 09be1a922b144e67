"""DVC runs a stage on the composed file; a person runs it with overrides or as a sweep."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from pipeline.config.stage_entry import run_compose_stage
from pipeline.project import paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPOSITORY = Path(__file__).parents[3]
starts_processes = pytest.mark.usefixtures("starts_processes")
STAGE = """
import sys, time
from pathlib import Path
from pipeline.config.stage_entry import stage
from pipeline.errors import DataError


def trial(config):
    print("trial", config.seed, config.model.name)
    if config.seed == 13:
        raise DataError("row 13: unlucky")
    return float(config.seed)


@stage("demo", manual_task=trial)
def main(config):
    print("graph", config.seed, "hydra" in sys.modules)
    if config.seed == 7:
        Path("began").touch()
        time.sleep(60)
    if config.seed == 99:
        raise ZeroDivisionError("oops")


if __name__ == "__main__":
    main()
"""
DVC_ARGUMENTS = ("-cd", ".", "-cn", "params")


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


@starts_processes
def test_dvc_runs_the_stage_on_the_composed_file_without_hydra(demo: Path) -> None:
    process = _run(demo, *DVC_ARGUMENTS)
    assert process.returncode == 0
    assert process.stdout.splitlines()[:2] == ["[demo] starts", "graph 42 False"]


@pytest.fixture
def manual_call(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that calls the demo stage with arguments, in this process."""
    monkeypatch.chdir(project)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")  # the stage sets it, and the test undoes it
    namespace: dict[str, Any] = {"__name__": "demo"}
    exec(STAGE, namespace)

    def call(*arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", ["demo", *arguments])
        namespace["main"]()

    return call


@pytest.fixture
def restored_logging() -> Iterator[None]:
    """Take back what Hydra sets for the log when it prints information."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_person_runs_the_trial_with_overrides(
    manual_call: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    manual_call("seed=3", "model=random_forest")
    assert capsys.readouterr().out == "trial 3 random_forest\n"


@pytest.mark.parametrize("arguments", [("seed=3",), ("-m", "seed=1,2")])
def test_a_stage_does_not_run_with_other_code_than_the_project_records(
    project: Path, manual_call: Callable[..., None], capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    record = {"version": "0.0.1", "defaults": {"options": {}}, "graph": {"stages": {}}}
    (project / paths.ENGINE).mkdir()
    (project / paths.ENGINE_RECORD).write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(SystemExit, match=r"^6$"):
        manual_call(*arguments)
    printed = capsys.readouterr()
    assert (printed.out, "differs from the project's 0.0.1 in stages compose, " in printed.err) == ("", True)


@pytest.mark.usefixtures("starts_processes")
def test_a_sweep_runs_every_combination(manual_call: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    manual_call("-m", "model=random_forest,naive_bayes", "seed=1,2")
    trials = [line for line in capsys.readouterr().out.splitlines() if line.startswith("trial")]
    assert trials == [f"trial {seed} {model}" for model in ("random_forest", "naive_bayes") for seed in (1, 2)]


def test_the_stage_compose_refuses_an_override_without_its_value(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setattr(
        sys,
        "argv",
        ["compose", "data.source.path=s3://key:pa55@rows/a.csv"],  # pragma: allowlist secret
    )  # pragma: allowlist secret
    with pytest.raises(SystemExit, match=r"^2$"):
        run_compose_stage(lambda _config: None)
    written = [path.read_text(encoding="utf-8") for path in (project / ".dvc").rglob("*.json")]
    assert "'data.source.path' is not used here" in (errors := capsys.readouterr().err)
    assert "pa55" not in "".join([errors, *written])


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("seed=abc",), 3, 'seed: found "abc"'),
        (("modle=x",), 3, "did you mean 'model'"),
        (("seed=13",), 4, "row 13: unlucky"),
        (("--config-dir", "x"), 2, "'--config-dir' is not used here"),
        (("--experimental-rerun", "x.pickle"), 2, "is not used here"),
        (("--config-dir=x",), 2, "'--config-dir=x' is not used here"),
        (("--cfg", "jib"), 2, "'jib' is not used here; accepted: overrides"),
        (("--cfg", "job", "--info"), 2, "use one of --cfg, --info"),
        (("--resolve",), 2, "--resolve and --package need --cfg job|hydra|all"),
        (("-sc", "install=bash"), 2, "Hydra completes the words of a script, and not of a module"),
        (("--cfg", "job", "+training.foo=1"), 3, "training.foo: is not a key here; known: calibration"),
        (("--cfg", "all", "~model"), 3, "model: is missing"),
        (("hydra.searchpath=[x]",), 3, "hydra.searchpath: x: no such folder in the project"),
        (("hydra.searchpath=[/tmp]",), 3, "hydra.searchpath: '/tmp' is not accepted"),
    ],
    ids=str,
)
def test_an_error_ends_with_its_message_and_exit_code(
    manual_call: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    with pytest.raises(SystemExit, match=f"^{code}$"):
        manual_call(*arguments)
    errors = capsys.readouterr().err
    assert (message in errors, "Traceback" in errors) == (True, False)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--cfg", "job", "-p", "training", "training.folds=7"), "folds: 7"),
        (("-c=hydra", "--package=hydra.sweeper"), "max_batch_size: null"),
        (("--info",), "Installed Hydra Plugins"),
        (("-i=config",), "Config"),
        (("--info", "defaults", "seed=3"), "Defaults List"),
        (("--info", "defaults-tree"), "Defaults Tree"),
        (("--info", "plugins"), "Installed Hydra Plugins"),
        (("--info", "searchpath"), "Config search path"),
        (("--hydra-help",), "== Flags =="),
    ],
    ids=str,
)
@pytest.mark.usefixtures("restored_logging")
def test_a_flag_of_hydra_prints_and_runs_nothing(
    manual_call: Callable[..., None], capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], line: str
) -> None:
    with contextlib.suppress(SystemExit):
        manual_call(*arguments)
    printed = [text.strip() for text in capsys.readouterr().out.splitlines()]
    assert (line in printed, [text for text in printed if text.startswith("trial ")]) == (True, [])


def test_the_version_of_hydra_is_printed(manual_call: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        manual_call("--version")
    assert capsys.readouterr().out.startswith("Hydra 1.")


@starts_processes
def test_an_error_of_a_process_prints_no_traceback(demo: Path) -> None:
    process = _run(demo, "seed=13")
    assert (process.returncode, "Traceback" in process.stderr) == (4, False)
    assert process.stderr.endswith("row 13: unlucky\n")


@starts_processes
def test_a_bug_shows_its_trace_and_ends_with_70(demo: Path) -> None:
    _set_seed(demo, 99)
    process = _run(demo, *DVC_ARGUMENTS)
    assert (process.returncode, "ZeroDivisionError: oops" in process.stderr) == (70, True)


@starts_processes
def test_only_one_stage_at_a_time_holds_the_project(demo: Path) -> None:
    from pipeline.files import exclusive_lock
    from pipeline.project import paths

    with exclusive_lock(demo / paths.PROJECT_LOCK, operation="the test"):
        waiting = subprocess.Popen(
            _command(*DVC_ARGUMENTS), cwd=demo, env=_environment(), stdout=subprocess.PIPE, text=True
        )
        time.sleep(2)
        assert waiting.poll() is None
    printed, _ = waiting.communicate(timeout=30)
    assert (waiting.returncode, printed.startswith("[demo] starts")) == (0, True)


@starts_processes
def test_a_stage_ends_when_the_dvc_that_started_it_is_killed(demo: Path) -> None:
    _set_seed(demo, 7)
    fake_dvc = demo / "dvc"
    fake_dvc.write_text("import subprocess, sys; subprocess.run(' '.join(sys.argv[1:]), shell=True)", encoding="utf-8")
    command = [sys.executable, str(fake_dvc), *_command(*DVC_ARGUMENTS)]
    parent = subprocess.Popen(command, cwd=demo, env=_environment(), start_new_session=True, stdout=subprocess.DEVNULL)
    _until((demo / "began").exists)
    stages = _running(demo)
    assert stages
    parent.kill()
    parent.wait()
    _until(lambda: not _running(demo))


def _running(project: Path) -> list[int]:
    return [process.pid for process in psutil.process_iter() if _is_stage(process, project)]


def _is_stage(process: psutil.Process, folder: Path) -> bool:
    try:
        is_alive = process.status() != psutil.STATUS_ZOMBIE
        return is_alive and Path(process.cwd()) == folder and process.cmdline()[1:3] == ["-m", "demo"]
    except (psutil.Error, OSError):  # it ended meanwhile
        return False


def _until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_true():
        assert time.monotonic() < deadline, "waited 20 s"
        time.sleep(0.1)


@starts_processes
def test_control_c_ends_with_130_and_one_line(demo: Path) -> None:
    _set_seed(demo, 7)
    # As from a terminal: a background shell ignores the signal, and children inherit that.
    command = ["env", "--default-signal=INT", *_command(*DVC_ARGUMENTS)]
    process = subprocess.Popen(command, cwd=demo, env=_environment(), stderr=subprocess.PIPE, text=True)
    _until((demo / "began").exists)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (130, "stopped; earlier outputs are intact\n")


@pytest.mark.usefixtures("starts_processes")
def test_the_help_page_shows_groups_defaults_types_and_units(
    manual_call: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    manual_call("--help")
    page = capsys.readouterr().out
    assert "hist_gradient_boosting*" in page
    assert "training.folds = 5  (integer >= 2 <= 50, folds)" in page
    assert "data.source.rows = 18524  (integer > 0, rows)" in page
