"""Commands about registered models: what there is, how versions compare, where one comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.registry_options import AsJson, ModelOption, open_registry, resolve_model
from pipeline.errors import IntegrityError
from pipeline.files import canonical_json
from pipeline.text import number, timestamp

if TYPE_CHECKING:
    from pipeline.state import ModelVersion

__all__ = ["app"]

app = typer.Typer(help="See registered models, their versions, stages and gates.", no_args_is_help=True)

VersionArgument = Annotated[int, typer.Argument(help="Number of the version.", metavar="VERSION")]


@app.command("list")
def list_(*, name: ModelOption = None, as_json: AsJson = False) -> None:
    """List every version with its stage and what its gates said."""
    versions = open_registry().list_models(name)
    if as_json:
        typer.echo(canonical_json([version.as_dict() for version in versions]), nl=False)
        return
    if not versions:
        typer.echo("no version is registered; run `dvc repro`")
    for version in versions:
        typer.echo(_version_line(version))


def _version_line(version: ModelVersion) -> str:
    gates = version.tags.get("gates")
    verdict = gates["verdict"] if gates is not None else "not judged"
    kind = version.tags.get("model", "")
    return (
        f"{version.model}  version {version.version}  {version.semver}  {version.stage:10}  gates: {verdict:10}"
        f"  {kind}  {version.digest[:12]}  {timestamp(version.registered_at)}"
    )


@app.command()
def show(
    version: VersionArgument,
    *,
    lineage: Annotated[bool, typer.Option("--lineage", help="Only the commit, dvc.lock and rows behind it.")] = False,
    name: ModelOption = None,
    as_json: AsJson = False,
) -> None:
    """Show one version: its card with its gates, or where it comes from."""
    asked = open_registry()
    model = resolve_model(asked, name)
    found = asked.get_version(model, version)
    if lineage:
        traced = asked.lineage(model, version)
        typer.echo(
            canonical_json(traced.as_dict()) if as_json else f"{_version_line(found)}\n\n{traced.as_text()}\n", nl=False
        )
        return
    package = asked.load_model(model, version=version)
    if as_json:
        told: dict[str, Any] = {**found.as_dict(), "metrics": package.metrics, "lineage": package.lineage}
        typer.echo(canonical_json(told), nl=False)
        return
    typer.echo(f"{_version_line(found)}\n\n{asked.model_card(model, version)}", nl=False)


@app.command()
def compare(
    versions: Annotated[list[int] | None, typer.Argument(help="Versions; all when none is named.")] = None,
    *,
    name: ModelOption = None,
    as_json: AsJson = False,
) -> None:
    """Lay versions side by side: stage, gates, and the mean of each metric over the folds."""
    asked = open_registry()
    rows = asked.compare(resolve_model(asked, name), versions or ())
    if as_json:
        typer.echo(canonical_json(rows), nl=False)
        return
    names = list(dict.fromkeys(key for row in rows for key in row))
    cells = [names, *([_format_cell(row.get(key)) for key in names] for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(names))]
    for row in cells:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _format_cell(value: object) -> str:
    return "-" if value is None else number(value) if isinstance(value, float) else str(value)


@app.command()
def diff(
    old: Annotated[int, typer.Argument(help="Number of a version.")],
    new: Annotated[int, typer.Argument(help="Number of another.")],
    *,
    name: ModelOption = None,
    as_json: AsJson = False,
) -> None:
    """Say what differs between two versions: settings, rows, libraries, metrics, columns."""
    asked = open_registry()
    found = asked.diff(resolve_model(asked, name), old, new)
    typer.echo(canonical_json(found.as_dict()) if as_json else f"{found.as_text()}\n", nl=False)


@app.command()
def reproduce(version: VersionArgument, *, name: ModelOption = None, as_json: AsJson = False) -> None:
    """Make a version again from its commit in a temporary folder, and name whatever differs."""
    asked = open_registry()
    model = resolve_model(asked, name)
    typer.echo(f"running the graph of version {version} in a copy of its commit ...", err=True)
    receipt = asked.reproduce(model, version)
    typer.echo(canonical_json(receipt.as_dict()) if as_json else f"{receipt.as_text()}\n", nl=False)
    if receipt.differences:
        differing = ", ".join(check.name for check in receipt.differences)
        raise IntegrityError(f"{model} version {version}: made again it differs in {differing}; see the receipt above")
