"""`mlops predict` and `mlops feedback`: score a file, and record outcomes from a file."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.opened_version import open_version
from pipeline.cli.shared_options import AsJson, ModelOption  # noqa: TC001 - typer reads it
from pipeline.cli.terminal_output import print_progress
from pipeline.errors import DataError, UsageError
from pipeline.files import canonical_json
from pipeline.text import pluralize

if TYPE_CHECKING:
    from pipeline.serving.files.file_scorer import FileScoringResult

__all__ = ["feedback", "predict"]

_MAX_OUTCOMES = 10_000_000
_MAX_WARNINGS = 20


def predict(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or Parquet with one column for each feature.")],
    *,
    target: Annotated[Path, typer.Option("--output", "-o", help="CSV or Parquet file to write.")],
    version: Annotated[
        int | None, typer.Option("--version", help="Version of the model; by default the one in Production.")
    ] = None,
    chunk_rows: Annotated[
        int, typer.Option("--chunk-rows", min=1, help="Rows scored at once; bounds memory, never changes the output.")
    ] = 131_072,
    is_logged: Annotated[
        bool, typer.Option("--log", help="Write the predictions to the log; each row of the file once.")
    ] = False,
    escapes_formulas: Annotated[
        bool, typer.Option("--escape-formulas", help="In CSV, put ' before texts that a spreadsheet would calculate.")
    ] = False,
    model: ModelOption = None,
    as_json: AsJson = False,
) -> None:
    """Score a file of any size; a run after an interruption resumes."""
    from pipeline.config.groups.source_config import CsvDialect
    from pipeline.serving.files.file_scorer import score_file

    with open_version(model, version) as opened:
        log = opened.prediction_log() if is_logged else None
        report = score_file(
            opened.package,
            source,
            target,
            chunk_rows=chunk_rows,
            dialect=CsvDialect.from_settings(opened.package.schema.dialect),
            log=log,
            escapes_formulas=escapes_formulas,
            on_progress=print_progress,
        )
    _print_result(report, as_json=as_json)


def _print_result(report: FileScoringResult, *, as_json: bool) -> None:
    if as_json:
        body = {
            "output": str(report.path),
            "rows": report.n_rows,
            "resumed": report.n_resumed,
            "digest": report.digest,
            "warnings": dict(report.warnings),
        }
        typer.echo(canonical_json(body), nl=False)
        return
    resumed = f", {report.n_resumed:,} of them in an earlier run" if report.n_resumed else ""
    typer.echo(f"{report.path}: {pluralize(report.n_rows, 'row')} scored{resumed}")
    for warning, n_rows in report.warnings.most_common(_MAX_WARNINGS):
        typer.echo(f"  warning: {warning} in {pluralize(n_rows, 'row')}")


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
