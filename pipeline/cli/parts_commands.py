"""`mlops parts`: run a job over many rows in parts, with a scheduler of your own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.check_parts import CHECK_PARTS
from pipeline.cli.count_command import COUNT_PARTS
from pipeline.cli.part_options import EngineOption, EngineOptions, PartJobKind, WorkersOption
from pipeline.cli.predict_parts import PREDICT_PARTS
from pipeline.cli.shared_options import AsJson  # noqa: TC001 - typer reads it
from pipeline.files import canonical_json
from pipeline.lookup import LookupTable
from pipeline.text import pluralize

if TYPE_CHECKING:
    from pipeline.config.groups.engine_config import PartEngineConfig
    from pipeline.storage import StoragePath

__all__ = ["PART_JOBS", "app"]

_MAX_LISTED = 20
_HOUR_S = 3_600.0

# The name of a job is that of its plans.
PART_JOBS: LookupTable[PartJobKind] = LookupTable("job of a plan")
PART_JOBS.add("predict")(PREDICT_PARTS)
PART_JOBS.add("count")(COUNT_PARTS)
PART_JOBS.add("check")(CHECK_PARTS)

app = typer.Typer(help="Run a job in parts, with a scheduler of your own: plan, run, commit.", no_args_is_help=True)
plan_app = typer.Typer(help="Plan the parts of a job.", no_args_is_help=True)
app.add_typer(plan_app, name="plan")
for _name in PART_JOBS:
    plan_app.command(_name)(PART_JOBS[_name].plan)

PlannedFolder = Annotated[str, typer.Argument(metavar="OUT", help="Folder with a plan, also in an object store.")]


@app.command()
def run(
    output: PlannedFolder,
    *,
    index: Annotated[
        int,
        typer.Option(
            "--index",
            envvar=["JOB_COMPLETION_INDEX", "SLURM_ARRAY_TASK_ID"],
            help="Number of the part, from 0; that of the Kubernetes or Slurm task by default.",
        ),
    ],
) -> None:
    """Run one part of a plan; a part that is done already is left as it is."""
    from pipeline.parts import find_record, read_plan, run_part

    folder = _parse(output)
    plan = read_plan(folder)
    record = find_record(folder, index, plan_digest=plan.digest)
    is_done = record is not None
    if record is None:
        record = run_part(PART_JOBS[plan.job].open_job(), plan, folder, index)
    done = "done in an earlier run" if is_done else "done"
    typer.echo(f"{folder}: part {index} of {len(plan.parts)}: {pluralize(record.n_rows, 'row')} {done}")


@app.command()
def commit(
    output: PlannedFolder, *, engine: EngineOption = None, n_workers: WorkersOption = None, as_json: AsJson = False
) -> None:
    """Write the manifest of a folder whose parts have all run."""
    from pipeline.engines import open_engine
    from pipeline.parts import commit_parts, read_plan

    folder = _parse(output)
    plan = read_plan(folder)
    kind = PART_JOBS[plan.job]
    with open_engine(_commit_engine(EngineOptions(engine, n_workers))) as workers:
        manifest = commit_parts(kind.open_job(), plan, folder, workers)
    if as_json:
        typer.echo(canonical_json(manifest), nl=False)
        return
    for line in kind.result_lines(folder, manifest):
        typer.echo(line)


def _commit_engine(options: EngineOptions) -> PartEngineConfig:
    """Return the engine of the options; without options this process, which needs no project."""
    from pipeline.config.groups.engine_config import LocalEngineConfig
    from pipeline.project.root import find_state_root

    if options == EngineOptions():
        return LocalEngineConfig(kind="local", workers=1, retries=0, part_rows=1)
    return options.load(find_state_root())


@app.command()
def status(output: PlannedFolder, *, as_json: AsJson = False) -> None:
    """Print which parts are done, and whether the folder is committed."""
    from pipeline.parts import PartProgress

    progress = PartProgress.read(_parse(output))
    if as_json:
        typer.echo(canonical_json(progress.as_dict()), nl=False)
        return
    n_parts = len(progress.plan.parts)
    typer.echo(
        f"{output}: {progress.plan.job} of {pluralize(progress.plan.n_rows, 'row')}; {progress.n_done} of"
        f" {pluralize(n_parts, 'part')} done"
    )
    if progress.missing:
        listed = ", ".join(map(str, progress.missing[:_MAX_LISTED]))
        more = len(progress.missing) - _MAX_LISTED
        typer.echo(f"  missing: {listed}{f' and {more} more' if more > 0 else ''}")
    typer.echo(f"  {_commit_line(progress.manifest, output, is_complete=not progress.missing)}")


def _commit_line(manifest: Any, output: str, *, is_complete: bool) -> str:
    if manifest is not None:
        return f"committed at {manifest['committed_at']} by {manifest['committed_by']}"
    return f"next: mlops parts commit {output}" if is_complete else "not committed"


@app.command()
def clean(
    output: PlannedFolder,
    *,
    min_age_hours: Annotated[
        float, typer.Option("--min-age-hours", min=0, help="Younger files stay, as an attempt may be writing them.")
    ] = 24.0,
) -> None:
    """Remove files of attempts that neither the manifest nor a record names."""
    from pipeline.parts import clean_parts

    removed = clean_parts(_parse(output), min_age_s=min_age_hours * _HOUR_S)
    typer.echo(f"{output}: {pluralize(len(removed), 'file')} removed")


def _parse(output: str) -> StoragePath:
    from pipeline.storage import StoragePath

    return StoragePath.parse(output).absolute()
