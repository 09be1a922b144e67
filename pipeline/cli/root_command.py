"""The `mlops` command: its sub-commands, and the message and exit code of each error."""

from __future__ import annotations

import logging
import sys
from functools import cache
from typing import TYPE_CHECKING, Annotated

import typer

# None of these modules imports a heavy package at its top, so `mlops --help` stays fast.
from pipeline.cli import (
    alert_commands,
    api_key_commands,
    audit_commands,
    config_commands,
    data_commands,
    fairness_commands,
    loop_commands,
    model_commands,
    monitor_commands,
    parts_commands,
    prediction_log_commands,
    project_commands,
    retrain_commands,
    state_commands,
    stream_commands,
    tracking_commands,
    trial_commands,
)
from pipeline.cli.app_command import dashboard
from pipeline.cli.change_report_command import change_report
from pipeline.cli.extensions_command import extensions
from pipeline.cli.init_command import init
from pipeline.cli.predict_commands import feedback, predict
from pipeline.cli.profile_command import profile
from pipeline.cli.project_check import in_project
from pipeline.cli.promotion_commands import deploy, promote, rollback
from pipeline.cli.reports_command import reports
from pipeline.cli.select_command import select
from pipeline.cli.serve_command import serve
from pipeline.cli.simulate_command import simulate
from pipeline.cli.upgrade_command import upgrade
from pipeline.errors import MlopsError
from pipeline.project.stage_digests import DISTRIBUTION, engine_version

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["app", "main"]

_GROUPS: dict[str, typer.Typer] = {
    "alerts": alert_commands.app,
    "audit": audit_commands.app,
    "config": config_commands.app,
    "data": data_commands.app,
    "keys": api_key_commands.app,
    "loop": loop_commands.app,
    "models": model_commands.app,
    "fairness": fairness_commands.app,
    "monitor": monitor_commands.app,
    "parts": parts_commands.app,
    "prediction-log": prediction_log_commands.app,
    "project": project_commands.app,
    "retrain": retrain_commands.app,
    "state": state_commands.app,
    "stream": stream_commands.app,
    "tracking": tracking_commands.app,
    "trial": trial_commands.app,
}
_COMMANDS: dict[str, Callable[..., None]] = {
    "init": init,
    "upgrade": upgrade,
    "app": dashboard,
    "status": project_commands.status,
    "verify": project_commands.verify,
    "doctor": project_commands.doctor,
    "promote": promote,
    "rollback": rollback,
    "deploy": deploy,
    "predict": predict,
    "feedback": feedback,
    "change-report": change_report,
    "reports": reports,
    "profile": profile,
    "extensions": extensions,
    "select": select,
    "serve": serve,
    "simulate": simulate,
}

# They make a project, or need no more than the files that they name.
_WITHOUT_PROJECT = {
    "init",
    "upgrade",
    "config check",
    *(f"parts {name}" for name in ("run", "commit", "status", "clean")),
}

app = typer.Typer(
    help="Train, register, serve and monitor models that are declared in YAML.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(*, is_requested: bool) -> None:
    if is_requested:
        typer.echo(f"{DISTRIBUTION} {engine_version()}")
        raise typer.Exit


@app.callback()
def _callback(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=lambda value: _print_version(is_requested=value),
            is_eager=True,
            help="Print the version of the engine.",
        ),
    ] = False,
) -> None:
    """Join the sub-commands; do nothing by itself."""


for _name, _command in _COMMANDS.items():
    app.command(_name)(_command if _name in _WITHOUT_PROJECT else in_project(_command))
for _name, _group in _GROUPS.items():
    for _info in (*_group.registered_commands, _group.registered_callback):
        _function = None if _info is None else _info.callback
        if _info is not None and _function is not None and f"{_name} {_function.__name__}" not in _WITHOUT_PROJECT:
            _info.callback = in_project(_function)
    app.add_typer(_group, name=_name)


@cache
def _command_tree() -> Callable[..., None]:
    """Return the commands with their options, which take 50 ms to read from the functions."""
    return typer.main.get_command(app)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line, by default that of the process, and exit with its code.

    Raises
    ------
    SystemExit
        Always; the codes are listed in `pipeline.errors`.
    """
    try:
        _command_tree()(arguments, prog_name="mlops")
    except MlopsError as error:
        sys.stderr.write(f"mlops: {error}\n")
        sys.exit(error.exit_code)
    except Exception:
        logging.getLogger(__name__).exception("mlops: internal error; please report the traceback below")
        sys.exit(MlopsError.exit_code)
