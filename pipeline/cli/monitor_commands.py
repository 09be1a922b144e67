"""Commands about live predictions: what moved, how well the model does, and the counts that this is read from."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from pipeline.cli.backtest_command import backtest
from pipeline.errors import UsageError
from pipeline.files import canonical_json
from pipeline.text import pluralize

__all__ = ["app"]

app = typer.Typer(help="Watch live predictions: drift, performance, and their hourly counts.", no_args_is_help=True)
app.command()(backtest)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
ModelOption = Annotated[str | None, typer.Option("--name", help="The model; that of params.yaml when left out.")]


def _model_name(name: str | None) -> str:
    from pipeline.config.config_loader import load_params

    return name if name is not None else load_params().name


def _parse_timestamp(text: str) -> int:
    """Return a moment in microseconds since 1970."""
    from datetime import UTC, datetime

    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--until {text!r}: accepted is a moment such as 2026-03-01T12:00:00Z") from error
    if not 1970 < found.year < 9999:
        raise UsageError(f"--until {text!r}: accepted is a moment of the years 1971 to 9998")
    return round((found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp() * 1_000_000)


@app.command()
def report(
    *,
    name: ModelOption = None,
    hours: Annotated[float | None, typer.Option("--hours", help="Length of the window, up to its end.")] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="End of the window, such as 2026-03-01T12:00:00Z; now when left out.")
    ] = None,
    rows: Annotated[int | None, typer.Option("--rows", help="The last so many predictions instead of hours.")] = None,
    as_json: AsJson = False,
) -> None:
    """Judge the last hours: each column in words, then performance as measured and as expected."""
    from pipeline.monitoring import ModelMonitor
    from pipeline.monitoring.monitoring_html import headline, text_lines

    clock = None if until is None else partial(_parse_timestamp, until)
    found = ModelMonitor(_model_name(name), clock=clock).generate_monitoring_report(hours, window_rows=rows)
    if as_json:
        typer.echo(canonical_json(found), nl=False)
        return
    typer.echo(headline(found))
    for line in text_lines(found):
        typer.echo(line)


@app.command()
def rebuild(*, name: ModelOption = None, as_json: AsJson = False) -> None:
    """Make the hourly counts anew from the prediction log."""
    from pipeline.monitoring import ModelMonitor

    n_rows = ModelMonitor(_model_name(name)).rebuild()
    typer.echo(
        canonical_json({"n_rows": n_rows}) if as_json else f"{pluralize(n_rows, 'prediction')} counted anew",
        nl=not as_json,
    )
