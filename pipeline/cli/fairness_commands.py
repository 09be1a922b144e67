"""`mlops fairness`: the groups of protected columns, compared with intervals."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pipeline.cli.shared_options import AsJson, ModelOption  # noqa: TC001 - typer reads it
from pipeline.files import canonical_json

__all__ = ["app"]

app = typer.Typer(help="Compare groups of protected columns.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Compare groups of protected columns."""


@app.command()
def report(
    *,
    live: Annotated[
        bool, typer.Option("--live", help="Compare live predictions with outcomes instead of the test rows.")
    ] = False,
    model: ModelOption = None,
    hours: Annotated[float | None, typer.Option("--hours", help="Length of the live window in hours.")] = None,
    rows: Annotated[
        int | None, typer.Option("--rows", help="Use the last ROWS predictions as the live window instead of hours.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Report each group of each protected column, with its interval and verdict."""
    from pipeline.errors import UsageError
    from pipeline.fairness import fairness_text

    if not live and (model is not None or hours is not None or rows is not None):
        raise UsageError("mlops fairness report: --model, --hours and --rows choose live predictions; add --live")
    fairness = _live_report(model, hours, rows) if live else _evaluation_report()
    typer.echo(canonical_json(fairness) if as_json else fairness_text(fairness), nl=not as_json)


def _evaluation_report() -> dict[str, Any]:
    """Return the groups of the candidate on the test rows."""
    from pipeline import files
    from pipeline.project import paths
    from pipeline.project.root import find_project_root

    fairness: dict[str, Any] = files.read_json(find_project_root() / paths.EVALUATION_REPORT)["fairness"]
    return fairness


def _live_report(model: str | None, hours: float | None, n_rows: int | None) -> dict[str, Any]:
    from pipeline.config.config_loader import load_params
    from pipeline.monitoring import ModelMonitor

    name = model if model is not None else load_params().name
    with ModelMonitor(name).open_window(hours, window_rows=n_rows) as view:
        return view.fairness.as_dict()
