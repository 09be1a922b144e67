"""Validate the rows against the declaration; write the report before a failure stops the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline import files
from pipeline.config.stage_entry import stage
from pipeline.errors import DataError
from pipeline.project import paths
from pipeline.schema import Schema
from pipeline.text import pluralize
from pipeline.validation import quarantine_rows, refusal_lines, validate_rows, validation_report_html

if TYPE_CHECKING:
    from pipeline.config.root_config import Config


@stage("validate")
def main(config: Config) -> None:
    """Write the report as JSON and HTML, then the valid and the quarantined rows."""
    schema = Schema.from_config(config.data)
    report = validate_rows(paths.RAW_ROWS, schema, config.validation, name=config.data.name)
    files.write_json(paths.VALIDATION_REPORT, report.as_dict())
    files.write_text(paths.VALIDATION_HTML, validation_report_html(report))
    print(
        f"[validate] {pluralize(report.n_rows, 'row')}, quality {report.quality.score:.1f} of 100, level {report.level}"
    )
    if refusals := refusal_lines(report, schema, config.validation):
        raise DataError(
            "\n".join([f"{paths.RAW_ROWS}: the rows are not fit for training; see {paths.VALIDATION_HTML}", *refusals])
        )
    valid, quarantined = quarantine_rows(files.read_parquet(paths.RAW_ROWS), report)
    files.write_parquet(paths.VALID_ROWS, valid)
    files.write_parquet(paths.QUARANTINED_ROWS, quarantined)


if __name__ == "__main__":
    main()
