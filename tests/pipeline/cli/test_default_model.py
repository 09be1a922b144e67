"""Every command without --model acts on the model of params.yaml, also where several are registered."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, get_args

import pytest
import typer

from pipeline.cli import root_command
from pipeline.cli.shared_options import ModelFilter, ModelOption
from pipeline.registry import ModelRegistry
from tests.pipeline.registry.test_model_registry import NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fixtures.cli import CliRunner

# Each command that reads or changes one model, with words under which it does so quickly.
ONE_MODEL = {
    "models show": ("1",),
    "models compare": (),
    "models diff": ("1", "2"),
    "models reproduce": ("1",),
    "promote": ("2",),
    "rollback": (),
    "predict": ("no_such_file.csv",),
    "feedback": ("no_such_file.csv",),
    "alerts silence": (),
    "monitor count": ("no_such_file.csv", "-o", "counts"),
    "monitor report": (),
    "monitor rebuild": (),
    "monitor backtest": (),
    "parts plan predict": ("no_such_file.csv", "-o", "parts"),
    "parts plan count": ("no_such_file.csv", "-o", "parts"),
    "deploy": (),
    "trial start": ("2",),
    "trial list": (),
    "loop list": (),
    "fairness report": (),
    "serve": (),
}
ALL_MODELS = ("alerts list", "audit", "audit list", "models list")


def _commands(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        path = f"{prefix} {name}".strip()
        yield path, command
        if hasattr(command, "commands"):
            yield from _commands(command, path)


def _model_options() -> dict[str, str]:
    root = typer.main.get_command(root_command.app)
    return {
        path: str(option.help)
        for path, command in _commands(root)
        for option in command.params
        if "--model" in option.opts
    }


def _help(annotation: Any) -> str:
    return str(get_args(annotation)[1].help)


def test_every_command_with_a_model_has_one_of_the_two_defaults() -> None:
    expected = dict.fromkeys(ONE_MODEL, _help(ModelOption)) | dict.fromkeys(ALL_MODELS, _help(ModelFilter))
    options = _model_options()
    # Its option --flat writes the columns of one model; without it, the rows of all models are exported.
    assert "of params.yaml by default" in options.pop("prediction-log export")
    assert options == expected


@pytest.fixture
def two_models(model_project: Path) -> Path:
    """The project with a second model, whose name sorts before that of the settings."""
    registry = ModelRegistry(model_project)
    for number in (1, 0):
        registry.register_model(model_project / f"package_{number}", "another_model")
    registry.promote_model("another_model", 1, "Production", force=True, reason="a second problem")
    return model_project


@pytest.mark.parametrize("command", ["models show", "models compare", "models diff", "promote"])
def test_a_command_without_a_name_acts_as_with_the_name_of_the_settings(
    two_models: Path, run_cli: CliRunner, command: str
) -> None:
    words = (*command.split(), *ONE_MODEL[command])
    implicit, explicit = (run_cli(*words, *more, cwd=two_models) for more in ((), ("--model", NAME)))
    assert (implicit.exit_code, explicit.exit_code) == (0, 0), implicit.err
    assert _without_decision_numbers(implicit.out) == _without_decision_numbers(explicit.out)


def _without_decision_numbers(text: str) -> str:
    """Return the output without what differs after every decision: the generation and the head of the trail."""
    return re.sub(r"generation \d+|\d+:[0-9a-f]{64}", "", text)


def test_rollback_without_a_name_returns_the_model_of_the_settings(two_models: Path, run_cli: CliRunner) -> None:
    assert run_cli("promote", "2", cwd=two_models).exit_code == 0
    assert run_cli("rollback", cwd=two_models).out.startswith(f"{NAME}: Production is version 1")


@pytest.mark.parametrize("command", ["models list", "audit list"])
def test_a_list_without_a_name_has_every_model(two_models: Path, run_cli: CliRunner, command: str) -> None:
    run = run_cli(*command.split(), "--json", cwd=two_models)
    assert {row["model"] for row in json.loads(run.out)} == {NAME, "another_model"}
