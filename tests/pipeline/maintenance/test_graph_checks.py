"""Every state of files that stops `dvc repro` is seen, and repaired where that loses nothing."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.config.params_file import check_params_fresh
from pipeline.maintenance import graph_checks
from pipeline.maintenance.doctor import run_diagnostics
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

LOCK = "schema: '2.0'\nstages:\n  one:\n    cmd: x\n    outs:\n    - path: report\n      md5: abc\n"
MARKERS = "<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> other\n"
ROWS = b"a,b\n1,2\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "dvc.lock").write_text(LOCK, encoding="utf-8")
    (tmp_path / ".dvc/tmp").mkdir(parents=True)
    return tmp_path


def git(root: Path, *words: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", *identity, *words], cwd=root, check=True, capture_output=True)


@pytest.mark.parametrize(
    "content", ["", "  \n", "schema: '2.0'\nstages: [", "stages: {}\n", "[]", "schema: '1.0'\n", "a"]
)
def test_an_empty_or_cut_lock_file_is_repaired(project: Path, content: str) -> None:
    (project / "dvc.lock").write_text(content, encoding="utf-8")
    assert graph_checks.check_lock_file(project, repair=False).state == "problem"
    assert graph_checks.check_lock_file(project, repair=True).state == "repaired"
    assert not (project / "dvc.lock").exists()


@pytest.mark.parametrize(
    "stage", ["cmd:", "cmd: x\n    deps: 5", "cmd: x\n    outs:\n    - path:", "cmd: x\n    more: 1"]
)
def test_a_lock_file_of_another_structure_is_repaired(project: Path, stage: str) -> None:
    (project / "dvc.lock").write_text(f"schema: '2.0'\nstages:\n  one:\n    {stage}\n", encoding="utf-8")
    assert graph_checks.check_lock_file(project, repair=True).state == "repaired"


@pytest.mark.usefixtures("starts_processes")
def test_a_cut_lock_file_is_replaced_by_that_of_the_last_commit(project: Path) -> None:
    git(project, "init", "-q")
    git(project, "add", "dvc.lock")
    git(project, "commit", "-qm", "lock")
    (project / "dvc.lock").write_text("", encoding="utf-8")
    assert "last commit" in graph_checks.check_lock_file(project, repair=True).detail
    assert (project / "dvc.lock").read_text(encoding="utf-8") == LOCK


CHECKS: dict[str, Callable[..., graph_checks.Diagnosis]] = {
    "dvc.lock": graph_checks.check_lock_file,
    "dvc.yaml": graph_checks.check_graph,
    "conf/model/knn.yaml": graph_checks.check_params,
}


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_merge_markers_are_a_problem_that_is_left_to_the_user(project: Path, name: str) -> None:
    (project / name).write_text(MARKERS, encoding="utf-8")
    assert CHECKS[name](project, repair=True).state == "problem"
    assert (project / name).read_text(encoding="utf-8") == MARKERS


@pytest.mark.parametrize("content", ["", MARKERS, "a: [", "seed: 1\n", "\x00"])
def test_a_damaged_params_file_is_composed_again(project: Path, content: str) -> None:
    (project / "params.yaml").write_text(content, encoding="utf-8")
    assert graph_checks.check_params(project, repair=False).state == "problem"
    assert graph_checks.check_params(project, repair=True).state == "repaired"
    check_params_fresh(project)


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("training", "selection_metric: log_loss", "selection_metric: logloss", "training.selection_metric: 'logloss'"),
        ("promotion", "policy: ", "policy: un", "promotion.policy: found"),
    ],
)
def test_settings_that_a_stage_refuses_are_a_problem(project: Path, name: str, old: str, new: str, words: str) -> None:
    path = project / "conf" / name / "default.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    diagnosis = graph_checks.check_params(project, repair=True)
    assert (diagnosis.state, words in diagnosis.detail) == ("problem", True)


@pytest.mark.parametrize("content", [None, "", "stages: [", "stages: []", "a: 1", "stages: {one: 7}"])
def test_a_missing_or_damaged_graph_is_a_problem(project: Path, content: str | None) -> None:
    (project / "dvc.yaml").unlink()
    if content is not None:
        (project / "dvc.yaml").write_text(content, encoding="utf-8")
    assert "git checkout HEAD -- dvc.yaml" in graph_checks.check_graph(project, repair=True).detail


def add_pointer(project: Path, *, is_cached: bool) -> Path:
    md5 = hashlib.md5(ROWS, usedforsecurity=False).hexdigest()
    rows = project / "data/external/rows.csv"
    rows.parent.mkdir(parents=True)
    Path(f"{rows}.dvc").write_text(f"outs:\n- md5: '{md5}'\n  path: rows.csv\n", encoding="utf-8")
    if is_cached:
        cached = project / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
        cached.parent.mkdir(parents=True)
        cached.write_bytes(ROWS)
    return rows


def test_a_missing_file_of_rows_is_restored_from_the_cache(project: Path) -> None:
    rows = add_pointer(project, is_cached=True)
    assert graph_checks.check_sources(project, repair=False).state == "problem"
    assert graph_checks.check_sources(project, repair=True).state == "repaired"
    assert rows.read_bytes() == ROWS


def test_a_file_of_rows_that_is_not_cached_either_is_a_problem(project: Path) -> None:
    add_pointer(project, is_cached=False)
    diagnosis = graph_checks.check_sources(project, repair=True)
    assert (diagnosis.state, "dvc pull" in diagnosis.detail) == ("problem", True)


@pytest.mark.parametrize("blocked", [".dvc/cache", ".dvc/tmp", "elsewhere"])
def test_a_cache_that_cannot_be_written_is_a_problem(project: Path, blocked: str) -> None:
    if blocked == "elsewhere":
        (project / ".dvc/config.local").write_text("[cache]\n    dir = ../elsewhere\n", encoding="utf-8")
    shutil.rmtree(project / blocked, ignore_errors=True)
    (project / blocked).touch()  # a file in place of a folder stops also root
    assert graph_checks.check_cache(project, repair=True).state == "problem"


@pytest.mark.usefixtures("starts_processes")
@pytest.mark.parametrize("name", ["more/dvc.yaml", "rows.csv.dvc", "pipeline/dvc.yaml"])
def test_stages_beside_the_graph_are_a_problem(project: Path, name: str) -> None:
    git(project, "init", "-q")
    assert graph_checks.check_foreign_stages(project, repair=True).state == "ok"
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).write_text("stages: {}\n", encoding="utf-8")
    assert name in graph_checks.check_foreign_stages(project, repair=True).detail


def test_a_foreign_file_among_the_settings_is_a_problem(project: Path) -> None:
    (project / "conf/run.py").touch()
    assert "conf/run.py" in graph_checks.check_declared(project, repair=True).detail


@pytest.mark.usefixtures("starts_processes")
@pytest.mark.parametrize(
    ("path", "content", "remedy"),
    [
        (".dvc/config", "[core\n", "git checkout HEAD -- .dvc/config"),
        (".dvc/config.local", "[cache]\n    type = odd\n", "correct .dvc/config.local"),
    ],
)
def test_what_only_dvc_understands_is_explained(project: Path, path: str, content: str, remedy: str) -> None:
    git(project, "init", "-q")
    (project / path).write_text(content, encoding="utf-8")
    diagnosis = next(
        entry for entry in run_diagnostics(project, repair=True, only_graph=True) if entry.state == "problem"
    )
    assert (diagnosis.check, "DVC reports: " in diagnosis.detail, remedy in diagnosis.detail) == ("dvc", True, True)


@pytest.mark.usefixtures("starts_processes")
def test_a_sound_project_has_no_problem(project: Path) -> None:
    git(project, "init", "-q")
    (project / ".dvc/config").touch()
    diagnoses = run_diagnostics(project, repair=False, only_graph=True)
    assert [entry for entry in diagnoses if entry.state != "ok"] == []
