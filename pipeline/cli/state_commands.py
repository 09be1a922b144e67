"""`mlops state`: upgrade, back up, copy and share out the state database."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.shared_options import AsJson  # noqa: TC001 - typer reads it
from pipeline.errors import UsageError
from pipeline.files import canonical_json
from pipeline.text import percent, pluralize

if TYPE_CHECKING:
    from pipeline.state import CopiedTable, State

__all__ = ["app"]

app = typer.Typer(
    help="Upgrade, back up and copy the state database, and grant rights to its accounts.", no_args_is_help=True
)

_PROGRESS_EVERY_ROWS = 100_000


@app.command()
def upgrade(*, as_json: AsJson = False) -> None:
    """Back up the database and upgrade its schema, atomically."""
    from pipeline import state as store
    from pipeline.project import paths
    from pipeline.project.root import find_project_root

    root = find_project_root()
    state = store.connect_to_project(root)
    try:
        before = store.schema_revision(state)
        backup = store.upgrade_schema(state, root / paths.STATE_BACKUPS)
        after = store.schema_revision(state)
    finally:
        state.close()
    if as_json:
        body = {"before": before.current, "after": after.current, "backup": None if backup is None else str(backup)}
        typer.echo(canonical_json(body), nl=False)
    elif before.is_current:
        typer.echo(f"{state.address}: up to date (schema version {after.current})")
    else:
        backed_up = "" if backup is None else f"; backup: {backup}"
        old = before.current or "none"
        typer.echo(f"{state.address}: upgraded from schema version {old} to {after.current}{backed_up}")


@app.command()
def backup(*, as_json: AsJson = False) -> None:
    """Back up the database into state/backups/ while programs use it, and print the path."""
    from pipeline import state as store
    from pipeline.project import paths
    from pipeline.project.root import find_project_root

    root = find_project_root()
    state = store.connect_to_project(root)
    try:
        path = store.back_up_state(state, root / paths.STATE_BACKUPS)
    finally:
        state.close()
    n_bytes = path.stat().st_size
    if as_json:
        typer.echo(canonical_json({"backup": str(path), "bytes": n_bytes}), nl=False)
    else:
        typer.echo(f"{path}: {n_bytes:,} bytes")


@app.command()
def grant(
    *,
    is_applied: Annotated[
        bool, typer.Option("--apply", help="Run the SQL as the account of MLOPS_STATE_URL, which owns the tables.")
    ] = False,
    prefix: Annotated[str, typer.Option("--prefix", help="First word of the names of the accounts.")] = "mlops",
) -> None:
    """Print the SQL that gives each account of PostgreSQL the rights that it needs, or run it in one transaction."""
    from pipeline import state as store
    from pipeline.project.root import find_project_root

    if not is_applied:
        for statement in store.grant_statements(prefix=prefix):
            typer.echo(f"{statement};")
        return
    state = store.connect_to_project(find_project_root())
    try:
        names = store.apply_grants(state, prefix=prefix)
    finally:
        state.close()
    typer.echo(f"{state.address}: {', '.join(names)} have the rights that they need, and no others")


@app.command()
def copy(
    *,
    target: Annotated[
        str,
        typer.Option(
            "--to",
            envvar="MLOPS_STATE_COPY_TO",
            show_envvar=True,
            help="URL of an empty database, SQLite or PostgreSQL.",
        ),
    ],
    source: Annotated[
        str, typer.Option("--from", help="URL of the database to copy; that of this project by default.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Copy every row into an empty database and compare both, in one transaction; stop all writers first."""
    from pipeline import state as store
    from pipeline.config.config_loader import load_params
    from pipeline.project.actor import current_actor
    from pipeline.project.root import find_project_root

    old = _open_source(source)
    try:
        new = store.connect_to(target, setting_name="--to")
        try:
            if old.engine.url == new.engine.url:
                raise UsageError(f"--to: {new.address} is the database to copy from; name another database")
            log = load_params(find_project_root() / "params.yaml").serving.log
            tables = store.copy_state(
                old, new, actor=current_actor(), partition_days=log.partition_days, on_progress=_print_progress
            )
        finally:
            new.close()
    finally:
        old.close()
    _print_copied(tables, old, new, as_json=as_json)


def _open_source(url: str) -> State:
    from pipeline import state as store
    from pipeline.project.root import find_project_root

    return store.connect_to(url, setting_name="--from") if url else store.connect_to_project(find_project_root())


def _print_copied(tables: list[CopiedTable], old: State, new: State, *, as_json: bool) -> None:
    if as_json:
        body = {"from": old.address, "to": new.address, "tables": [asdict(table) for table in tables]}
        typer.echo(canonical_json(body), nl=False)
        return
    width = max(len(table.name) for table in tables)
    for table in tables:
        if table.n_rows:
            n_rows = f"{table.n_rows:>12,} rows"
            typer.echo(f"{table.name:<{width}} {n_rows}, equal on both sides (SHA-256 {table.sha256[:12]})")
    n_rows = pluralize(sum(table.n_rows for table in tables), "row")
    typer.echo(f"{new.address}: has all {n_rows} of {old.address}; set MLOPS_STATE_URL to use it")


def _print_progress(action: str, table: str, n_done: int, n_total: int) -> None:
    """Print the progress of a long table now and then."""
    if n_total > _PROGRESS_EVERY_ROWS and (n_done % _PROGRESS_EVERY_ROWS == 0 or n_done == n_total):
        typer.echo(
            f"{action} {n_done:,} of {pluralize(n_total, 'row')} of {table} ({percent(n_done / n_total)})", err=True
        )
