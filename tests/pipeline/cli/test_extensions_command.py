"""`mlops extensions` lists what is declared, and what identifies it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline.files import sha256
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.cli import CliRunner

pytestmark = pytest.mark.usefixtures("extension_tables")

MODULE = "from pipeline.data.splitters import define_splitter\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    params = (ROOT / "params.yaml").read_text(encoding="utf-8")
    assert "extensions: []" in params
    (tmp_path / "params.yaml").write_text(params.replace("extensions: []", "extensions: [extensions.days]"))
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "extensions").mkdir()
    (tmp_path / "extensions/days.py").write_text(MODULE)
    return tmp_path


def test_each_extension_is_listed_with_its_hash(project: Path, run_cli: CliRunner) -> None:
    printed = run_cli("extensions", cwd=project).out
    assert "extensions.days" in printed
    assert f"sha256 {sha256(MODULE.encode())[:12]}" in printed
    (listed,) = json.loads(run_cli("extensions", "--json", cwd=project).out)
    assert (listed["modules"], listed["sha256"]) == (["extensions.days"], sha256(MODULE.encode()))


def test_a_project_without_extensions_names_the_setting(run_cli: CliRunner) -> None:
    assert "params.yaml declares no extension; list a module" in run_cli("extensions").out
