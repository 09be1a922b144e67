"""Name what stops the training on rows, and the remedy of each cause, in the same words in the graph and in checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.config.groups.validation_config import ValidationConfig
    from pipeline.schema import Schema
    from pipeline.validation.findings import ValidationFinding
    from pipeline.validation.validation_report import ValidationReport

__all__ = ["refusal_lines"]

_MAX_LISTED = 20
_REMEDIES = {
    "duplicates": "remove the copies at the source",
    "class_balance": "add rows of the other classes",
    "unseen": "list the frequent words in `checks.isin`",
    "missing_rows": "ignore columns that are often missing",
    "drift": "correct the source",
}
# By declared check: the key of the column that accepts the values.
_KEYS = {
    "missing": "nullable: true",
    "isin": "unseen: other",
}


def refusal_lines(report: ValidationReport, schema: Schema, config: ValidationConfig) -> tuple[str, ...]:
    """Return one line for each finding that stops the training, with its remedy; none where rows are fit for it.

    At most twenty are listed, then their number.

    Parameters
    ----------
    report : ValidationReport
    schema : Schema
        Of the rows of the report.
    config : ValidationConfig
        With which the report was made.
    """
    blocking = [finding for finding in report.findings if finding.level in ("error", "critical")]
    lines = [
        f"{finding.level}: {finding.title}: {finding.message}; {_remedy(finding, report, schema, config)}"
        for finding in blocking[:_MAX_LISTED]
    ]
    n_omitted = len(blocking) - len(lines)
    return (*lines, *([f"and {n_omitted} more"] if n_omitted else []))


def _remedy(finding: ValidationFinding, report: ValidationReport, schema: Schema, config: ValidationConfig) -> str:
    if finding.rule == "schema":
        return _schema_remedy(finding, report, schema, config)
    column_file = f"conf/data/{schema.name}.yaml"
    if finding.rule == "leakage":
        return (
            f"in {column_file} set columns.{finding.column} to `role: ignore`, or to `leakage: accept` if its value is"
            " known before the outcome"
        )
    if finding.column in schema.feature_names:
        remedy = f"in {column_file} set columns.{finding.column} to `role: ignore`"
    else:
        remedy = _REMEDIES.get(finding.rule, "correct the source")
    return f"{remedy}, or accept it with {' '.join(_lifted_levels(finding.rule, finding.share, config))}"


def _schema_remedy(
    finding: ValidationFinding, report: ValidationReport, schema: Schema, config: ValidationConfig
) -> str:
    if finding.check == "dtype" or not finding.rows:
        return "correct the source or the declaration"
    column_file = f"conf/data/{schema.name}.yaml"
    if finding.column == schema.target.column:
        return (
            f"in {column_file} set target to `unlabeled: set_aside`, which trains without these rows, or add the class"
            " to target.classes"
        )
    accepted = {column.name: column for column in schema.columns}.get(finding.column or "")
    key = _KEYS.get(finding.check or "")
    if key is None or (finding.check == "isin" and (accepted is None or accepted.kind != "category")):
        remedy = f"correct the source, or `checks` of columns.{finding.column} in {column_file}"
    else:
        remedy = f"correct the source, or in {column_file} set columns.{finding.column} to `{key}`"
    return f"{remedy}, or quarantine these rows with {' '.join(_quarantine_settings(report, config))}"


def _quarantine_settings(report: ValidationReport, config: ValidationConfig) -> Iterator[str]:
    if not config.quarantine:
        yield "validation.quarantine=true"
    threshold = config.rules["schema"].critical
    if threshold is not None and report.failed_rows.count() / report.n_rows > threshold:
        yield "validation.rules.schema.critical=null"


def _lifted_levels(rule: str, share: float, config: ValidationConfig) -> Iterator[str]:
    thresholds = config.rules[rule]  # type: ignore[index]  # a finding has the name of its rule
    for level, threshold in (("error", thresholds.error), ("critical", thresholds.critical)):
        if threshold is not None and share > threshold:
            yield f"validation.rules.{rule}.{level}=null"
