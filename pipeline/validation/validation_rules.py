"""Compare statistics with the thresholds of `conf/validation`: one function for each rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.text import percent
from pipeline.validation.findings import ValidationFinding, level_for_share, shorten_text
from pipeline.validation.leakage import TargetLeakage, detect_leakage
from pipeline.validation.outliers import find_outliers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pipeline.config.groups.validation_config import ValidationConfig, ValidationRuleName
    from pipeline.schema import Schema
    from pipeline.schema.failures import ColumnFailure
    from pipeline.validation.column_stats import ColumnStats
    from pipeline.validation.dataset_drift import DriftTestResult
    from pipeline.validation.dataset_stats import DatasetStats
    from pipeline.validation.rule_failures import RowFailures

    StatsCheck = Callable[[DatasetStats, Schema, ValidationConfig], Iterable[ValidationFinding]]

__all__ = [
    "check_stats",
    "column_failure_findings",
    "drift_findings",
    "row_failure_findings",
    "unreadable_column_findings",
]

_CAUSES = {
    "missing": "The source has no value; declare `nullable: true` when that is allowed.",
    "in_range": "A wrong unit, a typing error, or too narrow a range in the declaration.",
    "isin": "A new category, another spelling, or an incomplete list in the declaration.",
    "unique": "Rows were loaded twice, or the column is not a key.",
    "unique_together": "Rows were loaded twice, or these columns are not a key.",
}
_CHECK_ERROR_CAUSE = "The check does not support values of this type; correct the declaration."
_DEFAULT_CAUSE = "The values changed at the source, or the declaration does not fit them."


def _make_finding(
    rule: ValidationRuleName,
    column: str | None,
    config: ValidationConfig,
    *,
    n_failed: int,
    n_rows: int,
    message: str,
    cause: str,
) -> ValidationFinding:
    share = n_failed / n_rows if n_rows else 0.0
    return ValidationFinding(
        rule=rule,
        column=column,
        level=level_for_share(share, config.rules[rule]),
        share=share,
        n_failed=n_failed,
        n_rows=n_rows,
        message=message,
        cause=cause,
    )


def row_failure_findings(
    row_failures: RowFailures, n_rows: int, config: ValidationConfig
) -> Iterator[ValidationFinding]:
    """Yield a finding for each declared rule that some rows break."""
    for failures in row_failures.rules:
        share = failures.n_failed / n_rows
        yield ValidationFinding(
            rule="schema",
            column=failures.column,
            level=level_for_share(share, config.rules["schema"]),
            share=share,
            n_failed=failures.n_failed,
            n_rows=n_rows,
            message=f"{failures.n_failed:,} of {n_rows:,} rows break `{failures.rule}`",
            cause=_CAUSES.get(failures.rule, _DEFAULT_CAUSE),
            check=failures.rule,
            rows=tuple(failures.rows),
            values=tuple(failures.values),
        )


def unreadable_column_findings(
    unreadable: Mapping[str, str], n_rows: int, config: ValidationConfig
) -> Iterator[ValidationFinding]:
    """Yield a finding for each declared column that cannot be read; all of its rows fail."""
    for column, reason in unreadable.items():
        cause = "The source renamed, dropped or retyped the column; correct the source or the declaration."
        message = f"{column} {reason}"
        yield _whole_column_finding(column, "dtype", config, n_rows=n_rows, message=message, cause=cause)


def column_failure_findings(
    columns: Iterable[ColumnFailure], n_rows: int, config: ValidationConfig
) -> Iterator[ValidationFinding]:
    """Yield a finding for each column that breaks a rule as a whole, or for which the rule could not run."""
    for failure in columns:
        if failure.reason is None:
            message, cause = f"the column as a whole breaks `{failure.rule}`", _CAUSES.get(failure.rule, _DEFAULT_CAUSE)
        else:
            message, cause = f"`{failure.rule}` could not run: {shorten_text(failure.reason)}", _CHECK_ERROR_CAUSE
        yield _whole_column_finding(failure.column, failure.rule, config, n_rows=n_rows, message=message, cause=cause)


def _whole_column_finding(
    column: str, check: str, config: ValidationConfig, *, n_rows: int, message: str, cause: str
) -> ValidationFinding:
    return ValidationFinding(
        rule="schema",
        column=column,
        level=level_for_share(1.0, config.rules["schema"]),
        share=1.0,
        n_failed=n_rows,
        n_rows=n_rows,
        message=message,
        cause=cause,
        check=check,
    )


def check_stats(stats: DatasetStats, schema: Schema, config: ValidationConfig) -> list[ValidationFinding]:
    """Return the findings of every statistical rule, those of level ok included."""
    return [finding for check in _CHECKS for finding in check(stats, schema, config)]


def _check_missing(stats: DatasetStats, schema: Schema, config: ValidationConfig) -> Iterator[ValidationFinding]:
    features = set(schema.feature_names)
    for column in stats.columns:
        if column.name in features and column.n_missing:
            message = f"{column.n_missing:,} of {column.n_rows:,} values are missing"
            cause = "Optional at the source, or an unmatched join."
            yield _make_finding(
                "missing",
                column.name,
                config,
                n_failed=column.n_missing,
                n_rows=column.n_rows,
                message=message,
                cause=cause,
            )


def _check_incomplete_rows(
    stats: DatasetStats,
    schema: Schema,  # noqa: ARG001 - every check has the same signature
    config: ValidationConfig,
) -> Iterator[ValidationFinding]:
    message = f"{stats.n_incomplete:,} of {stats.n_rows:,} rows have a missing feature"
    cause = "Train on these rows: a missing value can be informative, and dropping them loses data."
    yield _make_finding(
        "missing_rows", None, config, n_failed=stats.n_incomplete, n_rows=stats.n_rows, message=message, cause=cause
    )


def _check_duplicates(
    stats: DatasetStats,
    schema: Schema,  # noqa: ARG001 - every check has the same signature
    config: ValidationConfig,
) -> Iterator[ValidationFinding]:
    message = f"{stats.n_duplicates:,} of {stats.n_rows:,} rows repeat an earlier row"
    cause = "Rows were loaded twice, or few columns with few values, so that rows are equal by chance."
    yield _make_finding(
        "duplicates", None, config, n_failed=stats.n_duplicates, n_rows=stats.n_rows, message=message, cause=cause
    )


def _check_outliers(stats: DatasetStats, schema: Schema, config: ValidationConfig) -> Iterator[ValidationFinding]:
    features = set(schema.feature_names)
    for column in stats.columns:
        outliers = find_outliers(column, config.outliers) if column.name in features else None
        if outliers is not None and (outliers.n_iqr or outliers.n_robust_z):
            message = (
                f"{outliers.n_iqr:,} values lie outside {outliers.low:.6g} to {outliers.high:.6g}"
                f" ({outliers.n_robust_z:,} by the robust z)"
            )
            cause = "A wrong unit, a broken sensor, or a long-tailed column."
            yield _make_finding(
                "outliers",
                column.name,
                config,
                n_failed=outliers.n_iqr,
                n_rows=column.n_rows,
                message=message,
                cause=cause,
            )


def _check_class_balance(stats: DatasetStats, schema: Schema, config: ValidationConfig) -> Iterator[ValidationFinding]:
    n_known = int(stats.class_counts.sum())
    if not n_known:
        return
    most_frequent = int(stats.class_counts.argmax())
    name, count = schema.target.classes[most_frequent], int(stats.class_counts[most_frequent])
    message = f"the most frequent class, {name}, has {count:,} of {n_known:,} rows"
    cause = "Accuracy is misleading here; check log loss, PR AUC and the rare classes."
    yield _make_finding(
        "class_balance", schema.target.column, config, n_failed=count, n_rows=n_known, message=message, cause=cause
    )


def _check_constant_columns(
    stats: DatasetStats, schema: Schema, config: ValidationConfig
) -> Iterator[ValidationFinding]:
    features = set(schema.feature_names)
    for column in stats.columns:
        if column.name in features and column.is_constant:
            message = _constant_message(column)
            cause = "It carries no information; give it the role `ignore`, or correct its source."
            yield _make_finding(
                "constant",
                column.name,
                config,
                n_failed=column.n_rows,
                n_rows=column.n_rows,
                message=message,
                cause=cause,
            )


def _constant_message(column: ColumnStats) -> str:
    if not column.values:
        return "always missing"
    return f"always {shorten_text(repr(column.values[0]))}" if column.shown_values[0] else "a single value of few rows"


def _check_leakage(stats: DatasetStats, schema: Schema, config: ValidationConfig) -> Iterator[ValidationFinding]:
    """Yield `leakage` for a column that reveals the class, `pure_values` where single values do or it is accepted."""
    features = {column.name: column for column in schema.features}
    for column in stats.columns:
        leak = detect_leakage(column, config.leakage) if column.name in features else None
        if leak is None:
            continue
        is_accepted = features[column.name].leakage == "accept"
        cause = "Recorded after the outcome, or derived from it. The value is unknown when the model predicts."
        yield _make_finding(
            "pure_values" if is_accepted or leak.evidence == "values" else "leakage",
            column.name,
            config,
            n_failed=round(leak.share * column.n_rows),
            n_rows=column.n_rows,
            message=_leakage_message(leak),
            cause=f"Declared as known before the outcome: `leakage: accept`. {cause}" if is_accepted else cause,
        )


_SIDES = {"present": "rows with a value", "missing": "rows without a value"}


def _leakage_message(leak: TargetLeakage) -> str:
    rows = f"{percent(leak.share)} of the rows"
    if leak.evidence == "copy":
        return f"each value occurs with one class ({rows})"
    if leak.evidence == "presence":
        sides = ", and nearly all ".join(_SIDES[side] for side in leak.examples)
        return f"nearly all {sides} are of one class (purity {leak.purity:.4f}, {rows})"
    if leak.evidence == "skill":
        return f"the column alone predicts the class (critical success index {leak.purity:.4f})"
    return f"nearly all rows with {' or '.join(leak.examples)} are of one class (purity {leak.purity:.4f}, {rows})"


_CHECKS: tuple[StatsCheck, ...] = (
    _check_missing,
    _check_incomplete_rows,
    _check_duplicates,
    _check_outliers,
    _check_class_balance,
    _check_constant_columns,
    _check_leakage,
)


def drift_findings(
    test_results: Iterable[DriftTestResult], rule: ValidationRuleName, n_rows: int, config: ValidationConfig
) -> Iterator[ValidationFinding]:
    """Yield a finding for each column that has drifted; the share is that of the columns."""
    results = list(test_results)
    drifted = [result for result in results if result.has_drifted]
    share = len(drifted) / len(results) if results else 0.0
    for result in drifted:
        message = (
            f"Jensen-Shannon distance {result.distance:.3f} exceeds {result.threshold:g} (p = {result.p_value:.2g})"
        )
        cause = "The population changed, or one side was filtered or measured differently."
        yield ValidationFinding(
            rule=rule,
            column=result.column,
            level=level_for_share(share, config.rules[rule]),
            share=share,
            n_failed=n_rows,
            n_rows=n_rows,
            message=message,
            cause=cause,
        )
