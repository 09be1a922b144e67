"""Validate rows: declared rules, statistics, drift, and one verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import DataError
from pipeline.validation.checks import broken_findings, check_tally, column_findings, drift_findings, schema_findings
from pipeline.validation.drift import find_drift
from pipeline.validation.failing import find_failing
from pipeline.validation.findings import LEVELS, NotEvaluated, clipped
from pipeline.validation.profile import describe
from pipeline.validation.report import ValidationReport
from pipeline.validation.score import score
from pipeline.validation.table import open_rows
from pipeline.validation.tally import count_rows

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.config.groups.checking import ValidationConfig
    from pipeline.schema import Schema
    from pipeline.validation.failing import Failing
    from pipeline.validation.findings import Finding
    from pipeline.validation.table import Rows
    from pipeline.validation.tally import Tally

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
    failing = find_failing(rows, schema, max_examples=config.max_examples, plain_rows=config.plain_rows)
    tally = count_rows(rows, schema)
    drift = find_drift(_counted(reference, schema), tally, schema, config.drift) if reference is not None else ()
    findings = [
        *broken_findings(rows.broken, rows.n_rows, config),
        *column_findings(failing.columns, rows.n_rows, config),
        *schema_findings(failing, rows.n_rows, config),
        *check_tally(tally, schema, config),
        *drift_findings(drift, "drift", rows.n_rows, config),
    ]
    report = ValidationReport(
        name=name,
        n_rows=rows.n_rows,
        findings=_loudest_first(findings),
        not_evaluated=_not_evaluated(rows, failing),
        quality=score(tally, schema, config, n_bad=_n(failing.bad), n_broken=len(rows.broken)),
        profiles=tuple(describe(column) for column in tally.columns),
        classes=dict(zip(schema.target.classes, tally.classes.tolist(), strict=True)),
        drift=drift,
        incomplete=tally.incomplete,
        n_duplicates=tally.n_duplicates,
        extra=rows.extra,
        bad=failing.bad,
    )
    return _with_quarantine(report, failing, rows, config) if config.quarantine else report


def _not_evaluated(rows: Rows, failing: Failing) -> tuple[NotEvaluated, ...]:
    unread = [NotEvaluated(column, reason) for column, reason in rows.broken.items()]
    untried = [NotEvaluated(one.column, f"{one.rule}: {clipped(one.reason)}") for one in failing.columns if one.reason]
    return (*unread, *untried)


def _counted(reference: pd.DataFrame | Path, schema: Schema) -> Tally:
    return count_rows(open_rows(reference, schema), schema)


def _loudest_first(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda one: (-LEVELS.index(one.level), one.rule, one.column or "")))


def _n(bad: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(bad))


def _with_quarantine(
    report: ValidationReport, failing: Failing, rows: Rows, config: ValidationConfig
) -> ValidationReport:
    """Make failures of rows that are set aside a warning, unless so many fail that the rest is no fair sample."""
    limit = config.rules["schema"].critical
    share = _n(failing.bad) / rows.n_rows
    if limit is not None and share > limit:
        return report
    findings = [
        replace(one, level="warning", message=f"{one.message}; they are set aside")
        if one.rule == "schema" and one.check != "dtype"
        else one
        for one in report.findings
    ]
    return replace(report, findings=_loudest_first(findings), n_quarantined=_n(failing.bad))


def quarantine(frame: pd.DataFrame, report: ValidationReport) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows to go on with, and those set aside with the column `reason` in front.

    Without quarantine, or when it does not help, the second frame is empty and the first is `frame`.
    """
    import pandas as pd

    aside = report.bad if report.n_quarantined else np.zeros(len(frame), dtype=bool)
    bad = frame[aside].reset_index(names="row")
    reasons: dict[int, list[str]] = {}
    for finding in report.findings:
        for row, value in zip(finding.rows, finding.values, strict=True):
            shown = "missing" if value is None else repr(value)
            reasons.setdefault(row, []).append(f"{finding.column}: {finding.check}: {shown}")
    said = ["; ".join(sorted(reasons.get(row, ["see the report"]))) for row in bad["row"]]
    bad.insert(1, "reason", pd.Series(said, dtype="string"))
    return frame[~aside].reset_index(drop=True), bad
