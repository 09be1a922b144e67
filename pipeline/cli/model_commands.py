"""`mlops models`: list, show, compare and reproduce registered versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.shared_options import AsJson, ModelFilter, ModelOption, open_registry, resolve_model
from pipeline.cli.terminal_output import print_table
from pipeline.errors import IntegrityError
from pipeline.files import canonical_json
from pipeline.project import paths
from pipeline.text import number, timestamp

if TYPE_CHECKING:
    from pipeline.state import ModelVersion

__all__ = ["app"]

app = typer.Typer(help="Show registered models, their versions, stages and gates.", no_args_is_help=True)

_VERSION_HEAD = ("model", "version", "release", "stage", "gates", "estimator", "package", "registered")
VersionArgument = Annotated[int, typer.Argument(help="Number of the version.", metavar="VERSION")]


@app.command("list")
def list_(*, model: ModelFilter = None, as_json: AsJson = False) -> None:
    """List every version with its stage and the verdict of its gates."""
    from pipeline import state as store
    from pipeline.production_status import find_gate_override

    registry = open_registry()
    versions = registry.list_models(model)
    if as_json:
        typer.echo(canonical_json([version.as_dict() for version in versions]), nl=False)
        return
    if not versions:
        typer.echo(f"no version is registered; {store.register_hint()}")
        return
    entries = registry.history(model)
    rows = []
    for version in versions:
        override = find_gate_override(version, [entry for entry in entries if entry.model == version.model])
        cells = _version_cells(version)
        rows.append(cells if override is None else [*cells[:4], f"{cells[4]} (overridden)", *cells[5:]])
    print_table(_VERSION_HEAD, rows)


def _version_cells(version: ModelVersion) -> list[str]:
    gates = version.tags.get("gates")
    return [
        version.model,
        str(version.version),
        version.semver,
        version.stage,
        gates["verdict"] if gates is not None else "not evaluated",
        version.tags.get("model", ""),
        version.digest[:12],
        timestamp(version.registered_at),
    ]


def _version_line(version: ModelVersion) -> str:
    model, number, semver, stage, verdict, kind, digest, registered = _version_cells(version)
    return f"{model}  version {number}  {semver}  {stage}  gates: {verdict}  {kind}  {digest}  {registered}"


@app.command()
def register(*, as_json: AsJson = False) -> None:
    """Register models/candidate where the registry lacks it; promote it by `promotion.policy`."""
    from pipeline.config.config_loader import load_params
    from pipeline.project.root import find_project_root
    from pipeline.registry import candidate_registration

    registry, root, config = open_registry(), find_project_root(), load_params()
    known = candidate_registration.registered_candidate(registry, root, config)
    if known is not None:
        _print_registered(known, f"is in stage {known.stage}, already registered", as_json=as_json)
        return
    report = candidate_registration.evaluate_workspace(registry, root, config)
    typer.echo(report.as_text(), err=as_json)
    submission = candidate_registration.submit_workspace(registry, root, config, report)
    _print_registered(submission.version, submission.outcome, as_json=as_json)
    candidate_registration.refuse_rejected(report)


def _print_registered(version: ModelVersion, outcome: str, *, as_json: bool) -> None:
    line = f"{version.model} version {version.version} ({version.semver}) {outcome}"
    typer.echo(canonical_json(version.as_dict()) if as_json else f"{line}\n", nl=False)


@app.command()
def show(
    version: VersionArgument,
    *,
    lineage: Annotated[
        bool, typer.Option("--lineage", help="Show only the version's commit, dvc.lock and data.")
    ] = False,
    model: ModelOption = None,
    as_json: AsJson = False,
) -> None:
    """Show the model card of a version with its gates, or its lineage."""
    registry = open_registry()
    name = resolve_model(registry, model)
    registered = registry.get_version(name, version)
    if lineage:
        traced = registry.lineage(name, version)
        text = f"{_version_line(registered)}\n\n{traced.as_text()}\n"
        typer.echo(canonical_json(traced.as_dict()) if as_json else text, nl=False)
        return
    package = registry.load_model(name, version=version)
    if as_json:
        body: dict[str, Any] = {**registered.as_dict(), "metrics": package.metrics, "lineage": package.lineage}
        typer.echo(canonical_json(body), nl=False)
        return
    typer.echo(f"{_version_line(registered)}\n\n{registry.model_card(name, version)}", nl=False)


@app.command()
def compare(
    versions: Annotated[list[int] | None, typer.Argument(help="Version numbers; all versions by default.")] = None,
    *,
    model: ModelOption = None,
    as_json: AsJson = False,
) -> None:
    """Compare versions: stage, gates, and the cross-validated mean of each metric."""
    registry = open_registry()
    rows = registry.compare(resolve_model(registry, model), versions or ())
    if as_json:
        typer.echo(canonical_json(rows), nl=False)
        return
    names = list(dict.fromkeys(key for row in rows for key in row))
    print_table(names, [[_format_cell(row.get(key)) for key in names] for row in rows])


def _format_cell(value: object) -> str:
    return "-" if value is None else number(value) if isinstance(value, float) else str(value)


@app.command()
def diff(
    old: Annotated[int, typer.Argument(help="Number of the first version.")],
    new: Annotated[int, typer.Argument(help="Number of the second version.")],
    *,
    model: ModelOption = None,
    as_json: AsJson = False,
) -> None:
    """Compare two versions: settings, features, gates, and test metrics with intervals and a verdict."""
    from pipeline.config.config_loader import load_params
    from pipeline.project.root import find_project_root

    registry = open_registry()
    name, config = resolve_model(registry, model), load_params(find_project_root() / paths.PARAMS)
    difference = registry.diff(name, old, new, config=config)
    typer.echo(canonical_json(difference.as_dict()) if as_json else f"{difference.as_text()}\n", nl=False)


@app.command()
def reproduce(version: VersionArgument, *, model: ModelOption = None, as_json: AsJson = False) -> None:
    """Rebuild a version from its commit in a temporary folder, and list every difference."""
    registry = open_registry()
    name = resolve_model(registry, model)
    typer.echo(f"running the stages of version {version} in a copy of its commit ...", err=True)
    report = registry.reproduce(name, version)
    typer.echo(canonical_json(report.as_dict()) if as_json else f"{report.as_text()}\n", nl=False)
    if report.differences:
        differing = ", ".join(item.name for item in report.differences)
        raise IntegrityError(f"{name} version {version}: the reproduced version differs in {differing}; see above")
