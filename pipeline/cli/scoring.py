"""Commands that score files and take in what became true of predictions."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import UsageError
from pipeline.files import canonical_json

if TYPE_CHECKING:
    from pipeline.package import Package
    from pipeline.state import State

__all__ = ["feedback", "predict"]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Name = Annotated[str | None, typer.Option("--model-name", help="Name in the registry; that of the settings.")]

_PACKAGES = "state/packages"


def predict(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or Parquet with the features as columns.")],
    *,
    target: Annotated[Path, typer.Option("--output", "-o", help="CSV or Parquet to write.")],
    version: Annotated[
        int | None, typer.Option("--version", help="Which version; that in Production when left out.")
    ] = None,
    chunk_rows: Annotated[
        int, typer.Option("--chunk-rows", min=1, help="Rows scored at once; bounds the memory, changes no output.")
    ] = 131_072,
    model_name: Name = None,
    as_json: AsJson = False,
) -> None:
    """Score a file of any size; run it again after a kill, and it goes on where it was."""
    from pipeline.serving.scoring_files import score_file

    package = _package(model_name, version)
    done = score_file(package, source, target, chunk_rows=chunk_rows, told=_progress)
    if as_json:
        told = {"output": str(done.path), "rows": done.n_rows, "resumed": done.n_resumed, "digest": done.digest}
        typer.echo(canonical_json(told), nl=False)
        return
    resumed = f", {done.n_resumed:,} of them by an earlier run" if done.n_resumed else ""
    typer.echo(f"{done.path}: {done.n_rows:,} rows scored{resumed}")


def feedback(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with prediction_id, outcome and perhaps source.")],
    *,
    model_name: Name = None,
    as_json: AsJson = False,
) -> None:
    """Keep what became true of predictions; a prediction that is not in the log refuses the file."""
    import csv

    from pipeline.serving.feedback import read_outcomes, store_outcomes

    classes = _package(model_name, None).classes
    try:
        with source.open(encoding="utf-8", newline="") as stream:
            rows = [{name: value for name, value in row.items() if value} for row in csv.DictReader(stream)]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{source}: cannot be read as CSV ({error})") from error
    outcomes = read_outcomes({"outcomes": rows}, classes, max_rows=10_000_000)
    state = _state()
    try:
        n_stored = store_outcomes(state, outcomes)
    finally:
        state.close()
    typer.echo(canonical_json({"stored": n_stored}) if as_json else f"{n_stored} outcomes stored", nl=not as_json)


def _state() -> State:
    from pipeline import state as store
    from pipeline.serving.starting import find_project

    return store.open_state(find_project())


def _package(name: str | None, version: int | None) -> Package:
    from pipeline import state as store
    from pipeline.config.load import load_params
    from pipeline.package import PackageStore
    from pipeline.serving.starting import find_project

    root = find_project()
    model = load_params(root / "params.yaml").name if name is None else name
    state = _state()
    try:
        with state.reading() as connection:
            if version is not None:
                digest = store.find_version(connection, model, version).digest
            else:
                found = store.served(connection, model).digests.get("Production")
                if found is None:
                    raise UsageError(f"no version of {model} is in Production; promote one: `mlops promote VERSION`")
                digest = found
    finally:
        state.close()
    return PackageStore(root / _PACKAGES).load(digest)


def _progress(n_done: int, n_all: int | None) -> None:
    whole = "" if not n_all else f" of {n_all:,} ({n_done / n_all:.0%})"
    typer.echo(f"{n_done:,} rows{whole}", err=True)
