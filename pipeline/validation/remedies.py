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
_IGNORE = "give the column the role `ignore`"
_REMEDIES = {
    "missing": _IGNORE,
    "leakage": _IGNORE,
    "constant": _IGNORE,
    "duplicates": "remove the copies at the source",
    "class_balance": "add rows of the other classes",
    "unseen": "list the frequent words in `checks.isin`",
    "missing_rows": "give columns that are often missing the role `ignore`",
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
    if finding.rule != "schema":
        remedy = _REMEDIES.get(finding.rule, "correct the source")
        return f"{remedy}, or accept it with {' '.join(_lifted_levels(finding.rule, finding.share, config))}"
    if finding.check == "dtype" or not finding.rows:
        return "correct the source or the declaration"
    if finding.column == schema.target.column:
        remedy = "leave rows without a declared class out of the source"
    else:
        remedy = "correct the source or the declaration"
    return f"{remedy}, or quarantine these rows with {' '.join(_quarantine_settings(report, config))}"


def _quarantine_settings(report: ValidationReport, config: ValidationConfig) -> Iterator[str]:
    if not config.quarantine:
        yield "validation.quarantine=true"
    threshold = config.rules["schema"].critical
    if threshold is not None and float(report.failed_mask.mean()) > threshold:
        yield "validation.rules.schema.critical=null"


def _lifted_levels(rule: str, share: float, config: ValidationConfig) -> Iterator[str]:
    thresholds = config.rules[rule]  # type: ignore[index]  # a finding has the name of its rule
    for level, threshold in (("error", thresholds.error), ("critical", thresholds.critical)):
        if threshold is not None and share > threshold:
            yield f"validation.rules.{rule}.{level}=null"
