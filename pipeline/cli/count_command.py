"""`mlops monitor count` and `mlops parts plan count`: count rows of files by bin, and report their drift."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.opened_version import open_version
from pipeline.cli.part_options import (
    EngineOption,
    EngineOptions,
    OutputFolder,
    PartJobKind,
    PartRowsOption,
    SourceAddresses,
    WorkersOption,
    store_part_plan,
)
from pipeline.cli.predict_parts import VersionOption  # noqa: TC001 - typer reads it
from pipeline.cli.shared_options import AsJson, ModelOption  # noqa: TC001 - typer reads it
from pipeline.cli.terminal_output import colored, print_progress
from pipeline.files import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.package import Package
    from pipeline.parts import PartJob, PartPlan
    from pipeline.storage import StoragePath

__all__ = ["COUNT_PARTS", "count"]

Predicts = Annotated[
    bool, typer.Option("--predict", help="Predict the rows, so that predictions are compared as well.")
]


def count(  # noqa: PLR0913 - options of a command
    sources: SourceAddresses,
    *,
    output: OutputFolder,
    reference: Annotated[
        str | None,
        typer.Option("--reference", help="Counts to compare with; by default the training rows in the package."),
    ] = None,
    predicts: Predicts = False,
    engine: EngineOption = None,
    n_workers: WorkersOption = None,
    part_rows: PartRowsOption = None,
    version: VersionOption = None,
    model: ModelOption = None,
    as_json: AsJson = False,
) -> None:
    """Count rows of files by bin, and report drift; a run after an interruption resumes."""
    from pipeline.config.config_loader import load_params
    from pipeline.engines import open_engine
    from pipeline.monitoring.counting import CountedDrift, CountJob
    from pipeline.parts import run_parts
    from pipeline.project import paths
    from pipeline.storage import StoragePath

    folder = StoragePath.parse(output).absolute()
    with open_version(model, version) as opened:
        package, root = opened.package, opened.root
    config = EngineOptions(engine, n_workers, part_rows).load(root)
    drift = CountedDrift.open(package, load_params(root / paths.PARAMS), reference=reference)
    plan = _plan(package, sources, folder, predicts=predicts, part_rows=config.part_rows)
    with open_engine(config) as workers:
        run_parts(CountJob(root), plan, folder, workers, on_progress=print_progress)
    report = drift.report(folder)
    if as_json:
        typer.echo(canonical_json(report), nl=False)
        return
    for line in _drift_lines(folder, report):
        typer.echo(line)


def _plan(package: Package, sources: Sequence[str], folder: StoragePath, *, predicts: bool, part_rows: int) -> PartPlan:
    from pipeline.monitoring.counting import plan_counts
    from pipeline.parts import require_outside
    from pipeline.storage import StoragePath

    addresses = [StoragePath.parse(source) for source in sources]
    require_outside(folder, addresses)
    return plan_counts(package, addresses, predicts=predicts, part_rows=part_rows)


def _drift_lines(folder: StoragePath, report: Mapping[str, Any]) -> Iterator[str]:
    from pipeline.monitoring.monitoring_text import drift_headline, drift_text_lines

    yield f"{folder}: {drift_headline(report)}"
    for verdict, line in drift_text_lines(report):
        yield colored(line, verdict)


def _plan_count(
    sources: SourceAddresses,
    *,
    output: OutputFolder,
    predicts: Predicts = False,
    part_rows: PartRowsOption = None,
    version: VersionOption = None,
    model: ModelOption = None,
) -> None:
    """Plan to count rows in the bins of one version."""
    from pipeline.storage import StoragePath

    folder = StoragePath.parse(output).absolute()
    with open_version(model, version) as opened:
        n_rows = EngineOptions(part_rows=part_rows).load(opened.root).part_rows
        plan = _plan(opened.package, sources, folder, predicts=predicts, part_rows=n_rows)
    store_part_plan(plan, folder)


def _open_job() -> PartJob:
    from pipeline.monitoring.counting import CountJob
    from pipeline.project.root import find_state_root

    return CountJob(find_state_root())


def _result_lines(folder: StoragePath, manifest: Mapping[str, Any]) -> list[str]:
    """Return the drift of committed counts against the training rows, which is written as well."""
    from pipeline.config.config_loader import load_params
    from pipeline.monitoring.counting import CountedDrift
    from pipeline.package import PackageStore
    from pipeline.project import paths
    from pipeline.project.root import find_state_root

    root = find_state_root()
    package = PackageStore(root / paths.PACKAGES).load(manifest["settings"]["package"])
    drift = CountedDrift.open(package, load_params(root / paths.PARAMS), reference=None)
    return list(_drift_lines(folder, drift.report(folder)))


COUNT_PARTS = PartJobKind(_plan_count, _open_job, _result_lines)
