"""`mlops init`: create a project on the installed engine."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.data_commands import draft_lines
from pipeline.cli.shared_options import AsJson  # noqa: TC001 - typer reads it
from pipeline.errors import UsageError
from pipeline.files import canonical_json
from pipeline.project.stage_digests import DISTRIBUTION, engine_version

if TYPE_CHECKING:
    from pipeline.project_setup import CreatedProject

__all__ = ["init"]


def init(
    folder: Annotated[str, typer.Argument(help="New folder, or a folder without a project, such as a new clone.")],
    *,
    file: Annotated[
        str | None, typer.Option("--from", help="File of your rows, or the address of an object; see `mlops data add`.")
    ] = None,
    target: Annotated[str | None, typer.Option("--target", help="Column of that file to predict.")] = None,
    as_json: AsJson = False,
) -> None:
    """Create a project: settings, graph, git repository and CI; without --from it has the example problem."""
    from pipeline.project_setup import ProblemFile, create_project

    if not folder:
        raise UsageError("FOLDER: is empty; name a folder, or . for the current one")
    if file is None and target is not None:
        raise UsageError("--target: names a column of a file; add --from FILE")
    if file is not None and target is None:
        raise UsageError("--from: the column to predict is missing; add --target COLUMN")
    problem = None if file is None or target is None else ProblemFile(file, target)
    created = create_project(Path(folder), problem)
    if as_json:
        draft = None if created.draft is None else created.draft.as_dict()
        values = {"folder": str(created.folder), "engine": engine_version(), "draft": draft}
        typer.echo(canonical_json(values), nl=False)
        return
    _print_created(created)


def _print_created(created: CreatedProject) -> None:
    how = ", completed after an interruption" if created.is_resumed else ""
    typer.echo(f"{created.folder}: a project on {DISTRIBUTION} {engine_version()}{how}")
    if created.draft is not None:
        for line in draft_lines(created.draft):
            typer.echo(line)
    refused = created.draft is not None and created.draft.refusals
    typer.echo("next: correct the declaration as each refusal asks, then" if refused else "next:")
    if created.folder.resolve() != Path.cwd():
        typer.echo(f"  cd {shlex.quote(str(created.folder))}")
    typer.echo('  git add -A && git commit -m "Start the project"')
    typer.echo("  dvc repro")
