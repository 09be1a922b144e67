"""Commands about rows of one's own: put a file in place, declare it, check it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.errors import DataError, UsageError
from pipeline.files import canonical_json
from pipeline.text import pluralize

if TYPE_CHECKING:
    from pipeline.config.groups.data_config import DataConfig

__all__ = ["app"]

app = typer.Typer(help="Bring rows of your own: add a file, declare it, check it.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
ReplaceOption = Annotated[bool, typer.Option("--replace", help="Overwrite what has this name already.")]


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="A CSV or Parquet file.")],
    *,
    replace: ReplaceOption = False,
    as_json: AsJson = False,
) -> None:
    """Copy a file into data/external/, where the graph looks for it, and let DVC keep it."""
    from pipeline.data.file_import import import_file as put

    added = put(file, root=Path(), replace=replace)
    if as_json:
        typer.echo(canonical_json(added.as_dict()), nl=False)
        return
    typer.echo(
        f"{added.path}: {added.status}{'' if added.pointer is None else f'; {added.pointer} is its pointer for git'}"
    )
    if added.status == "added":
        typer.echo(f"next: mlops data init {added.path} --target COLUMN")


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="A file that `mlops data add` put in place.")],
    *,
    target: Annotated[str, typer.Option("--target", help="Column to predict.")],
    name: Annotated[str | None, typer.Option("--name", help="Name of the problem; else that of the file.")] = None,
    replace: ReplaceOption = False,
    as_json: AsJson = False,
) -> None:
    """Write a first conf/data/<name>.yaml from a file, to be corrected by hand."""
    from pipeline.data.scaffold import scaffold_config

    declared = scaffold_config(file, target=target, root=Path(), name=name, replace=replace)
    if as_json:
        typer.echo(canonical_json(declared.as_dict()), nl=False)
        return
    typer.echo(f"{declared.path}: {pluralize(declared.n_rows, 'row')}, classes {', '.join(declared.classes)}")
    for what, names in (
        ("features", declared.features),
        ("ids, set aside", declared.ids),
        ("times, set aside", declared.times),
        ("ignored", declared.ignored),
    ):
        if names:
            typer.echo(f"  {what}: {', '.join(names)}")
    typer.echo(f"next: read and correct it, then dvc exp run -S data={declared.name}")


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="CSV files.")],
    *,
    data: Annotated[str | None, typer.Option("--data", help="A file of conf/data/; else the default one.")] = None,
    unlabelled: Annotated[bool, typer.Option("--unlabelled", help="The files do not hold the target.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say everything that is wrong with files, as file:line:column: rule: value; at most 100 for each."""
    from pipeline.config.composition import compose
    from pipeline.config.config_loader import build_config

    if binary := [file for file in files if file.suffix.lower() == ".parquet"]:
        raise UsageError(f"{binary[0]}: has no lines to point at; `dvc repro` checks Parquet files when it reads them")
    composition = compose([] if data is None else [f"data={data}"])
    config = build_config(composition.values, where="conf", origin=composition.origin).data
    results = [_check_file(file, config, with_target=not unlabelled) for file in files]
    if as_json:
        typer.echo(canonical_json(results), nl=False)
    else:
        for result in results:
            for line in result["lines"]:
                typer.echo(line)
            typer.echo(f"{result['path']}: {'ok' if result['ok'] else 'refused'}")
    refused = [result["path"] for result in results if not result["ok"]]
    if refused:
        raise DataError(f"{len(refused)} of {len(results)} file(s) are not as data={config.name} declares")


def _check_file(file: Path, config: DataConfig, *, with_target: bool) -> dict[str, Any]:
    from pipeline.data.csv_check import check_csv
    from pipeline.data.input_problems import MAX_INPUT_PROBLEMS
    from pipeline.schema import Schema

    try:
        found = check_csv(file, Schema.from_config(config), config.csv_dialect, with_target=with_target)
    except DataError as error:
        return {"path": str(file), "ok": False, "is_cut": False, "problems": [], "lines": [str(error)]}
    return {
        "path": str(file),
        "ok": not found,
        "is_cut": len(found) >= MAX_INPUT_PROBLEMS,
        "problems": [asdict(problem) for problem in found],
        "lines": [str(problem) for problem in found],
    }
