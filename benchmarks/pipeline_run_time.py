"""The whole cold graph against a bare script, a no-op repro, the fixed cost of stages, and imports.

Run it with `python benchmarks/pipeline_run_time.py`; every ratio is taken within this one run.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import yaml  # noqa: E402 - needs the path above

from tests.fixtures.workspace import STAGES, Workspace, create_workspace  # noqa: E402 - needs the path above


def command_seconds(project: Workspace, *command: str) -> float:
    started = time.perf_counter()
    project.run(*command)
    return time.perf_counter() - started


def fastest_command_seconds(project: Workspace, *command: str, repeats: int = 5) -> float:
    return min(command_seconds(project, *command) for _ in range(repeats))


def seconds_to_first_line(project: Workspace, stage: str) -> float:
    """Return seconds from the start of a stage to its first line (imports done, settings read)."""
    arguments = [] if stage == "compose" else ["-cd", ".", "-cn", "params"]
    started = time.perf_counter()
    process = project.start(sys.executable, "-m", f"stages.{stage}", *arguments)
    assert process.stdout is not None
    process.stdout.readline()
    passed = time.perf_counter() - started
    process.communicate()
    return passed


def empty_project(folder: Path, n_stages: int) -> Workspace:
    """Return a DVC project of stages that do nothing, each after the one before."""
    project = Workspace(folder)
    folder.mkdir()
    project.run("git", "init", "-q")
    project.run("dvc", "init", "-q")
    (folder / "made_0").touch()
    stages = {
        f"stage_{at}": {"cmd": f"touch made_{at}", "deps": [f"made_{at - 1}"], "outs": [f"made_{at}"]}
        for at in range(1, n_stages + 1)
    }
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}), encoding="utf-8")
    project.run("dvc", "repro")
    return project


def import_seconds(*, code: str) -> float:
    bare = statistics.median(_python_seconds("pass") for _ in range(7))
    return statistics.median(_python_seconds(code) for _ in range(7)) - bare


def _python_seconds(code: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    return time.perf_counter() - started


def print_row(what: str, value: str, target: str) -> None:
    print(f"{what:<58} {value:>22}   {target}")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = create_workspace(Path(folder) / "project")
        project.run(sys.executable, "-m", "compileall", "-q", "pipeline", "stages")
        shutil.copy(ROOT / "benchmarks/bare_script.py", project.root / "bare_script.py")
        print_row("what", "figure", "bar")
        graph = command_seconds(project, "dvc", "repro")
        bare = command_seconds(project, sys.executable, "bare_script.py")
        print_row("cold graph, 18,524 rows", f"{graph:.1f} s", "25 s")
        print_row("the same work in one bare script", f"{bare:.1f} s", "")
        print_row("graph / script", f"{graph / bare:.2f}", "3")
        ours = fastest_command_seconds(project, "dvc", "repro")
        for n_stages, bar in ((1, "1.2"), (len(STAGES), "")):
            empty = fastest_command_seconds(empty_project(Path(folder) / f"empty_{n_stages}", n_stages), "dvc", "repro")
            what = f"no-op repro / no-op of {n_stages} empty stage{'s' if n_stages > 1 else ''}"
            print_row(what, f"{ours:.2f} s / {empty:.2f} s = {ours / empty:.2f}", bar)
        for stage in STAGES:
            cost = min(seconds_to_first_line(project, stage) for _ in range(3))
            print_row(f"fixed cost of {stage}", f"{cost:.2f} s", "3 s" if stage in {"train", "evaluate"} else "1.5 s")
        print_row("import pipeline", f"{import_seconds(code='import pipeline'):.3f} s", "0.15 s")


if __name__ == "__main__":
    main()
