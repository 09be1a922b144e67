"""`mlops upgrade` as a person runs it."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from pipeline.project.stage_digests import engine_version
from pipeline.project_setup import create_project

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.cli import CliRunner


@pytest.fixture(scope="module")
def current(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project on the running engine."""
    return create_project(tmp_path_factory.mktemp("upgrade") / "churn").folder


@pytest.fixture
def older(current: Path, tmp_path: Path) -> Path:
    """Return a project of an older engine, which had another default and another stage."""
    root = tmp_path / "churn"
    shutil.copytree(current, root)
    record = root / "engine" / "engine.json"
    values = json.loads(record.read_text())
    values["version"] = "0.0.9"
    values["defaults"]["options"]["drift/default"]["drift.alpha"] = 0.5
    record.write_text(json.dumps(values))
    (root / "engine" / "train.digest").write_text("sha256:0\n")
    (root / "requirements.txt").write_text("declarative-mlops==0.0.9\n")
    return root


def test_a_dry_run_shows_what_an_upgrade_does(run_cli: CliRunner, older: Path) -> None:
    planned, done = run_cli("upgrade", "--dry-run", cwd=older), run_cli("upgrade", cwd=older)
    assert (planned.exit_code, done.exit_code) == (0, 0)
    *lines, last = planned.out.splitlines()
    assert done.out.splitlines()[:-1] == lines
    assert last == "nothing was changed; next: mlops upgrade"
    assert done.out.splitlines()[-1] == "next: review with `git diff`, commit, then dvc repro"
    assert lines[:2] == [f"declarative-mlops 0.0.9 -> {engine_version()}", "defaults:"]
    assert lines[2].startswith("  drift.alpha: 0.5 -> ")
    assert "files: requirements.txt, engine/engine.json, 1 digest in engine/" in lines
    assert "`dvc repro` runs every stage, because none has run yet" in lines


def test_a_project_that_has_run_names_the_stages_that_run_again(run_cli: CliRunner, older: Path) -> None:
    (older / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    assert "`dvc repro` runs no stage" in run_cli("upgrade", "--dry-run", cwd=older).out


def test_json_names_what_was_applied(run_cli: CliRunner, older: Path) -> None:
    values = json.loads(run_cli("upgrade", "--json", cwd=older).out)
    assert (values["before"], values["after"], values["is_applied"]) == ("0.0.9", engine_version(), True)
    assert values["files"] == ["requirements.txt", "engine/train.digest", "engine/engine.json"]


def test_a_current_project_is_left_as_it_is(run_cli: CliRunner, current: Path) -> None:
    assert "already; nothing changed" in run_cli("upgrade", cwd=current).out


def test_a_requirement_without_a_pin_and_refused_settings_are_reported(run_cli: CliRunner, older: Path) -> None:
    (older / "requirements.txt").write_text("pandas\n")
    with (older / "conf" / "config.yaml").open("a") as stream:
        stream.write("training:\n  extinct: 1\n")
    run = run_cli("upgrade", cwd=older)
    assert "requirements.txt: no line pins the engine; pin declarative-mlops==" in run.out
    assert "  conf/config.yaml: training.extinct: is not a key here" in run.out
    assert run.out.splitlines()[-1] == "next: change these settings, then mlops config check"


def test_doctor_and_status_name_the_difference_until_the_upgrade(run_cli: CliRunner, older: Path) -> None:
    message = f"the installed engine {engine_version()} differs from the project's 0.0.9 in stage train; run `mlops"
    assert message in run_cli("status", cwd=older).out
    assert f"problem  engine: {message}" in run_cli("doctor", "--graph", "--dry-run", cwd=older).out
    run_cli("upgrade", cwd=older)
    assert message not in run_cli("status", cwd=older).out
