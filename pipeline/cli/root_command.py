"""Joins the sub-commands and turns our errors into a message with an exit code."""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import typer

from pipeline.cli import predict_commands, project_commands, promotion_commands, tracking_commands
from pipeline.cli.change_report_command import report
from pipeline.cli.profile_command import profile
from pipeline.cli.serve_command import serve
from pipeline.cli.simulate_command import simulate
from pipeline.errors import MlopsError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["app", "main"]

# Each of these modules has an `app`, and imports nothing heavy at its top: `mlops --help` stays fast.
_GROUPS = {
    "alerts": "pipeline.cli.alert_commands",
    "audit": "pipeline.cli.audit_commands",
    "config": "pipeline.cli.config_commands",
    "data": "pipeline.cli.data_commands",
    "keys": "pipeline.cli.api_key_commands",
    "log": "pipeline.cli.prediction_log_commands",
    "models": "pipeline.cli.model_commands",
    "monitor": "pipeline.cli.monitor_commands",
    "state": "pipeline.cli.state_commands",
    "track": "pipeline.cli.tracking_commands",
}

# Commands without a group: the function's name is the verb.
_COMMANDS: list[Callable[..., None]] = [
    project_commands.status,
    project_commands.verify,
    project_commands.doctor,
    tracking_commands.adopt,
    promotion_commands.promote,
    promotion_commands.rollback,
    promotion_commands.deploy,
    predict_commands.predict,
    predict_commands.feedback,
    report,
    profile,
    serve,
    simulate,
]

app = typer.Typer(
    help="An MLOps engine in which everything is declared in YAML and nothing is clicked.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _callback() -> None:
    """Join the sub-commands; do nothing by itself."""


for _command in _COMMANDS:
    app.command()(_command)
for _name, _module in _GROUPS.items():
    app.add_typer(import_module(_module).app, name=_name)


def main() -> None:
    """Run the command line and end the process with its exit code."""
    try:
        app()
    except MlopsError as error:
        sys.stderr.write(f"mlops: {error}\n")
        sys.exit(error.exit_code)
    except Exception:
        logging.getLogger(__name__).exception("mlops: this is a bug of ours; please report what stands below")
        sys.exit(MlopsError.exit_code)
