"""Outside of a project each command that needs one says so in one line, with the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.config.stage_entry import stage

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.cli import CliRunner

_COMMANDS = [
    "status",
    "verify",
    "doctor",
    "serve",
    "app",
    "reports",
    "select",
    "config show",
    "data check rows.csv",
    "models list",
    "models register",
    "audit verify",
    "audit --at 2026-01-31",
    "loop --once",
    "monitor report",
    "retrain list",
    "state backup",
    "stream lag",
    "tracking sync",
    "predict rows.csv -o out.csv",
    "simulate calm",
]


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, which is no project."""
    monkeypatch.delenv("MLOPS_STATE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _message(folder: Path) -> str:
    return (
        f"no project here: {folder} and the folders above it have no conf/config.yaml;"
        " run `mlops init FOLDER`, or change into a project\n"
    )


@pytest.mark.parametrize("command", _COMMANDS)
def test_a_command_names_the_way_out_and_writes_nothing(outside: Path, run_cli: CliRunner, command: str) -> None:
    ended = run_cli(*command.split(), cwd=outside)
    assert (ended.exit_code, ended.out, ended.err) == (3, "", f"mlops: {_message(outside)}")
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("command", ["serve", "models", "models list", "loop", "loop list", "init"])
def test_help_needs_no_project(outside: Path, run_cli: CliRunner, command: str) -> None:
    ended = run_cli(*command.split(), "--help", cwd=outside)
    assert (ended.exit_code, "Usage" in ended.out) == (0, True)


def test_a_composed_file_is_checked_without_a_project(outside: Path, run_cli: CliRunner) -> None:
    (outside / "settings.yaml").write_text("seed: 1\n", encoding="utf-8")
    ended = run_cli("config", "check", "settings.yaml", cwd=outside)
    assert "settings.yaml: " in ended.err
    assert "no project" not in ended.err


@pytest.mark.parametrize("marker", ["dvc.yaml", "params.yaml", "conf/config.yaml", "state/state.db"])
def test_a_folder_above_may_be_the_project(outside: Path, run_cli: CliRunner, marker: str) -> None:
    (outside / marker).parent.mkdir(exist_ok=True)
    (outside / marker).touch()
    (outside / "below").mkdir()
    ended = run_cli("models", "list", cwd=outside / "below")
    assert ended.exit_code != 0
    assert "no project" not in ended.err


def test_the_folder_of_a_state_database_is_enough(outside: Path, run_cli: CliRunner) -> None:
    ended = run_cli("serve", "--state", outside / "elsewhere", cwd=outside)
    assert ended.exit_code != 0
    assert "no project" not in ended.err


def test_a_stage_names_the_way_out(
    outside: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["stage", "seed=1"])
    with pytest.raises(SystemExit, match=r"^3$"):
        stage("train")(lambda _: None)()
    assert capsys.readouterr().err == _message(outside)
