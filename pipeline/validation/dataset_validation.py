"""Validate rows: declared rules, statistics, drift and the overall level."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import DataError
from pipeline.files import read_parquet
from pipeline.validation.arrow_rows import open_rows
from pipeline.validation.column_profile import profile_column
from pipeline.validation.dataset_drift import compare_distributions
from pipeline.validation.dataset_stats import collect_stats
from pipeline.validation.findings import LEVELS, SkippedCheck, shorten_text
from pipeline.validation.quality_score import compute_quality_score
from pipeline.validation.row_failures import find_row_failures
from pipeline.validation.unseen_words import count_unseen_words, unseen_word_findings
from pipeline.validation.validation_report import ValidationReport
from pipeline.validation.validation_rules import (
    check_stats,
    column_failure_findings,
    drift_findings,
    row_failure_findings,
    unreadable_column_findings,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.config.groups.validation_config import ValidationConfig
    from pipeline.schema import Schema, Target
    from pipeline.validation.dataset_drift import DriftTestResult
    from pipeline.validation.dataset_stats import DatasetStats
    from pipeline.validation.findings import ValidationFinding
    from pipeline.validation.quality_score import QualityScore
    from pipeline.validation.rule_failures import RowFailures
    from pipeline.validation.unseen_words import UnseenWords

__all__ = ["TableFacts", "TrainingRows", "report_facts", "select_training_rows", "validate_rows"]


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """The validation report of rows, the rows to train on, and the quarantined ones with `row` and `reason`."""

    report: ValidationReport
    valid: pd.DataFrame
    quarantined: pd.DataFrame


@dataclass(frozen=True, slots=True)
class TableFacts:
    """All that the rules need to know of a table.

    Attributes
    ----------
    stats : DatasetStats
    row_failures : RowFailures
        Without the values of private columns.
    unseen_words : tuple of UnseenWords
    unreadable : mapping
        Why a declared column cannot be read, by its name.
    undeclared_columns : tuple of str
    drift : tuple of DriftTestResult
    """

    stats: DatasetStats
    row_failures: RowFailures
    unseen_words: tuple[UnseenWords, ...]
    unreadable: Mapping[str, str]
    undeclared_columns: tuple[str, ...]
    drift: tuple[DriftTestResult, ...] = ()


def select_training_rows(
    source: pd.DataFrame | Path, schema: Schema, config: ValidationConfig, *, name: str = "data"
) -> TrainingRows:
    """Validate rows, and divide them into valid and quarantined ones.

    With `target.unlabeled: set_aside`, rows without a declared class are quarantined first: the report is about the
    others, and counts them.

    Parameters
    ----------
    source : DataFrame or Path
        Rows with the target, or a Parquet file of them.
    schema : Schema
    config : ValidationConfig
    name : str
        Name of the rows in the report.

    Raises
    ------
    DataError
        When there are no rows, or none with a label.
    """
    if schema.target.unlabeled == "refuse":
        report = validate_rows(source, schema, config, name=name)
        return TrainingRows(report, *_quarantine_rows(_to_frame(source), report))
    frame = _to_frame(source)
    is_unlabeled = ~frame[schema.target.column].isin(schema.target.classes).to_numpy(dtype=bool, na_value=False)
    labeled = frame[~is_unlabeled].reset_index(drop=True)
    if labeled.empty:
        raise DataError(
            f"{name}: no row has one of the classes {', '.join(schema.target.classes)} in {schema.target.column};"
            f" correct data.target in conf/data/{schema.name}.yaml"
        )
    report = replace(validate_rows(labeled, schema, config, name=name), n_unlabeled=_count_true(is_unlabeled))
    valid, quarantined = _quarantine_rows(labeled, report)
    row, _ = _added_names(frame)
    quarantined[row] = np.flatnonzero(~is_unlabeled)[quarantined[row].to_numpy(dtype=np.int64)]
    return TrainingRows(report, valid, _with_unlabeled(quarantined, frame[is_unlabeled], schema.target))


def _to_frame(source: pd.DataFrame | Path) -> pd.DataFrame:
    return read_parquet(source) if isinstance(source, Path) else source.reset_index(drop=True)


def _added_names(frame: pd.DataFrame) -> tuple[str, str]:
    """Return the names of the columns that quarantined rows get; a name that the rows have is followed by `_`."""
    names = []
    for name in ("row", "reason"):
        while name in frame.columns:
            name += "_"  # noqa: PLW2901 - the name is the loop's result
        names.append(name)
    return names[0], names[1]


def _with_unlabeled(quarantined: pd.DataFrame, unlabeled: pd.DataFrame, target: Target) -> pd.DataFrame:
    import pandas as pd

    if unlabeled.empty:
        return quarantined
    labels = unlabeled[target.column]
    reasons = [
        f"{target.column}: no label" if is_missing else f"{target.column}: no class {label!r}"
        for label, is_missing in zip(labels, labels.isna(), strict=True)
    ]
    row, reason = _added_names(unlabeled)
    rows = unlabeled.reset_index(names=row)
    rows.insert(1, reason, pd.Series(reasons, dtype="string"))
    both = rows if quarantined.empty else pd.concat([quarantined, rows], ignore_index=True)
    return both.sort_values(row, kind="stable", ignore_index=True)


def validate_rows(
    source: pd.DataFrame | Path,
    schema: Schema,
    config: ValidationConfig,
    *,
    reference: pd.DataFrame | Path | None = None,
    name: str = "data",
    with_target: bool = True,
) -> ValidationReport:
    """Return the validation report of rows.

    Parameters
    ----------
    source : DataFrame or Path
        Rows, or a Parquet file of any size, which is read in batches.
    schema : Schema
    config : ValidationConfig
    reference : DataFrame or Path, optional
        Rows to compare with.
    name : str
        Name of the rows in the report.
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
        raise DataError(f"{name}: has no rows; check the source")
    row_failures = find_row_failures(
        rows, schema, max_examples=config.max_examples_per_rule, pandera_max_rows=config.pandera_max_rows
    )
    stats = collect_stats(rows, schema)
    drift = () if reference is None else _compare_with_reference(reference, stats, schema, config)
    facts = TableFacts(
        stats, row_failures, count_unseen_words(rows, schema), rows.unreadable, rows.undeclared_columns, drift
    )
    return report_facts(facts, schema, config, name=name)


