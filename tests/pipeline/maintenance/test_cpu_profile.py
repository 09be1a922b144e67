"""A profile is one SVG file with function names; errors of py-spy are reported with the remedy."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from pipeline.errors import DependencyUnavailable, UsageError
from pipeline.maintenance import cpu_profile
from pipeline.maintenance.cpu_profile import profile_server, profile_stage
from tests.fixtures.server_process import make_project
from tests.fixtures.small_packages import write_small_package
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def titles(path: Path) -> str:
    tree = ET.parse(path)
    return "\n".join(title.text or "" for title in tree.iter("{http://www.w3.org/2000/svg}title"))


def write_fake_py_spy(folder: Path, stderr: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program in py-spy's place that only complains; py-spy is not ours."""
    folder.mkdir()
    spy = folder / "py-spy"
    spy.write_text(f"#!/bin/sh\necho '{stderr}' >&2\nexit 1\n", encoding="utf-8")
    spy.chmod(0o755)
    monkeypatch.setattr(cpu_profile.sysconfig, "get_path", lambda _: str(folder))


@pytest.mark.usefixtures("starts_processes")
def test_a_server_under_load_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_small_package(tmp_path / "package", "personality", "model=naive_bayes", n_rows=300)
    make_project(tmp_path, [tmp_path / "package"])
    monkeypatch.chdir(tmp_path)
    assert profile_server(tmp_path / "out.svg", 1.0) > 0
    assert "prediction-log" in titles(tmp_path / "out.svg")


@pytest.mark.usefixtures("starts_processes")
def test_a_failed_stage_has_a_profile_and_its_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("conf", "dvc.yaml"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    profile_stage("compose", tmp_path / "out.svg")
    assert "stages/compose.py" in titles(tmp_path / "out.svg")
    profile_stage("split", tmp_path / "failed.svg")
    assert "data/valid.parquet" in capfd.readouterr().err


def test_an_unknown_stage_names_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'trian' is not a stage; expected serve, or one of compose, .*, train"):
        profile_stage("trian", tmp_path / "out.svg")


def test_a_missing_py_spy_is_refused_with_the_install_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_profile.sysconfig, "get_path", lambda _: str(tmp_path))
    with pytest.raises(DependencyUnavailable, match=r"py-spy is not installed; run pip install .*\[profile\]"):
        profile_stage("train", tmp_path / "out.svg")


@pytest.mark.parametrize(
    ("stderr", "match"),
    [
        ("Permission Denied: Try running again with elevated permissions (Operation not permitted)", "SYS_PTRACE"),
        ("something else", r"py-spy wrote nothing \(exit code 1\): something else"),
    ],
)
def test_a_denied_permission_is_reported_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stderr: str, match: str
) -> None:
    write_fake_py_spy(tmp_path / "bin", stderr, monkeypatch)
    with pytest.raises(DependencyUnavailable, match=match):
        profile_stage("train", tmp_path / "out.svg")
