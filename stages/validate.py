"""Validate the rows against the declaration; write the report before a failure stops the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline import files
from pipeline.config.stage_entry import stage
from pipeline.errors import DataError
from pipeline.project import paths
from pipeline.schema import Schema
from pipeline.text import pluralize
from pipeline.validation import quarantine, render_html, validate

if TYPE_CHECKING:
    from pipeline.config.root_config import Config


@stage("validate")
def main(config: Config) -> None:
    """Write the report as JSON and HTML, then the valid and the quarantined rows."""
    report = validate(paths.RAW_ROWS, Schema.from_config(config.data), config.validation, name=config.data.name)
    files.write_json(paths.VALIDATION_REPORT, report.as_dict())
    files.write_text(paths.VALIDATION_HTML, render_html(report))
    print(
        f"[validate] {pluralize(report.n_rows, 'row')}, quality {report.quality.score:.1f} of 100, level {report.level}"
    )
    if report.blocks_training:
        raise DataError(
            f"{paths.RAW_ROWS}: the rows are not fit for training:\n{report.as_text()}\n"
            f"See {paths.VALIDATION_HTML}. Fix the source or the declaration,"
            " or quarantine invalid rows with validation.quarantine=true"
        )
    valid, quarantined = quarantine(files.read_parquet(paths.RAW_ROWS), report)
    files.write_parquet(paths.VALID_ROWS, valid)
    files.write_parquet(paths.QUARANTINED_ROWS, quarantined)


if __name__ == "__main__":
    main()