def report_facts(facts: TableFacts, schema: Schema, config: ValidationConfig, *, name: str) -> ValidationReport:
    """Return the validation report of rows of which `facts` are known."""
    n_rows, row_failures = facts.stats.n_rows, facts.row_failures
    findings = [
        *unreadable_column_findings(facts.unreadable, n_rows, config),
        *column_failure_findings(row_failures.columns, n_rows, config),
        *row_failure_findings(row_failures, n_rows, config),
        *unseen_word_findings(facts.unseen_words, config),
        *check_stats(facts.stats, schema, config),
        *drift_findings(facts.drift, "drift", n_rows, config),
    ]
    report = ValidationReport(
        name=name,
        n_rows=n_rows,
        findings=_sort_by_severity(findings),
        skipped_checks=_skipped_checks(facts),
        quality=_score_quality(facts, schema, config),
        profiles=tuple(profile_column(column) for column in facts.stats.columns),
        class_counts=dict(zip(schema.target.classes, facts.stats.class_counts.tolist(), strict=True)),
        drift=facts.drift,
        n_incomplete=facts.stats.n_incomplete,
        n_duplicates=facts.stats.n_duplicates,
        undeclared_columns=facts.undeclared_columns,
        failed_rows=row_failures.failed_rows,
    )
    return _apply_quarantine(report, config) if config.quarantine else report


def _score_quality(facts: TableFacts, schema: Schema, config: ValidationConfig) -> QualityScore:
    n_failed_rows = facts.row_failures.failed_rows.count()
    return compute_quality_score(
        facts.stats, schema, config, n_failed_rows=n_failed_rows, n_unreadable_columns=len(facts.unreadable)
    )


def _skipped_checks(facts: TableFacts) -> tuple[SkippedCheck, ...]:
    unreadable = [SkippedCheck(column, reason) for column, reason in facts.unreadable.items()]
    not_run = [
        SkippedCheck(failure.column, f"{failure.rule}: {shorten_text(failure.reason)}")
        for failure in facts.row_failures.columns
        if failure.reason
    ]
    return (*unreadable, *not_run)


def _compare_with_reference(
    reference: pd.DataFrame | Path, stats: DatasetStats, schema: Schema, config: ValidationConfig
) -> tuple[DriftTestResult, ...]:
    reference_stats = collect_stats(open_rows(reference, schema), schema)
    return compare_distributions(reference_stats, stats, schema, config.drift)


def _sort_by_severity(findings: list[ValidationFinding]) -> tuple[ValidationFinding, ...]:
    return tuple(
        sorted(findings, key=lambda finding: (-LEVELS.index(finding.level), finding.rule, finding.column or ""))
    )


def _count_true(mask: NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(mask))


def _apply_quarantine(report: ValidationReport, config: ValidationConfig) -> ValidationReport:
    """Lower row failures to a warning when the rows are quarantined; above the critical threshold too few remain."""
    threshold = config.rules["schema"].critical
    n_failed_rows = report.failed_rows.count()
    if threshold is not None and n_failed_rows / report.n_rows > threshold:
        return report
    findings = [
        replace(finding, level="warning", message=f"{finding.message}; they are quarantined")
        if finding.rule == "schema" and finding.check != "dtype"
        else finding
        for finding in report.findings
    ]
    return replace(report, findings=_sort_by_severity(findings), n_quarantined=n_failed_rows)


def _quarantine_rows(frame: pd.DataFrame, report: ValidationReport) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the valid rows, and the quarantined rows with a column `reason` in front.

    Without quarantine, or when too many rows fail, the second frame is empty and the first is `frame`.
    """
    import pandas as pd

    is_quarantined = report.failed_rows.mask() if report.n_quarantined else np.zeros(len(frame), dtype=bool)
    row_name, reason_name = _added_names(frame)
    quarantined = frame[is_quarantined].reset_index(names=row_name)
    reasons: dict[int, list[str]] = {}
    for finding in report.findings:
        for row, value in zip(finding.rows, finding.values, strict=True):
            shown = "missing" if value is None else repr(value)
            reasons.setdefault(row, []).append(f"{finding.column}: {finding.check}: {shown}")
    texts = ["; ".join(sorted(reasons.get(row, ["see the report"]))) for row in quarantined[row_name]]
    quarantined.insert(1, reason_name, pd.Series(texts, dtype="string"))
    return frame[~is_quarantined].reset_index(drop=True), quarantined
