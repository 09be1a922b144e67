"""Commands about the state database."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import UsageError
from pipeline.files import canonical_json
from pipeline.text import percent, pluralize

if TYPE_CHECKING:
    from pipeline.state import CopiedTable, State

__all__ = ["app"]

app = typer.Typer(help="Look after the state database.", no_args_is_help=True)

_PROGRESS_EVERY_ROWS = 100_000

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command()
def upgrade(*, as_json: AsJson = False) -> None:
    """Bring the tables up to date, after a backup; a kill leaves them wholly old or wholly new."""
    from pipeline import state as store
    from pipeline.project import paths
    from pipeline.project.root import find_project_root

    root = find_project_root()
    state = store.connect(root)
    try:
        before = store.schema_revision(state)
        backup = store.upgrade_schema(state, root / paths.STATE_BACKUPS)
        after = store.schema_revision(state)
    finally:
        state.close()
    if as_json:
        told = {"before": before.current, "after": after.current, "backup": None if backup is None else str(backup)}
        typer.echo(canonical_json(told), nl=False)
    elif before.is_current:
        typer.echo(f"{state.address}: is up to date (form {after.current})")
    else:
        kept = "" if backup is None else f"; the backup is {backup}"
        typer.echo(f"{state.address}: went from form {before.current or 'none'} to {after.current}{kept}")


@app.command()
def backup(*, as_json: AsJson = False) -> None:
    """Copy the database into state/backups/ while everything goes on, and say where the copy is."""
    from pipeline import state as store
    from pipeline.project import paths
    from pipeline.project.root import find_project_root

    root = find_project_root()
    state = store.connect(root)
    try:
        made = store.back_up_state(state, root / paths.STATE_BACKUPS)
    finally:
        state.close()
    told = {"backup": str(made), "bytes": made.stat().st_size}
    typer.echo(canonical_json(told) if as_json else f"{made}: {told['bytes']:,} bytes\n", nl=False)


@app.command()
def copy(
    *,
    target: Annotated[
        str,
        typer.Option(
            "--to", envvar="MLOPS_STATE_COPY_TO", show_envvar=True, help="Address of an empty database, of either kind."
        ),
    ],
    source: Annotated[
        str, typer.Option("--from", help="Address of the database to copy; that of this project by default.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Copy every row into an empty database and compare both sides, in one transaction; stop what writes first."""
    from pipeline import state as store
    from pipeline.config.config_loader import load_params
    from pipeline.project.root import find_project_root
    from pipeline.registry.stage_transitions import current_actor

    old = _open_source(source)
    try:
        new = store.connect_to(target, setting_name="--to")
        try:
            if old.engine.url == new.engine.url:
                raise UsageError(f"--to: {new.address} is the database to copy from; name another")
            log = load_params(find_project_root() / "params.yaml").serving.log
            copied = store.copy_state(
                old, new, actor=current_actor(), partition_days=log.partition_days, on_progress=_print_progress
            )
        finally:
            new.close()
    finally:
        old.close()
    _print_copied(copied, old, new, as_json=as_json)


def _open_source(address: str) -> State:
    from pipeline import state as store
    from pipeline.project.root import find_project_root

    return store.connect_to(address, setting_name="--from") if address else store.connect(find_project_root())


def _print_copied(copied: list[CopiedTable], old: State, new: State, *, as_json: bool) -> None:
    if as_json:
        told = {"from": old.address, "to": new.address, "tables": [asdict(one) for one in copied]}
        typer.echo(canonical_json(told), nl=False)
        return
    for one in copied:
        if one.n_rows:
            typer.echo(f"{one.name:<16} {one.n_rows:>12,} rows, the same on both sides (SHA-256 {one.sha256[:12]})")
    n_rows = sum(one.n_rows for one in copied)
    typer.echo(
        f"{new.address}: has all {pluralize(n_rows, 'row')} of {old.address}; set MLOPS_STATE_URL to serve from it"
    )


def _print_progress(action: str, table: str, n_done: int, n_total: int) -> None:
    """Say how far a long table is."""
    if n_total > _PROGRESS_EVERY_ROWS and (n_done % _PROGRESS_EVERY_ROWS == 0 or n_done == n_total):
        typer.echo(
            f"{action} {n_done:,} of {pluralize(n_total, 'row')} of {table} ({percent(n_done / n_total)})", err=True
        )
