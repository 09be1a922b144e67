"""A flipped byte is found in an output and in the cache of a real DVC project."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import IntegrityError
from pipeline.maintenance.output_verification import verify_project
from pipeline.project.stage_runs import record_stage_end, record_stage_start
from tests.fixtures.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.cli import CliRunner

pytestmark = pytest.mark.usefixtures("starts_processes")

GRAPH = """\
stages:
  make:
    cmd: mkdir -p folder/deep && echo one > file && echo two > folder/a && echo three > folder/deep/b && echo 1 > plain
    outs: [file, folder, plain: {cache: false}]
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    project = Workspace(tmp_path_factory.mktemp("dvc") / "project")
    project.root.mkdir()
    project.run("git", "init", "-q")
    project.run("dvc", "init", "-q")
    (project.root / "dvc.yaml").write_text(GRAPH, encoding="utf-8")
    project.repro()
    return project


@pytest.fixture
def project(made: Workspace, tmp_path: Path) -> Workspace:
    return made.copy(tmp_path / "project")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.unlink()  # copies of a workspace share the files of the cache
    path.write_bytes(bytes(content))


def cached(project: Workspace, content: bytes) -> Path:
    objects = (project.root / ".dvc/cache/files/md5").rglob("*")
    return next(path for path in objects if path.is_file() and path.read_bytes() == content)


def test_a_sound_project_has_no_findings(project: Workspace) -> None:
    verification = verify_project(project.root)
    assert (verification.n_outputs, verification.n_cached, verification.findings) == (3, 4, ())


@pytest.mark.parametrize("path", ["file", "folder/a", "folder/deep/b", "plain"])
def test_a_flipped_byte_in_an_output_is_found(project: Workspace, path: str) -> None:
    flip(project.root / path)
    assert [(f.location, f.path, f.problem) for f in verify_project(project.root).findings] == [
        ("workspace", path, "changed")
    ]


@pytest.mark.parametrize("content", [b"one\n", b"two\n", b"three\n"])
def test_a_flipped_byte_in_the_cache_is_found(project: Workspace, content: bytes) -> None:
    path = cached(project, content)
    flip(path)
    expected = ("cache", str(path.relative_to(project.root)), "changed")
    assert [(f.location, f.path, f.problem) for f in verify_project(project.root).findings] == [expected]


def test_a_missing_member_of_a_folder_is_found(project: Workspace) -> None:
    (project.root / "folder/a").unlink()
    assert [(f.path, f.problem) for f in verify_project(project.root).findings] == [("folder/a", "missing")]


def test_a_missing_lock_is_refused_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match=r"dvc\.lock: no such file; run `dvc repro` first"):
        verify_project(tmp_path)


def test_a_damaged_lock_is_refused_with_the_command(project: Workspace) -> None:
    (project.root / "dvc.lock").write_text("stages: [", encoding="utf-8")
    with pytest.raises(IntegrityError, match=r"git checkout dvc\.lock"):
        verify_project(project.root)


def test_the_command_lists_findings_and_exits_with_the_code_for_integrity(
    project: Workspace, run_cli: CliRunner
) -> None:
    flip(project.root / "file")
    run = run_cli("verify", "--json", cwd=project.root)
    assert run.exit_code == 8
    assert json.loads(run.out)["findings"][0]["path"] == "file"


RAN = [
    ("register", 5, "the gates reject it", "stage register ended with exit code 5 (the gates reject it)"),
    ("validate", 4, "data/raw.parquet: 3 rows", "stage validate ended with exit code 4 (data/raw.parquet: 3 rows)"),
    ("train", 130, "stopped", "stage train ended with exit code 130 (stopped)"),
    ("compose", 0, "", "stage compose ended"),
]


def locked_project(root: Path, stage: str) -> None:
    """Write a project without DVC: one stage with a file and a folder, whose checksums are those of other content."""
    md5 = "ab" * 16
    outs = f"[{{path: report, md5: {md5}}}, {{path: folder, md5: {md5}.dir}}]"
    (root / "dvc.yaml").write_text(f"stages: {{{stage}: {{cmd: x, outs: [report, folder]}}}}", encoding="utf-8")
    (root / "dvc.lock").write_text(f"schema: '2.0'\nstages: {{{stage}: {{cmd: x, outs: {outs}}}}}\n", encoding="utf-8")
    (root / ".dvc").mkdir()
    (root / "folder").mkdir()
    (root / "folder/a").write_text("a", encoding="utf-8")
    (root / "report").write_text("new", encoding="utf-8")


@pytest.mark.parametrize(("stage", "exit_code", "reason", "summary"), RAN)
def test_what_a_stage_left_without_dvc_locking_it_is_no_finding(
    tmp_path: Path, stage: str, exit_code: int, reason: str, summary: str
) -> None:
    locked_project(tmp_path, stage)
    record_stage_start(tmp_path, stage)
    record_stage_end(tmp_path, stage, exit_code=exit_code, reason=reason)
    verification = verify_project(tmp_path)
    assert verification.findings == ()
    assert [(left.path, left.reason) for left in verification.unlocked] == [("report", summary), ("folder", summary)]


@pytest.mark.parametrize("path", ["report", "folder/a"])
def test_a_change_after_the_stage_ended_is_a_finding(tmp_path: Path, path: str) -> None:
    locked_project(tmp_path, "register")
    record_stage_end(tmp_path, "register", exit_code=5, reason="")
    (tmp_path / path).write_text("tampered", encoding="utf-8")
    assert [finding.path for finding in verify_project(tmp_path).findings] == [path.partition("/")[0]]


def test_outputs_that_a_killed_stage_left_missing_are_no_finding_but_changed_ones_are(tmp_path: Path) -> None:
    locked_project(tmp_path, "train")
    record_stage_start(tmp_path, "train")
    (tmp_path / "report").unlink()
    verification = verify_project(tmp_path)
    assert [left.reason for left in verification.unlocked] == ["stage train runs, or was killed"]
    assert [finding.path for finding in verification.findings] == ["folder"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"stage": 1}'])
def test_a_damaged_record_explains_nothing(tmp_path: Path, content: str) -> None:
    locked_project(tmp_path, "train")
    record_stage_end(tmp_path, "train", exit_code=5, reason="")
    (tmp_path / ".dvc/tmp/mlops-stages/train.json").write_text(content, encoding="utf-8")
    assert len(verify_project(tmp_path).findings) == 2
