"""Validate rows: declared rules, statistics, drift, and one verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import DataError
from pipeline.validation.arrow_rows import open_rows
from pipeline.validation.column_profile import profile_column
from pipeline.validation.dataset_drift import compare_distributions
from pipeline.validation.dataset_stats import collect_stats
from pipeline.validation.findings import LEVELS, SkippedCheck, shorten_text
from pipeline.validation.quality_score import compute_quality_score
from pipeline.validation.row_failures import find_row_failures
from pipeline.validation.validation_report import ValidationReport
from pipeline.validation.validation_rules import (
    check_stats,
    column_failure_findings,
    drift_findings,
    row_failure_findings,
    unreadable_column_findings,
)

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.config.groups.validation_config import ValidationConfig
    from pipeline.schema import Schema
    from pipeline.validation.arrow_rows import ArrowRows
    from pipeline.validation.dataset_stats import DatasetStats
    from pipeline.validation.findings import ValidationFinding
    from pipeline.validation.row_failures import RowFailures

__all__ = ["quarantine", "validate"]


def validate(
    source: pd.DataFrame | Path,
    schema: Schema,
    config: ValidationConfig,
    *,
    reference: pd.DataFrame | Path | None = None,
    name: str = "data",
    with_target: bool = True,
) -> ValidationReport:
    """Return what there is to say about rows.

    Parameters
    ----------
    source : DataFrame or Path
        Rows, or a Parquet file of any size, which is read in batches.
    schema : Schema
    config : ValidationConfig
    reference : DataFrame or Path, optional
        Rows to compare with.
    name : str
        What the report calls the rows.
    with_target : bool
        Whether the target column is expected.

    Raises
    ------
    DataError
        When there are no rows, or the file cannot be read.
    ConfigError
        When a declared check is not known to Pandera.
    """
    rows = open_rows(source, schema, with_target=with_target)
    if rows.n_rows == 0:
        raise DataError(f"{name}: has no rows; look at the source")
    failing = find_row_failures(
        rows, schema, max_examples=config.max_examples_per_rule, pandera_max_rows=config.pandera_max_rows
    )
    tally = collect_stats(rows, schema)
    drift = (
        compare_distributions(_collect_reference_stats(reference, schema), tally, schema, config.drift)
        if reference is not None
        else ()
    )
    findings = [
        *unreadable_column_findings(rows.unreadable, rows.n_rows, config),
        *column_failure_findings(failing.columns, rows.n_rows, config),
        *row_failure_findings(failing, rows.n_rows, config),
        *check_stats(tally, schema, config),
        *drift_findings(drift, "drift", rows.n_rows, config),
    ]
    report = ValidationReport(
        name=name,
        n_rows=rows.n_rows,
        findings=_sort_by_severity(findings),
        skipped_checks=_skipped_checks(rows, failing),
        quality=compute_quality_score(
            tally,
            schema,
            config,
            n_failed_rows=_count_true(failing.failed_mask),
            n_unreadable_columns=len(rows.unreadable),
        ),
        profiles=tuple(profile_column(column) for column in tally.columns),
        class_counts=dict(zip(schema.target.classes, tally.class_counts.tolist(), strict=True)),
        drift=drift,
        n_incomplete=tally.n_incomplete,
        n_duplicates=tally.n_duplicates,
        undeclared_columns=rows.undeclared_columns,
        failed_mask=failing.failed_mask,
    )
    return _apply_quarantine(report, failing, rows, config) if config.quarantine else report


def _skipped_checks(rows: ArrowRows, failing: RowFailures) -> tuple[SkippedCheck, ...]:
    unread = [SkippedCheck(column, reason) for column, reason in rows.unreadable.items()]
    untried = [
        SkippedCheck(one.column, f"{one.rule}: {shorten_text(one.reason)}") for one in failing.columns if one.reason
    ]
    return (*unread, *untried)


def _collect_reference_stats(reference: pd.DataFrame | Path, schema: Schema) -> DatasetStats:
    return collect_stats(open_rows(reference, schema), schema)


def _sort_by_severity(findings: list[ValidationFinding]) -> tuple[ValidationFinding, ...]:
    return tuple(sorted(findings, key=lambda one: (-LEVELS.index(one.level), one.rule, one.column or "")))


def _count_true(bad: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(bad))


def _apply_quarantine(
    report: ValidationReport, failing: RowFailures, rows: ArrowRows, config: ValidationConfig
) -> ValidationReport:
    """Make failures of rows that are set aside a warning, unless so many fail that the rest is no fair sample."""
    limit = config.rules["schema"].critical
    share = _count_true(failing.failed_mask) / rows.n_rows
    if limit is not None and share > limit:
        return report
    findings = [
        replace(one, level="warning", message=f"{one.message}; they are set aside")
        if one.rule == "schema" and one.check != "dtype"
        else one
        for one in report.findings
    ]
    return replace(report, findings=_sort_by_severity(findings), n_quarantined=_count_true(failing.failed_mask))


def quarantine(frame: pd.DataFrame, report: ValidationReport) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows to go on with, and those set aside with the column `reason` in front.

    Without quarantine, or when it does not help, the second frame is empty and the first is `frame`.
    """
    import pandas as pd

    aside = report.failed_mask if report.n_quarantined else np.zeros(len(frame), dtype=bool)
    bad = frame[aside].reset_index(names="row")
    reasons: dict[int, list[str]] = {}
    for finding in report.findings:
        for row, value in zip(finding.rows, finding.values, strict=True):
            shown = "missing" if value is None else repr(value)
            reasons.setdefault(row, []).append(f"{finding.column}: {finding.check}: {shown}")
    said = ["; ".join(sorted(reasons.get(row, ["see the report"]))) for row in bad["row"]]
    bad.insert(1, "reason", pd.Series(said, dtype="string"))
    return frame[~aside].reset_index(drop=True), bad
