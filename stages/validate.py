"""Validate the rows against the declaration; write the report before a failure stops the run."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import files
from pipeline.config.stage_entry import stage
from pipeline.errors import DataError
from pipeline.project import paths
from pipeline.report_index import write_report_index
from pipeline.schema import Schema
from pipeline.text import pluralize
from pipeline.validation import refusal_lines, select_training_rows
from pipeline.validation.validation_html import validation_report_html

if TYPE_CHECKING:
    from pipeline.config.root_config import Config
    from pipeline.validation import ValidationReport


@stage("validate")
def main(config: Config) -> None:
    """Write the report as JSON and HTML, then the valid and the quarantined rows."""
    schema = Schema.from_config(config.data)
    rows = select_training_rows(paths.RAW_ROWS, schema, config.validation, name=config.data.name)
    report = rows.report
    files.write_json(paths.VALIDATION_REPORT, report.as_dict())
    rows_md5 = hashlib.md5(paths.RAW_ROWS.read_bytes(), usedforsecurity=False).hexdigest()
    page = validation_report_html(report, rows_md5=rows_md5, index_address=paths.REPORT_INDEX.name)
    files.write_text(paths.VALIDATION_HTML, page)
    write_report_index(Path())
    print(f"[validate] {_summary(report)}")
    if refusals := refusal_lines(report, schema, config.validation):
        raise DataError(
            "\n".join([f"{paths.RAW_ROWS}: the rows are not fit for training; see {paths.VALIDATION_HTML}", *refusals])
        )
    files.write_parquet(paths.VALID_ROWS, rows.valid)
    files.write_parquet(paths.QUARANTINED_ROWS, rows.quarantined)


def _summary(report: ValidationReport) -> str:
    counts = pluralize(report.n_rows, "row")
    if report.n_unlabeled:
        counts += f" with a label ({report.n_unlabeled:,} without one are in {paths.QUARANTINED_ROWS})"
    return f"{counts}, quality {report.quality.score:.1f} of 100, level {report.level}"


if __name__ == "__main__":
    main()
