"""`mlops prediction-log`: export, erase and prune logged predictions."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import typer

from pipeline.cli.shared_options import AsJson, open_state
from pipeline.errors import UsageError
from pipeline.files import canonical_json
from pipeline.project import paths
from pipeline.text import pluralize

__all__ = ["app"]

app = typer.Typer(help="Export, erase and prune logged predictions.", no_args_is_help=True)


@app.command()
def export(
    *,
    folder: Annotated[
        str,
        typer.Option("--output", "-o", help="Folder or address in an object store that gets one Parquet file a day."),
    ],
    since: Annotated[str, typer.Option("--since", help="First day, UTC, such as 2026-01-31.")],
    until: Annotated[str | None, typer.Option("--until", help="Last day; the first day by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the predictions of each day to DAY.parquet, atomically; a day without predictions gets no file."""
    from pipeline.project.root import find_state_root
    from pipeline.serving.files.prediction_export import export_day
    from pipeline.storage import StoragePath

    target = StoragePath.parse(folder)
    first, last = _parse_day(since, option="--since"), _parse_day(until or since, option="--until")
    n_rows_by_day: dict[str, int] = {}
    with open_state(find_state_root()) as state:
        for offset in range((last - first).days + 1):
            day = first + timedelta(days=offset)
            n_rows = export_day(state, day, target / f"{day.isoformat()}.parquet")
            if n_rows:
                n_rows_by_day[day.isoformat()] = n_rows
    if as_json:
        typer.echo(canonical_json(n_rows_by_day), nl=False)
        return
    for name, n_rows in n_rows_by_day.items():
        typer.echo(f"{target / name}.parquet: {pluralize(n_rows, 'prediction')}")
    if not n_rows_by_day:
        typer.echo("no predictions on these days")


@app.command()
def erase(
    subject: Annotated[str, typer.Argument(help="Subject, as requests named it.")], *, as_json: AsJson = False
) -> None:
    """Erase a subject's predictions, outcomes and stored responses; the audit trail records the erasure."""
    from pipeline.project.actor import current_actor
    from pipeline.project.root import find_state_root
    from pipeline.retraining.labeled_snapshot import retrains_with_subject, snapshots_with_subject
    from pipeline.serving.log_hash_key import load_hash_key
    from pipeline.serving.retention import erase_subject

    root = find_state_root()
    with open_state(root) as state:
        snapshots = snapshots_with_subject(state, subject, root=root)
        retrains = retrains_with_subject(state, subject)
        n_removed = erase_subject(state, subject, actor=current_actor(), hash_key=load_hash_key(root))
    _print_removed(n_removed, "prediction", as_json=as_json)
    if any((root / paths.STATE_BACKUPS).glob("*")):
        typer.echo(f"{paths.STATE_BACKUPS} holds earlier backups, which may still name the subject", err=True)
    for snapshot in snapshots:
        typer.echo(f"{snapshot} holds rows of the subject: remove it and its copies in the cache of DVC", err=True)
    for retrain in retrains:
        where = f"branch {retrain.branch} and the cache" if retrain.branch is not None else "the cache"
        typer.echo(f"retrain {retrain.seq} learned from rows of the subject: {where} of DVC hold them", err=True)


@app.command()
def prune(
    *,
    confirms_clock: Annotated[
        bool, typer.Option("--confirm-clock", help="The clock is right, although the log was idle for long.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Delete predictions and stored responses past their retention time, and prepare partitions; the server may run."""
    from pipeline.config.config_loader import load_params
    from pipeline.project.actor import current_actor
    from pipeline.project.root import find_state_root
    from pipeline.serving.retention import prepare_partitions, prune_log

    root = find_state_root()
    config = load_params(root / "params.yaml").serving.log
    with open_state(root) as state:
        prepare_partitions(state, config)
        n_removed = prune_log(state, config, actor=current_actor(), confirms_clock=confirms_clock)
    _print_removed(n_removed, "row", as_json=as_json)


def _print_removed(n_removed: int, noun: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(canonical_json({"removed": n_removed}), nl=False)
    else:
        typer.echo(f"{pluralize(n_removed, noun)} removed")


def _parse_day(text: str, *, option: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise UsageError(f"{option} {text!r}: expected a day such as 2026-01-31") from error
