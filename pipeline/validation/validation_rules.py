"""Hold counts against the limits of `conf/validation`: one function for each rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.text import percent
from pipeline.validation.findings import ValidationFinding, level_for_share, shorten_text
from pipeline.validation.leakage import detect_leakage
from pipeline.validation.outliers import find_outliers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pipeline.config.groups.validation_config import SeverityThresholds, ValidationConfig, ValidationRuleName
    from pipeline.schema import Schema
    from pipeline.schema.failures import ColumnFailure
    from pipeline.validation.dataset_drift import DriftTestResult
    from pipeline.validation.dataset_stats import DatasetStats
    from pipeline.validation.row_failures import RowFailures

    StatsCheck = Callable[[DatasetStats, Schema, ValidationConfig], Iterable[ValidationFinding]]

__all__ = [
    "check_stats",
    "column_failure_findings",
    "drift_findings",
    "row_failure_findings",
    "unreadable_column_findings",
]

_CAUSES = {
    "missing": "The source left the cell empty; declare `nullable: true` if that may be.",
    "in_range": "A wrong unit, a typing error, or a range in the declaration that is too narrow.",
    "isin": "A new word, another spelling, or a list in the declaration that is not complete.",
    "unique": "Rows were loaded twice, or the column is no key.",
    "unique_together": "Rows were loaded twice, or these columns are no key.",
}
_CHECK_ERROR_CAUSE = "The check is not made for values of this type; mend the declaration."
_DEFAULT_CAUSE = "The values changed at their source, or the declaration does not fit them."


def _make_finding(
    rule: ValidationRuleName,
    column: str | None,
    levels: Mapping[ValidationRuleName, SeverityThresholds],
    n_failed: int,
    n_rows: int,
    message: str,
    cause: str,
) -> ValidationFinding:
    share = n_failed / n_rows if n_rows else 0.0
    return ValidationFinding(
        rule, column, level_for_share(share, levels[rule]), share, n_failed, n_rows, message, cause
    )


def row_failure_findings(
    row_failures: RowFailures, n_rows: int, config: ValidationConfig
) -> Iterator[ValidationFinding]:
    """Yield one finding for each declared rule that some rows break."""
    for one in row_failures.rules:
        share = one.n_failed / n_rows
        yield ValidationFinding(
            rule="schema",
            column=one.column,
            level=level_for_share(share, config.rules["schema"]),
            share=share,
            n_failed=one.n_failed,
            n_rows=n_rows,
            message=f"{one.n_failed:,} of {n_rows:,} rows break `{one.rule}`",
            cause=_CAUSES.get(one.rule, _DEFAULT_CAUSE),
            check=one.rule,
            rows=tuple(one.rows),
            values=tuple(one.values),
        )


def unreadable_column_findings(
    unreadable: Mapping[str, str], n_rows: int, config: ValidationConfig
) -> Iterator[ValidationFinding]:
    """Yield one finding for each declared column that cannot be read; all of its rows fail."""
    for column, reason in unreadable.items():
        cause = "The source renamed, dropped or retyped the column; mend the source or the declaration."
        level = level_for_share(1.0, config.rules["schema"])
        yield ValidationFinding(
            "schema", column, level, 1.0, n_rows, n_rows, f"{column} {reason}", cause, check="dtype"
        )


def column_failure_findings(
    columns: Iterable[ColumnFailure], n_rows: int, config: ValidationConfig
) -> Iterator[ValidationFinding]:
    """Yield one finding for each column that breaks a rule as a whole, or on which it could not be tried."""
    for one in columns:
        if one.reason is None:
            message, cause = f"the column as a whole breaks `{one.rule}`", _CAUSES.get(one.rule, _DEFAULT_CAUSE)
        else:
            message, cause = f"`{one.rule}` could not be tried: {shorten_text(one.reason)}", _CHECK_ERROR_CAUSE
        level = level_for_share(1.0, config.rules["schema"])
        yield ValidationFinding("schema", one.column, level, 1.0, n_rows, n_rows, message, cause, check=one.rule)


def check_stats(stats: DatasetStats, schema: Schema, config: ValidationConfig) -> list[ValidationFinding]:
    """Return what every statistical rule says, quiet ones among them."""
    return [finding for check in _CHECKS for finding in check(stats, schema, config)]


def _check_missing(stats: DatasetStats, schema: Schema, config: ValidationConfig) -> Iterator[ValidationFinding]:
    features = set(schema.feature_names)
    for one in stats.columns:
        if one.name in features and one.n_missing:
            message = f"{one.n_missing:,} of {one.n_rows:,} values are missing"
            cause = "Optional at its source, or a join that found no partner."
            yield _make_finding("missing", one.name, config.rules, one.n_missing, one.n_rows, message, cause)


def _check_incomplete_rows(
    stats: DatasetStats,
    schema: Schema,  # noqa: ARG001 - every check has the same signature
    config: ValidationConfig,
) -> Iterator[ValidationFinding]:
    message = f"{stats.n_incomplete:,} of {stats.n_rows:,} rows lack at least one feature"
    cause = "Leave them in: a missing value can tell much. Dropping such rows loses them all."
    yield _make_finding("missing_rows", None, config.rules, stats.n_incomplete, stats.n_rows, message, cause)


def _check_duplicates(stats: DatasetStats, schema: Schema, config: ValidationConfig) -> Iterator[ValidationFinding]:  # noqa: ARG001 - all checks share a form
    message = f"{stats.n_duplicates:,} of {stats.n_rows:,} rows repeat an earlier one"
    cause = "Rows were loaded twice, or few columns with few values, where equal rows are natural."
    yield _make_finding("duplicates", None, config.rules, stats.n_duplicates, stats.n_rows, message, cause)


def _check_outliers(stats: DatasetStats, schema: Schema, config: ValidationConfig) -> Iterator[ValidationFinding]:
    features = set(schema.feature_names)
    for one in stats.columns:
        found = find_outliers(one, config.outliers) if one.name in features else None
        if found is not None and (found.n_iqr or found.n_robust_z):
            message = (
                f"{found.n_iqr:,} values lie outside of {found.low:.6g} to {found.high:.6g}"
                f" ({found.n_robust_z:,} by the robust z)"
            )
            cause = "A wrong unit or a broken sensor, or simply a column with a long tail."
            yield _make_finding("outliers", one.name, config.rules, found.n_iqr, one.n_rows, message, cause)


def _check_class_balance(stats: DatasetStats, schema: Schema, config: ValidationConfig) -> Iterator[ValidationFinding]:
    n_known = int(stats.class_counts.sum())
    if not n_known:
        return
    commonest = int(stats.class_counts.argmax())
    name, count = schema.target.classes[commonest], int(stats.class_counts[commonest])
    message = f"the commonest class, {name}, has {count:,} of {n_known:,} rows"
    cause = "Accuracy says little here; look at log loss, PR AUC and the rarer classes."
    yield _make_finding("class_balance", schema.target.column, config.rules, count, n_known, message, cause)


def _check_constant_columns(
    stats: DatasetStats, schema: Schema, config: ValidationConfig
) -> Iterator[ValidationFinding]:
    features = set(schema.feature_names)
    for one in stats.columns:
        if one.name in features and one.n_distinct is not None and one.n_distinct <= 1:
            what = f"always {shorten_text(repr(one.values[0]))}" if one.values else "missing everywhere"
            cause = "A model learns nothing from it; give it the role `ignore`, or mend its source."
            yield _make_finding("constant", one.name, config.rules, one.n_rows, one.n_rows, what, cause)


def _check_leakage(stats: DatasetStats, schema: Schema, config: ValidationConfig) -> Iterator[ValidationFinding]:
    features = set(schema.feature_names)
    for one in stats.columns:
        leak = detect_leakage(one, purity=config.leakage_purity) if one.name in features else None
        if leak is None or (leak.share < config.leakage_share and not leak.is_copy):
            continue
        what = (
            "every value goes with one class alone" if leak.is_copy else f"{', '.join(leak.values)} give the class away"
        )
        message = f"{what} (purity of at least {leak.purity:.4f}, {percent(leak.share)} of the rows)"
        cause = "The column was made from the answer, or after it; give it the role `ignore`."
        yield _make_finding(
            "leakage", one.name, config.rules, round(leak.share * one.n_rows), one.n_rows, message, cause
        )


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
    """Yield one finding for each column that drifts; the share is that of the columns."""
    columns = list(test_results)
    drifted = [one for one in columns if one.has_drifted]
    share = len(drifted) / len(columns) if columns else 0.0
    for one in drifted:
        message = f"Jensen-Shannon distance {one.distance:.3f}, above {one.threshold:g}, and no accident (p = {one.p_value:.2g})"
        cause = "The population changed, or one side was filtered or measured otherwise."
        yield ValidationFinding(
            rule, one.column, level_for_share(share, config.rules[rule]), share, n_rows, n_rows, message, cause
        )
