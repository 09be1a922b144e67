"""`mlops predict` to a folder, and `mlops parts plan predict`: score files of rows in parts."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.opened_version import OpenedVersion, open_version
from pipeline.cli.part_options import (
    EngineOptions,
    OutputFolder,
    PartJobKind,
    PartRowsOption,
    SourceAddresses,
    store_part_plan,
)
from pipeline.cli.shared_options import ModelOption  # noqa: TC001 - typer reads it
from pipeline.cli.terminal_output import print_progress
from pipeline.errors import UsageError
from pipeline.files import canonical_json
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.parts import PartJob, PartPlan
    from pipeline.serving.files.scoring_job import ScoringSettings
    from pipeline.state import State
    from pipeline.storage import StoragePath

__all__ = [
    "PREDICT_PARTS",
    "EscapesFormulas",
    "FormatOption",
    "IsLogged",
    "ScoringOptions",
    "VersionOption",
    "predict_in_parts",
    "warning_lines",
]

_MAX_WARNINGS = 20
_FORMATS = ("parquet", "csv")

VersionOption = Annotated[
    int | None, typer.Option("--version", help="Version of the model; by default the one in Production.")
]
IsLogged = Annotated[bool, typer.Option("--log", help="Write the predictions to the log; each row of the file once.")]
EscapesFormulas = Annotated[
    bool, typer.Option("--escape-formulas", help="In CSV, put ' before texts that a spreadsheet would calculate.")
]
FormatOption = Annotated[
    str | None, typer.Option("--format", help="Format of the files in a folder: parquet, the default, or csv.")
]


@dataclass(frozen=True, slots=True)
class ScoringOptions:
    """What the output of a command that scores in parts depends on, beside the rows."""

    model: str | None
    version: int | None
    file_format: str | None
    is_logged: bool
    escapes_formulas: bool


def predict_in_parts(
    sources: Sequence[str],
    folder: StoragePath,
    options: ScoringOptions,
    *,
    engine: EngineOptions,
    chunk_rows: int,
    as_json: bool,
) -> None:
    """Score files to a folder, and print the result."""
    from pipeline.engines import open_engine
    from pipeline.parts import run_parts
    from pipeline.serving.files.scoring_job import ScoringJob

    progress: list[int] = []

    def on_progress(n_done: int, n_total: int) -> None:
        progress.append(n_done)
        print_progress(n_done, n_total)

    with _open_planned_version(folder, options) as opened:
        config, root = engine.load(opened.root), opened.root
        if options.is_logged and not (config.kind == "local" and config.workers == 1):
            _require_server(opened.state)
        plan = _plan(sources, folder, options, opened=opened, part_rows=config.part_rows)
    with open_engine(config) as workers:
        manifest = run_parts(ScoringJob(root, chunk_rows), plan, folder, workers, on_progress=on_progress)
    if as_json:
        body = {
            "output": str(folder),
            "rows": manifest["n_rows"],
            "parts": len(manifest["parts"]),
            "resumed": progress[0] if progress else manifest["n_rows"],
            "digest": manifest["settings"]["package"],
            "warnings": manifest["result"]["warnings"],
        }
        typer.echo(canonical_json(body), nl=False)
        return
    for line in _result_lines(folder, manifest):
        typer.echo(line)


def _plan_predict(
    sources: SourceAddresses,
    *,
    output: OutputFolder,
    version: VersionOption = None,
    file_format: FormatOption = None,
    part_rows: PartRowsOption = None,
    is_logged: IsLogged = False,
    escapes_formulas: EscapesFormulas = False,
    model: ModelOption = None,
) -> None:
    """Plan to score files with one version; a promotion before the parts run changes nothing."""
    from pipeline.storage import StoragePath

    folder = StoragePath.parse(output).absolute()
    options = ScoringOptions(model, version, file_format, is_logged, escapes_formulas)
    with _open_planned_version(folder, options) as opened:
        if is_logged:
            _require_server(opened.state)
        config = EngineOptions(part_rows=part_rows).load(opened.root)
        plan = _plan(sources, folder, options, opened=opened, part_rows=config.part_rows)
    store_part_plan(plan, folder)


def _plan(
    sources: Sequence[str], folder: StoragePath, options: ScoringOptions, *, opened: OpenedVersion, part_rows: int
) -> PartPlan:
    from pipeline.serving.files.scoring_job import ScoringSettings
    from pipeline.serving.files.scoring_plan import plan_scoring
    from pipeline.storage import StoragePath

    file_format = _FORMATS[0] if options.file_format is None else options.file_format
    if file_format not in _FORMATS:
        raise UsageError(f"--format {file_format}: expected {' or '.join(_FORMATS)}")
    settings = ScoringSettings(
        model=opened.model,
        version=opened.version,
        generation=opened.generation,
        package=opened.package.digest,
        dialect=dict(opened.package.schema.dialect),
        suffix=f".{file_format}",
        is_logged=options.is_logged,
        escapes_formulas=options.escapes_formulas,
    )
    addresses = [StoragePath.parse(source) for source in sources]
    return plan_scoring(opened.package, addresses, folder, settings=settings, part_rows=part_rows)


@contextmanager
def _open_planned_version(folder: StoragePath, options: ScoringOptions) -> Iterator[OpenedVersion]:
    """Yield the version of an unfinished plan in the folder, unless an option names one; else that in Production."""
    planned = None if options.version is not None else _unfinished_settings(folder)
    if planned is None or options.model not in (None, planned.model):
        with open_version(options.model, options.version) as opened:
            yield opened
        return
    with open_version(planned.model, planned.version) as opened:
        yield replace(opened, generation=planned.generation)


def _unfinished_settings(folder: StoragePath) -> ScoringSettings | None:
    from pipeline.parts import find_plan, read_manifest
    from pipeline.serving.files.scoring_job import ScoringJob, ScoringSettings

    plan = find_plan(folder)
    if plan is None or plan.job != ScoringJob.name or read_manifest(folder) is not None:
        return None
    return ScoringSettings.from_plan(plan)


def _require_server(state: State) -> None:
    """Refuse a database that is a file, because parts log at the same time and on other machines."""
    if state.is_file:
        raise UsageError(
            f"--log: the state database is the file {state.address}, and several workers would write to it; set"
            " MLOPS_STATE_URL to a PostgreSQL database, or use one local worker"
        )


def _open_job() -> PartJob:
    from pipeline.project.root import find_state_root
    from pipeline.serving.files.scoring_job import ScoringJob

    return ScoringJob(find_state_root())


def _result_lines(folder: StoragePath, manifest: Mapping[str, Any]) -> list[str]:
    n_parts = pluralize(len(manifest["parts"]), "part")
    scored = f"{folder}: {pluralize(manifest['n_rows'], 'row')} scored in {n_parts}"
    version = manifest["settings"]["version"]
    committed = f"version {version}, committed at {manifest['committed_at']}"
    return [f"{scored} ({committed})", *warning_lines(Counter(manifest["result"]["warnings"]))]


def warning_lines(warnings: Counter[str]) -> list[str]:
    """Return the most frequent warnings as lines for a terminal."""
    return [f"  warning: {text} in {pluralize(n_rows, 'row')}" for text, n_rows in warnings.most_common(_MAX_WARNINGS)]


PREDICT_PARTS = PartJobKind(_plan_predict, _open_job, _result_lines)
