"""Commands about the keys of those who call the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import UsageError
from pipeline.files import canonical_json
from pipeline.text import timestamp

if TYPE_CHECKING:
    from pipeline.state import ApiKeyRecord, State

__all__ = ["app"]

app = typer.Typer(help="Make, list and take back the keys of those who call the API.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
_US_PER_DAY = 86_400_000_000


def _open_state() -> State:
    from pipeline import state as store
    from pipeline.project.root import find_project_root

    return store.open_state(find_project_root())


@app.command()
def create(
    *,
    role: Annotated[str, typer.Option("--role", help="predict, feedback, viewer, operator or admin.")],
    name: Annotated[str, typer.Option("--name", help="Who has it, for people.")] = "",
    days: Annotated[int, typer.Option("--days", min=1, help="How long it is valid.")] = 365,
    as_json: AsJson = False,
) -> None:
    """Make a key and show it, once: only its digest is kept."""
    from pipeline import state as store
    from pipeline.registry.stage_transitions import current_actor
    from pipeline.serving.http.authentication import ROLES

    if role not in ROLES:
        raise UsageError(f"--role {role!r}: accepted is one of {', '.join(ROLES)}")
    state = _open_state()
    try:
        expires_at = state.clock() + days * _US_PER_DAY
        key, record = store.create_api_key(state, role, name=name, actor=current_actor(), expires_at=expires_at)
    finally:
        state.close()
    if as_json:
        typer.echo(canonical_json({**record.as_dict(), "key": key}), nl=False)
        return
    typer.echo(key)
    typer.echo(f"id {record.id}, role {role}, valid for {days} days; it is not shown again", err=True)


@app.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """List keys: whose, for what, until when, last used when."""
    from pipeline import state as store

    state = _open_state()
    try:
        found = store.read_api_keys(state)
    finally:
        state.close()
    if as_json:
        typer.echo(canonical_json([record.as_dict() for record in found]), nl=False)
        return
    if not found:
        typer.echo("there are no keys; `mlops keys create --role predict` makes one")
    for record in found:
        typer.echo(_key_line(record))


@app.command()
def revoke(
    identifier: Annotated[str, typer.Argument(help="Id of the key, as `mlops keys list` shows it.")],
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the audit trail.")] = "",
    as_json: AsJson = False,
) -> None:
    """Take a key back; servers refuse it within two seconds."""
    from pipeline import state as store
    from pipeline.registry.stage_transitions import current_actor

    state = _open_state()
    try:
        record = store.revoke_api_key(state, identifier, actor=current_actor(), reason=reason)
    finally:
        state.close()
    typer.echo(canonical_json(record.as_dict()) if as_json else _key_line(record), nl=not as_json)


def _key_line(record: ApiKeyRecord) -> str:
    stands = "taken back" if record.revoked_at is not None else f"until {_format_timestamp(record.expires_at)}"
    return f"{record.id}  {record.role:8}  {stands}  last used {_format_timestamp(record.last_used_at)}  {record.name}".rstrip()


def _format_timestamp(at: int | None) -> str:
    return "never" if at is None else timestamp(at)
