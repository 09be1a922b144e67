"""Commands about the state database."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.files import canonical_json

__all__ = ["app"]

app = typer.Typer(help="Look after the state database.", no_args_is_help=True)

_BACKUPS = "state/backups"

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command()
def upgrade(*, as_json: AsJson = False) -> None:
    """Bring the tables up to date, after a backup; a kill leaves them wholly old or wholly new."""
    from pipeline import state as store
    from pipeline.tracking.store import find_root

    root = find_root()
    state = store.connect(root)
    try:
        before = store.revision(state)
        backup = store.upgrade(state, root / _BACKUPS)
        after = store.revision(state)
    finally:
        state.close()
    if as_json:
        told = {"before": before.found, "after": after.found, "backup": None if backup is None else str(backup)}
        typer.echo(canonical_json(told), nl=False)
    elif before.is_current:
        typer.echo(f"{state.address}: is up to date (form {after.found})")
    else:
        kept = "" if backup is None else f"; the backup is {backup}"
        typer.echo(f"{state.address}: went from form {before.found or 'none'} to {after.found}{kept}")


@app.command()
def backup(*, as_json: AsJson = False) -> None:
    """Copy the database into state/backups/ while everything goes on, and say where the copy is."""
    from pipeline import state as store
    from pipeline.tracking.store import find_root

    root = find_root()
    state = store.connect(root)
    try:
        made = store.back_up(state, root / _BACKUPS)
    finally:
        state.close()
    told = {"backup": str(made), "bytes": made.stat().st_size}
    typer.echo(canonical_json(told) if as_json else f"{made}: {told['bytes']:,} bytes\n", nl=False)
