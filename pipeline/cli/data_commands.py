"""`mlops data`: add a file of your own, declare it, check it."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.check_parts import DataOption, check_in_parts, compose_problem, needs_parts
from pipeline.cli.part_options import EngineOption, EngineOptions, PartRowsOption, WorkersOption
from pipeline.cli.shared_options import AsJson  # noqa: TC001 - typer reads it
from pipeline.errors import DataError, UsageError
from pipeline.files import canonical_json
from pipeline.project import paths
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.config.root_config import Config
    from pipeline.problem_draft import DraftReport

__all__ = ["app", "draft_lines"]

_MAX_NAMES = 40

app = typer.Typer(help="Use your own data: add a file, declare it, check it.", no_args_is_help=True)


@app.command()
def add(
    files: Annotated[
        list[str],
        typer.Argument(help="Files of rows, or addresses of objects; the reference of sources lists the formats."),
    ],
    *,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite an imported file of the same name.")] = False,
    as_json: AsJson = False,
) -> None:
    """Copy files and objects into data/external/ and track them with DVC."""
    from pipeline.data.object_import import import_named_files

    imported = import_named_files(files, root=Path(), replace=replace)
    if as_json:
        typer.echo(canonical_json([file.as_dict() for file in imported]), nl=False)
        return
    for file in imported:
        pointer = "" if file.pointer is None else f"; commit {file.pointer} to git"
        typer.echo(f"{file.path}: {file.status}{pointer}")
    if any(file.status == "added" for file in imported):
        typer.echo(f"next: mlops data init {' '.join(shlex.quote(file.path) for file in imported)} --target COLUMN")


@app.command()
def init(
    files: Annotated[
        list[str],
        typer.Argument(help="Files of rows, addresses, or one pattern with *; they are copied into data/external/."),
    ],
    *,
    target: Annotated[str, typer.Option("--target", help="Column to predict.")],
    table: Annotated[
        str | None,
        typer.Option("--table", help="Table of a database or sheet of a workbook; the only or first one if omitted."),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the problem; that of the file by default.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Overwrite the declaration; `mlops data add --replace` overwrites a file.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a first conf/data/NAME.yaml from a file, and report what it assumes and what the graph refuses."""
    from pipeline.data.object_import import local_names
    from pipeline.problem_draft import draft_declaration

    draft = draft_declaration(
        local_names(files, root=Path()), target=target, root=Path(), name=name, table=table, replace=replace
    )
    if as_json:
        typer.echo(canonical_json(draft.as_dict()), nl=False)
    else:
        for line in draft_lines(draft):
            typer.echo(line)
        command = f"dvc exp run -S data={draft.name}"
        first = "correct the file as each refusal asks" if draft.refusals else "review the file"
        typer.echo(f"next: {first}, then {command}")


def draft_lines(draft: DraftReport) -> Iterator[str]:
    """Yield what a draft declares, assumes and warns of, one line for each item."""
    yield f"{draft.path}: {pluralize(draft.n_rows, 'row')}, classes {_list_names(draft.classes)}"
    for role, columns in (
        ("features", draft.features),
        ("ids, not features", draft.ids),
        ("times, not features", draft.times),
        ("ignored", draft.ignored),
        ("not read", draft.not_read),
    ):
        if columns:
            yield f"  {role}: {_list_names(columns)}"
    for title, lines in (
        ("assumed", draft.assumptions),
        ("warnings", draft.warnings),
        ("the graph refuses these rows", draft.refusals),
    ):
        if lines:
            yield f"{title}:"
            yield from (f"  - {line}" for line in lines)


def _list_names(names: tuple[str, ...]) -> str:
    rest = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return f"{', '.join(names[:_MAX_NAMES])}{rest}"


@app.command()
def check(
    files: Annotated[
        list[str], typer.Argument(help="Files of rows; folders, patterns with * and objects go by parts.")
    ],
    *,
    data: DataOption = None,
    unlabeled: Annotated[bool, typer.Option("--unlabeled", help="Rows to predict, without the target.")] = False,
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="Folder for validation.json of all files, checked in parts.")
    ] = None,
    engine: EngineOption = None,
    n_workers: WorkersOption = None,
    part_rows: PartRowsOption = None,
    as_json: AsJson = False,
) -> None:
    """Check files and print each problem as file:line:column: rule: value; at most 100 a file.

    Of a file with the target, also print why the graph would refuse its rows as a whole, and what helps.
    """
    config = compose_problem(data)
    options = EngineOptions(engine, n_workers, part_rows)
    if options != EngineOptions() or output is not None or needs_parts(files):
        if unlabeled:
            raise UsageError("--unlabeled: rows without the target are not checked in parts; run `mlops predict`")
        results = [check_in_parts(files, config, options, output=output)]
    else:
        results = [_check_file(Path(file), config, with_target=not unlabeled) for file in files]
    _print_results(results, as_json=as_json)
    n_invalid = sum(not result["ok"] for result in results)
    if n_invalid:
        raise DataError(
            f"{n_invalid} of {pluralize(len(results), 'file')} invalid; expected rows as in data={config.data.name}"
        )


def _print_results(results: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        typer.echo(canonical_json(results), nl=False)
        return
    for result in results:
        for line in result["lines"]:
            typer.echo(line)
        typer.echo(f"{result['path']}: {'ok' if result['ok'] else 'invalid'}")


def _check_file(file: Path, config: Config, *, with_target: bool) -> dict[str, Any]:
    from pipeline.data.file_import import locate_imported_file
    from pipeline.data.input_problems import MAX_INPUT_PROBLEMS
    from pipeline.rows_check import check_file

    try:
        if file.parts[:2] == paths.EXTERNAL.parts:
            locate_imported_file(file.as_posix(), root=Path())
        checked = check_file(file, config, with_target=with_target)
    except DataError as error:
        empty: dict[str, Any] = {"is_cut": False, "problems": [], "refusals": [], "warnings": [], "not_checked": []}
        return {"path": str(file), "ok": False, **empty, "lines": [str(error)]}
    return {
        "path": str(file),
        "ok": checked.is_accepted,
        "is_cut": len(checked.problems) >= MAX_INPUT_PROBLEMS,
        "problems": [asdict(problem) for problem in checked.problems],
        "refusals": list(checked.refusals),
        "warnings": list(checked.warnings),
        "not_checked": [],
        "lines": [
            *map(str, checked.problems),
            *(f"{file}: {line}" for line in (*checked.refusals, *checked.warnings)),
        ],
    }
