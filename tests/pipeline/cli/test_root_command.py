"""The `mlops` program: its exit codes as a shell sees them, its commands and their help."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer

from pipeline.cli.root_command import app
from tests.fixtures.toy_dataset import ROOT
from tests.pipeline.cli.test_audit_commands import alter_audit_trail

if TYPE_CHECKING:
    from collections.abc import Iterator

    import click

    from tests.fixtures.cli import CliRunner

MLOPS = str(Path(sys.executable).with_name("mlops"))


def run_program(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_the_version_of_the_engine_needs_no_project(run_cli: CliRunner, tmp_path: Path) -> None:
    run = run_cli("--version", cwd=tmp_path)
    assert (run.exit_code, run.out) == (0, f"declarative-mlops {version('declarative-mlops')}\n")


@pytest.mark.usefixtures("starts_processes")
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("models", "list"), 0),
        (("promote", "many"), 2),
        (("config", "check", "params.yaml", "broken.yaml"), 3),
        (("promote", "3"), 5),
        (("promote", "2", "--expected-generation", "0"), 6),
        (("audit", "verify"), 8),
    ],
)
def test_the_process_exits_with_the_code_of_the_error(model_project: Path, words: tuple[str, ...], code: int) -> None:
    (model_project / "broken.yaml").write_text("seed: [", encoding="utf-8")
    if code == 8:
        alter_audit_trail(model_project)
    process = run_program(MLOPS, *words, cwd=model_project)
    assert process.returncode == code, process.stderr
    assert "Traceback" not in process.stderr


@pytest.mark.usefixtures("starts_processes")
def test_invalid_rows_exit_with_code_4(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("nothing\n1\n", encoding="utf-8")
    assert run_program(MLOPS, "data", "check", str(tmp_path / "rows.csv"), cwd=ROOT).returncode == 4


@pytest.mark.usefixtures("starts_processes")
def test_an_unreachable_database_exits_with_code_7(model_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_STATE_URL", "postgresql://127.0.0.1:1/nothing")
    process = run_program(MLOPS, "models", "list", cwd=model_project)
    assert process.returncode == 7, process.stderr


@pytest.mark.usefixtures("starts_processes")
def test_an_unexpected_error_exits_with_code_70_and_a_traceback() -> None:
    code = "from pipeline.cli.root_command import app, main; app.command('divide')(lambda: 1 / 0); main(['divide'])"
    process = run_program(sys.executable, "-c", code, cwd=ROOT)
    assert process.returncode == 70
    assert "mlops: internal error; please report the traceback below" in process.stderr
    assert "ZeroDivisionError" in process.stderr


def commands(group: click.Command, *words: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command of a group with the words that call it."""
    subcommands: dict[str, click.Command] = getattr(group, "commands", {})
    for name, command in subcommands.items():
        yield from commands(command, *words, name)
    if not subcommands:
        yield words, group


COMMANDS = dict(commands(typer.main.get_command(app)))


def test_the_short_project_commands_are_the_same_commands() -> None:
    for name in ("status", "verify", "doctor"):
        command, project_command = COMMANDS[name,], COMMANDS["project", name]
        assert inspect.unwrap(command.callback) is inspect.unwrap(project_command.callback)  # type: ignore[arg-type]


def test_every_command_and_option_has_a_help_text() -> None:
    without = [
        (*words, parameter.name)
        for words, command in COMMANDS.items()
        for parameter in command.params
        if parameter.name != "help" and not (command.help and getattr(parameter, "help", None))
    ]
    assert without == []


def test_a_help_sentence_has_at_most_25_words() -> None:
    texts = [command.help or "" for command in COMMANDS.values()]
    texts += [getattr(parameter, "help", None) or "" for command in COMMANDS.values() for parameter in command.params]
    sentences = [sentence for text in texts for sentence in text.split(".")]
    assert [sentence for sentence in sentences if len(sentence.split()) > 25] == []


def test_an_unknown_command_suggests_the_nearest(run_cli: CliRunner) -> None:
    run = run_cli("project", "doctr")
    assert (run.exit_code, "Did you mean 'doctor'?" in run.err) == (2, True)
