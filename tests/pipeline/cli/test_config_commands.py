"""`mlops config` validates settings, prints what they compose to, and finds where each value comes from."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.cli import CliRunner


def test_check_accepts_the_shipped_settings(run_cli: CliRunner) -> None:
    run = run_cli("config", "check")
    assert (run.exit_code, run.out, run.err) == (0, "ok      conf\nok      data/external\nok      params.yaml\n", "")


def test_check_validates_overrides(run_cli: CliRunner) -> None:
    run = run_cli("config", "check", "drift.alpha=0.9")
    assert (run.exit_code, run.out) == (3, "invalid conf\n")
    assert run.err.startswith("mlops: drift.alpha=0.9: drift.alpha: found 0.9")


def test_check_reports_every_file_as_json(run_cli: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("seed: [", encoding="utf-8")
    run = run_cli("config", "check", "--json", tmp_path / "bad.yaml", "params.yaml")
    assert [result["ok"] for result in json.loads(run.out)] == [False, True]
    assert run.exit_code == 3


def test_check_refuses_files_beside_overrides(run_cli: CliRunner) -> None:
    run = run_cli("config", "check", "params.yaml", "seed=7")
    assert (run.exit_code, run.err) == (
        2,
        "mlops: mlops config check: pass files and folders, or overrides, not both\n",
    )


def test_check_finds_a_stale_params_file(run_cli: CliRunner, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    stale = (ROOT / "params.yaml").read_text(encoding="utf-8").replace("alpha: 0.02", "alpha: 0.03")
    (tmp_path / "params.yaml").write_text(stale, encoding="utf-8")
    run = run_cli("config", "check", cwd=tmp_path)
    assert (run.exit_code, run.out) == (3, "ok      conf\nok      data/external\ninvalid params.yaml\n")


def test_why_names_the_file(run_cli: CliRunner) -> None:
    assert run_cli("config", "why", "drift.alpha").out == "drift.alpha = 0.02: conf/drift/default.yaml\n"


def test_why_names_the_override(run_cli: CliRunner) -> None:
    run = run_cli("config", "why", "drift.alpha", "drift.alpha=0.1")
    assert run.out == "drift.alpha = 0.1: conf/drift/default.yaml, changed by drift.alpha=0.1\n"


def test_why_lists_a_section_as_json(run_cli: CliRunner) -> None:
    entries = json.loads(run_cli("config", "why", "drift", "--json").out)
    assert {entry["key"].partition(".")[0] for entry in entries} == {"drift"}
    assert {entry["file"] for entry in entries if entry["key"] == "drift.alpha"} == {"conf/drift/default.yaml"}


def test_why_suggests_the_nearest_key(run_cli: CliRunner) -> None:
    run = run_cli("config", "why", "drift.alhpa")
    assert (run.exit_code, "no such setting; did you mean 'drift.alpha'?" in run.err) == (3, True)


def test_show_prints_the_content_of_params_yaml(run_cli: CliRunner) -> None:
    assert run_cli("config", "show").out == (ROOT / "params.yaml").read_text(encoding="utf-8")
