"""`mlops predict` and `mlops feedback`: score a file, and record outcomes from a file."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.opened_version import open_version
from pipeline.cli.part_options import EngineOption, EngineOptions, PartRowsOption, SourceAddresses, WorkersOption
from pipeline.cli.predict_parts import (
    EscapesFormulas,
    FormatOption,
    IsLogged,
    ScoringOptions,
    VersionOption,
    predict_in_parts,
    warning_lines,
)
from pipeline.cli.shared_options import AsJson, ModelOption  # noqa: TC001 - typer reads it
from pipeline.cli.terminal_output import print_progress
from pipeline.errors import DataError, UsageError
from pipeline.files import canonical_json
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.serving.files.file_scorer import FileScoringResult

__all__ = ["feedback", "predict"]

_MAX_OUTCOMES = 10_000_000
_SUFFIXES = (".csv", ".parquet")


def predict(  # noqa: PLR0913 - options of a command
    sources: SourceAddresses,
    *,
    target: Annotated[
        str, typer.Option("--output", "-o", help="CSV or Parquet file to write, or a folder of parts, as in out/.")
    ],
    version: VersionOption = None,
    chunk_rows: Annotated[
        int, typer.Option("--chunk-rows", min=1, help="Rows scored at once; bounds memory, never changes the output.")
    ] = 131_072,
    is_logged: IsLogged = False,
    escapes_formulas: EscapesFormulas = False,
    engine: EngineOption = None,
    n_workers: WorkersOption = None,
    part_rows: PartRowsOption = None,
    file_format: FormatOption = None,
    model: ModelOption = None,
    as_json: AsJson = False,
) -> None:
    """Score a file of any size, or many files to a folder of parts; a run after an interruption resumes."""
    options = ScoringOptions(model, version, file_format, is_logged, escapes_formulas)
    engine_options = EngineOptions(engine, n_workers, part_rows)
    if _is_folder(target):
        from pipeline.storage import StoragePath

        folder = StoragePath.parse(target).absolute()
        predict_in_parts(sources, folder, options, engine=engine_options, chunk_rows=chunk_rows, as_json=as_json)
        return
    _require_one_file(sources, target, engine_options, file_format=file_format)
    with _local_files(sources[0], target) as (source, local_target):
        report = _predict_file(source, local_target, options, chunk_rows=chunk_rows)
    _print_result(report, target, as_json=as_json)


@contextmanager
def _local_files(source: str, target: str) -> Iterator[tuple[Path, Path]]:
    """Yield the local paths of an input and an output; an object is copied before, or uploaded after the block."""
    from pipeline.storage import StoragePath

    with ExitStack() as stack:
        try:
            local_source = stack.enter_context(StoragePath.parse(source).local_copy())
        except FileNotFoundError as error:
            raise DataError(str(error)) from error
        path = StoragePath.parse(target)
        # A local output is replaced by its writer, which resumes an interrupted run.
        local_target = path.local if path.is_local else stack.enter_context(path.writing())
        try:
            yield local_source, local_target
        except DataError as error:
            raise type(error)(str(error).replace(str(local_source), source)) from error


def _is_folder(target: str) -> bool:
    """Return whether an output is a folder of parts; in an object store, what is not named like a file."""
    if "://" in target:
        return not target.endswith(_SUFFIXES)
    return target.endswith("/") or Path(target).is_dir()


def _require_one_file(sources: Sequence[str], target: str, engine: EngineOptions, *, file_format: str | None) -> None:
    """Refuse what only a folder of parts can have."""
    for address in (*sources, target):
        if "://" in address:
            from pipeline.storage import StoragePath

            StoragePath.parse(address)  # before an error quotes one with credentials
    source = Path(sources[0])
    is_pattern = "*" in source.name and not source.exists()
    is_folder = not sources[0].endswith(_SUFFIXES) if "://" in sources[0] else source.is_dir()
    found = (
        "several inputs"
        if len(sources) > 1
        else f"the input {sources[0]}"
        if is_pattern or is_folder
        else "an option of engines"
        if engine != EngineOptions()
        else "--format"
        if file_format is not None
        else ""
    )
    if found:
        raise UsageError(f"-o {target}: is one file; {found} needs a folder of parts as output, as in -o OUT/")


def _predict_file(source: Path, target: Path, options: ScoringOptions, *, chunk_rows: int) -> FileScoringResult:
    from pipeline.config.groups.source_config import CsvDialect
    from pipeline.serving.files.file_scorer import score_file

    with open_version(options.model, options.version) as opened:
        log = opened.prediction_log() if options.is_logged else None
        return score_file(
            opened.package,
            source,
            target,
            chunk_rows=chunk_rows,
            dialect=CsvDialect.from_settings(opened.package.schema.dialect),
            log=log,
            escapes_formulas=options.escapes_formulas,
            on_progress=print_progress,
        )


def _print_result(report: FileScoringResult, target: str, *, as_json: bool) -> None:
    if as_json:
        body = {
            "output": target,
            "rows": report.n_rows,
            "resumed": report.n_resumed,
            "digest": report.digest,
            "warnings": dict(report.warnings),
        }
        typer.echo(canonical_json(body), nl=False)
        return
    resumed = f", {report.n_resumed:,} of them in an earlier run" if report.n_resumed else ""
    typer.echo(f"{target}: {pluralize(report.n_rows, 'row')} scored{resumed}")
    for line in warning_lines(report.warnings):
        typer.echo(line)


def feedback(
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV with prediction_id, outcome and optionally source.")
    ],
    *,
    model: ModelOption = None,
    as_json: AsJson = False,
) -> None:
    """Record the outcomes of predictions; an unknown prediction refuses the whole file."""
    from pipeline.project.actor import current_actor
    from pipeline.serving.outcomes import read_outcomes, store_outcomes

    rows = _read_outcome_rows(source)
    with open_version(model, None) as opened:
        outcomes = read_outcomes({"outcomes": rows}, opened.package.classes, max_rows=_MAX_OUTCOMES)
        n_stored = store_outcomes(opened.state, outcomes, caller=current_actor())
    if as_json:
        typer.echo(canonical_json({"stored": n_stored}), nl=False)
    else:
        typer.echo(f"{pluralize(n_stored, 'outcome')} stored")


def _read_outcome_rows(source: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file without their empty cells."""
    import csv

    rows = []
    try:
        with source.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            names = reader.fieldnames or []
            if "prediction_id" not in names:
                found = f"the names {', '.join(names)[:200]}" if any(names) else "an empty line"
                raise DataError(f"{source}:1: found {found}, expected a header with prediction_id and outcome")
            for row in reader:
                if None in row:
                    raise DataError(f"{source}:{reader.line_num}: has more fields than the header; correct the line")
                rows.append({name: value for name, value in row.items() if value})
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{source}: cannot be read as CSV ({error})") from error
    return rows
