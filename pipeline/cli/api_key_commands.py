"""`mlops keys`: create, list and revoke API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.shared_options import AsJson, ReasonOption, open_state
from pipeline.errors import UsageError
from pipeline.files import canonical_json
from pipeline.text import timestamp

if TYPE_CHECKING:
    from pipeline.state import ApiKeyRecord

__all__ = ["app"]

app = typer.Typer(help="Create, list and revoke API keys.", no_args_is_help=True)

_US_PER_DAY = 86_400_000_000


@app.command()
def create(
    *,
    role: Annotated[str, typer.Option("--role", help="predict, feedback, viewer, operator or admin.")],
    name: Annotated[str, typer.Option("--name", help="Owner of the key, shown in lists.")] = "",
    days: Annotated[int, typer.Option("--days", min=1, help="Days until the key expires.")] = 365,
    as_json: AsJson = False,
) -> None:
    """Create a key and print it once; the database stores only its digest."""
    from pipeline import state as store
    from pipeline.project.actor import current_actor
    from pipeline.serving.http.authentication import ROLES

    if role not in ROLES:
        raise UsageError(f"--role {role!r}: expected one of {', '.join(ROLES)}")
    with open_state() as state:
        expires_at = state.clock() + days * _US_PER_DAY
        key, record = store.create_api_key(state, role, name=name, actor=current_actor(), expires_at=expires_at)
    if as_json:
        typer.echo(canonical_json({**record.as_dict(), "key": key}), nl=False)
        return
    typer.echo(key)
    typer.echo(f"id {record.id}, role {role}, expires in {days} days; the key is not shown again", err=True)


@app.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """List keys with owner, role, expiry and last use."""
    from pipeline import state as store

    with open_state() as state:
        records = store.read_api_keys(state)
    if as_json:
        typer.echo(canonical_json([record.as_dict() for record in records]), nl=False)
        return
    if not records:
        typer.echo("no keys; create one with `mlops keys create --role predict`")
    for record in records:
        typer.echo(_key_line(record))


@app.command()
def revoke(
    identifier: Annotated[str, typer.Argument(help="Id of the key; see `mlops keys list`.")],
    *,
    reason: ReasonOption = "",
    as_json: AsJson = False,
) -> None:
    """Revoke a key; servers refuse it within two seconds."""
    from pipeline import state as store
    from pipeline.project.actor import current_actor

    with open_state() as state:
        record = store.revoke_api_key(state, identifier, actor=current_actor(), reason=reason)
    typer.echo(canonical_json(record.as_dict()) if as_json else _key_line(record), nl=not as_json)


def _key_line(record: ApiKeyRecord) -> str:
    validity = "revoked" if record.revoked_at is not None else f"until {_timestamp_or_never(record.expires_at)}"
    last_used = _timestamp_or_never(record.last_used_at)
    return f"{record.id}  {record.role:8}  {validity}  last used {last_used}  {record.name}".rstrip()


def _timestamp_or_never(at_us: int | None) -> str:
    return "never" if at_us is None else timestamp(at_us)
