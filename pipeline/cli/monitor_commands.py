"""`mlops monitor`: drift and performance of live predictions, and the hourly roll-ups behind them."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from pipeline.cli.backtest_command import backtest
from pipeline.cli.count_command import count
from pipeline.cli.shared_options import AsJson, ModelOption, parse_timestamp
from pipeline.cli.terminal_output import colored
from pipeline.files import canonical_json
from pipeline.text import pluralize

__all__ = ["app"]

app = typer.Typer(help="Report drift and performance of live predictions.", no_args_is_help=True)
app.command()(backtest)
app.command()(count)


def _configured_model(name: str | None) -> str:
    from pipeline.config.config_loader import load_params

    return name if name is not None else load_params().name


@app.command()
def report(
    *,
    model: ModelOption = None,
    hours: Annotated[float | None, typer.Option("--hours", help="Length of the window in hours.")] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="End of the window, such as 2026-03-01T12:00:00Z; now by default.")
    ] = None,
    rows: Annotated[
        int | None, typer.Option("--rows", help="Use the last ROWS predictions as the window instead of hours.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Report a window of live predictions: drift by feature, measured and estimated performance."""
    from pipeline.monitoring import ModelMonitor
    from pipeline.monitoring.monitoring_text import report_headline, report_text_lines

    clock = None if until is None else partial(parse_timestamp, until, option="--until")
    monitoring_report = ModelMonitor(_configured_model(model), clock=clock).generate_monitoring_report(
        hours, window_rows=rows
    )
    if as_json:
        typer.echo(canonical_json(monitoring_report), nl=False)
        return
    typer.echo(report_headline(monitoring_report))
    for verdict, line in report_text_lines(monitoring_report):
        typer.echo(colored(line, verdict))


@app.command()
def rebuild(*, model: ModelOption = None, as_json: AsJson = False) -> None:
    """Rebuild the hourly roll-ups from the prediction log."""
    from pipeline.monitoring import ModelMonitor

    n_rows = ModelMonitor(_configured_model(model)).rebuild()
    if as_json:
        typer.echo(canonical_json({"n_rows": n_rows}), nl=False)
    else:
        typer.echo(f"roll-ups rebuilt from {pluralize(n_rows, 'prediction')}")
