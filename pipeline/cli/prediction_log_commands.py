"""`mlops prediction-log`: export, erase and prune logged predictions."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.shared_options import AsJson, open_state
from pipeline.errors import UsageError
from pipeline.files import canonical_json
from pipeline.project import paths
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.state import State
    from pipeline.storage import StoragePath

__all__ = ["app"]

app = typer.Typer(help="Export, erase and prune logged predictions.", no_args_is_help=True)
_REFERENCE = "reference"


@app.command()
def export(  # noqa: PLR0913 - options of a command
    *,
    folder: Annotated[
        str,
        typer.Option("--output", "-o", help="Folder or address in an object store that gets one file a day."),
    ],
    since: Annotated[str | None, typer.Option("--since", help="First day, UTC, such as 2026-01-31.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Last day; the first day by default.")] = None,
    file_format: Annotated[str, typer.Option("--format", help="parquet or csv.")] = "parquet",
    flat: Annotated[
        bool, typer.Option("--flat", help="One typed column for each feature, for other monitors.")
    ] = False,
    reference: Annotated[
        bool, typer.Option("--reference", help="Also write the test rows of the version, flat, as reference.FORMAT.")
    ] = False,
    model: Annotated[
        str | None, typer.Option("--model", help="Only this model; with --flat, that of params.yaml by default.")
    ] = None,
    version: Annotated[int | None, typer.Option("--version", help="Only this version of the model.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the predictions of each day to DAY.parquet, atomically; a day without predictions gets no file."""
    from pipeline.project.root import find_state_root
    from pipeline.storage import StoragePath

    target, days = StoragePath.parse(folder), _days(since, until, reference=reference)
    if file_format not in ("parquet", "csv"):
        raise UsageError(f"--format {file_format!r}: expected parquet or csv")
    if flat or reference:
        n_rows_by_name = _export_flat(target, days, file_format, model=model, version=version, reference=reference)
    else:
        with open_state(find_state_root()) as state:
            n_rows_by_name = _export_days(state, target, days, file_format, model=model, version=version)
    if as_json:
        typer.echo(canonical_json(n_rows_by_name), nl=False)
        return
    for name, n_rows in n_rows_by_name.items():
        noun = "row" if name == _REFERENCE else "prediction"
        typer.echo(f"{target / name}.{file_format}: {pluralize(n_rows, noun)}")
    if days and not n_rows_by_name.keys() - {_REFERENCE}:
        typer.echo("no predictions on these days")


def _days(since: str | None, until: str | None, *, reference: bool) -> list[date]:
    """Return the days to export; none if only the reference is wanted."""
    if since is None:
        if not reference or until is not None:
            raise UsageError("--since is missing: the first day to export, such as 2026-01-31")
        return []
    first, last = _parse_day(since, option="--since"), _parse_day(until or since, option="--until")
    return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]


def _export_flat(
    target: StoragePath, days: Sequence[date], suffix: str, *, model: str | None, version: int | None, reference: bool
) -> dict[str, int]:
    """Write the days, and the reference if it is wanted, in the form of a version; return the rows of each file."""
    from pipeline.cli.opened_version import open_version
    from pipeline.serving.files.flat_form import FlatForm
    from pipeline.serving.files.prediction_export import export_reference

    with open_version(model, version) as opened:
        form = FlatForm(opened.package, opened.version)
        n_rows_by_name = _export_days(
            opened.state, target, days, suffix, form=form, model=opened.model, version=version
        )
        if reference:
            n_rows_by_name[_REFERENCE] = export_reference(form, opened.root, target / f"{_REFERENCE}.{suffix}")
        return n_rows_by_name


def _export_days(
    state: State, target: StoragePath, days: Sequence[date], suffix: str, **selection: Any
) -> dict[str, int]:
    from pipeline.serving.files.prediction_export import export_day

    n_rows_by_day = {
        day.isoformat(): export_day(state, day, target / f"{day.isoformat()}.{suffix}", **selection) for day in days
    }
    return {day: n_rows for day, n_rows in n_rows_by_day.items() if n_rows}


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
