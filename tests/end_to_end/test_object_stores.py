"""DVC compares objects, and has its cache in an object store."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pipeline.storage import StoragePath

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.usefixtures("starts_processes"), pytest.mark.xdist_group("object stores")]

GRAPH = """\
stages:
  ingest:
    cmd: printf x >> runs
    deps:
      - {bucket}/rows.csv
      - {bucket}/folder
    outs:
      - runs: {{persist: true}}
"""


def run(*words: str, folder: Path) -> str:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def dvc(*words: str, folder: Path) -> str:
    return run(sys.executable, "-m", "dvc", *words, folder=folder)


@pytest.fixture
def project(s3_bucket: str, tmp_path: Path) -> Path:
    """A graph that depends on an object and a folder of objects, with a remote in the same bucket."""
    for name in ("rows.csv", "folder/a.csv"):
        (StoragePath.parse(s3_bucket) / name).write_bytes(b"x\n1\n")
    folder = tmp_path / "project"
    folder.mkdir()
    run("git", "init", "-q", folder=folder)
    (folder / ".dvc").mkdir()
    dvc("remote", "add", "-q", "--default", "store", f"{s3_bucket}/cache", folder=folder)
    (folder / "dvc.yaml").write_text(GRAPH.format(bucket=s3_bucket), encoding="utf-8")
    dvc("repro", "-q", folder=folder)
    return folder


def test_a_changed_object_runs_the_graph_again(project: Path, s3_bucket: str) -> None:
    for name, runs in (("rows.csv", "xx"), ("folder/b.csv", "xxx")):
        (StoragePath.parse(s3_bucket) / name).write_bytes(b"x\n2\n")
        dvc("repro", "-q", folder=project)
        assert (project / "runs").read_text(encoding="utf-8") == runs


def test_another_clone_pulls_the_results_and_has_nothing_to_do(project: Path, tmp_path: Path) -> None:
    dvc("push", "-q", folder=project)
    identity = ("-c", "user.name=me", "-c", "user.email=me@example.org")
    run("git", "add", "--all", folder=project)
    run("git", *identity, "commit", "-qm", "All", folder=project)
    run("git", "clone", "-q", str(project), "clone", folder=tmp_path)
    dvc("pull", "-q", folder=tmp_path / "clone")
    assert "didn't change" in dvc("repro", folder=tmp_path / "clone")
    assert (tmp_path / "clone/runs").read_bytes() == (project / "runs").read_bytes()
