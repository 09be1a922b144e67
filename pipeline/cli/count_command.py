"""`mlops monitor count`: count rows of files by bin, in parts, and report their drift."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.opened_version import open_version
from pipeline.cli.part_options import EngineOption, EngineOptions, PartRowsOption, WorkersOption
from pipeline.cli.shared_options import AsJson, ModelOption  # noqa: TC001 - typer reads it
from pipeline.cli.terminal_output import colored, print_progress
from pipeline.files import canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["count"]


def count(  # noqa: PLR0913 - options of a command
    sources: Annotated[
        list[str], typer.Argument(metavar="IN...", help="Parquet or CSV files, folders or patterns, also s3://...")
    ],
    *,
    output: Annotated[str, typer.Option("--output", "-o", help="Folder for counts.json and drift.json.")],
    reference: Annotated[
        str | None,
        typer.Option("--reference", help="Counts to compare with; by default the training rows in the package."),
    ] = None,
    predicts: Annotated[
        bool, typer.Option("--predict", help="Predict the rows, so that predictions are compared as well.")
    ] = False,
    engine: EngineOption = None,
    n_workers: WorkersOption = None,
    part_rows: PartRowsOption = None,
    version: Annotated[
        int | None, typer.Option("--version", help="Version of the model; by default the one in Production.")
    ] = None,
    model: ModelOption = None,
    as_json: AsJson = False,
) -> None:
    """Count rows of files by bin, and report drift; a run after an interruption resumes."""
    from pipeline.config.config_loader import load_params
    from pipeline.engines import open_engine
    from pipeline.monitoring.counting import CountedDrift, CountJob, plan_counts
    from pipeline.parts import run_parts
    from pipeline.storage import StoragePath

    folder = StoragePath.parse(output)
    with open_version(model, version) as opened:
        package, root = opened.package, opened.root
    config = EngineOptions(engine, n_workers, part_rows).load(root)
    drift = CountedDrift.open(package, load_params(root / "params.yaml"), reference=reference)
    plan = plan_counts(
        package, [StoragePath.parse(each) for each in sources], predicts=predicts, part_rows=config.part_rows
    )
    with open_engine(config) as workers:
        run_parts(CountJob(root), plan, folder, workers, on_progress=print_progress)
    _print_drift(output, drift.report(folder), as_json=as_json)


def _print_drift(output: str, report: Mapping[str, Any], *, as_json: bool) -> None:
    from pipeline.monitoring.monitoring_text import drift_headline, drift_text_lines

    if as_json:
        typer.echo(canonical_json(report), nl=False)
        return
    typer.echo(f"{output}: {drift_headline(report)}")
    for verdict, line in drift_text_lines(report):
        typer.echo(colored(line, verdict))
