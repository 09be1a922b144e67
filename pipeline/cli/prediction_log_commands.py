"""Commands about the prediction log: take it out by day, remove what is about one subject, remove what is old."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import UsageError
from pipeline.files import canonical_json
from pipeline.text import pluralize

if TYPE_CHECKING:
    from pipeline.state import State

__all__ = ["app"]

app = typer.Typer(help="Take out, erase and prune logged predictions.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def _open_state() -> State:
    from pipeline import state as store
    from pipeline.project.root import find_state_root

    return store.open_state(find_state_root())


@app.command()
def export(
    *,
    folder: Annotated[Path, typer.Option("--output", "-o", help="Folder for one Parquet file for each day.")],
    since: Annotated[str, typer.Option("--since", help="First day, UTC, such as 2026-01-31.")],
    until: Annotated[str | None, typer.Option("--until", help="Last day; the first one when left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the predictions of each day to DAY.parquet, whole or not at all; a day without any gets no file."""
    from pipeline.serving.files.prediction_export import export_day

    first, last = _parse_day(since, "--since"), _parse_day(until or since, "--until")
    state = _open_state()
    written: dict[str, int] = {}
    try:
        for offset in range((last - first).days + 1):
            day = first + timedelta(days=offset)
            n_rows = export_day(state, day, folder / f"{day.isoformat()}.parquet")
            if n_rows:
                written[day.isoformat()] = n_rows
    finally:
        state.close()
    if as_json:
        typer.echo(canonical_json(written), nl=False)
        return
    for name, n_rows in written.items():
        typer.echo(f"{folder / name}.parquet: {pluralize(n_rows, 'prediction')}")
    if not written:
        typer.echo("no predictions in these days")


@app.command()
def erase(
    subject: Annotated[str, typer.Argument(help="The subject that requests named.")], *, as_json: AsJson = False
) -> None:
    """Remove all that is kept about a subject: predictions, outcomes, stored answers; the audit trail says that it was done."""
    from pipeline.registry.stage_transitions import current_actor
    from pipeline.serving.retention import erase_subject as work

    state = _open_state()
    try:
        n_removed = work(state, subject, actor=current_actor())
    finally:
        state.close()
    typer.echo(
        canonical_json({"removed": n_removed}) if as_json else f"{pluralize(n_removed, 'prediction')} removed",
        nl=not as_json,
    )


@app.command()
def prune(*, as_json: AsJson = False) -> None:
    """Remove predictions and stored answers that are older than the settings say, while the server runs."""
    from pipeline.config.config_loader import load_params
    from pipeline.project.root import find_state_root
    from pipeline.serving.retention import prune as work

    config = load_params(find_state_root() / "params.yaml").serving.log
    state = _open_state()
    try:
        n_removed = work(state, config)
    finally:
        state.close()
    typer.echo(
        canonical_json({"removed": n_removed}) if as_json else f"{pluralize(n_removed, 'row')} removed", nl=not as_json
    )


def _parse_day(text: str, option: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise UsageError(f"{option} {text!r}: accepted is a day such as 2026-01-31") from error
