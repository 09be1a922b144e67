"""Render a validation report as one HTML page that needs no network: findings, then the profile of each column."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from pipeline.html_report import (
    BarSeries,
    Html,
    ReportHead,
    badge,
    bar_chart,
    card,
    card_grid,
    details,
    html_table,
    paragraph,
    report_page,
    section,
    text_with_code,
    tiles,
)
from pipeline.text import percent, pluralize, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.html_report import Level
    from pipeline.validation.column_profile import ColumnProfile
    from pipeline.validation.findings import ValidationFinding
    from pipeline.validation.validation_report import ValidationReport

__all__ = ["validation_report_html"]

_MAX_FINDINGS = 100
_MAX_EXAMPLES = 10
_MAX_COLUMNS = 100
_LEVELS: Mapping[str, Level] = {"ok": "good", "warning": "warn", "error": "bad", "critical": "bad"}
_SCORE_PARTS = {
    "completeness": "complete cells",
    "validity": "valid rows",
    "uniqueness": "unique rows",
    "consistency": "values without outliers",
}


def validation_report_html(
    report: ValidationReport, *, rows_md5: str | None = None, index_address: str | None = None
) -> str:
    """Return the page as HTML; at most 100 findings with ten examples each, and 100 columns.

    Parameters
    ----------
    report : ValidationReport
    rows_md5 : str, optional
        MD5 of the file of the rows, as in dvc.lock; the page is an output of DVC and has neither time nor commit.
    index_address : str, optional
        Address of the index of reports, relative to the page.
    """
    head = ReportHead(f"Validation of {report.name}", report.level, _LEVELS[report.level], _summary(report))
    facts = [] if rows_md5 is None else [("MD5 of the rows, as in dvc.lock", rows_md5)]
    shown = report.profiles[:_MAX_COLUMNS]
    sections = (
        _tiles(report),
        section("Quality score", card(_score_table(report))),
        section("Findings", *_finding_cards(report)),
        section(
            "Columns",
            card_grid(_column_card(profile) for profile in shown),
            _omitted_note(len(report.profiles) - len(shown), "columns"),
        ),
    )
    return report_page(head, sections, facts=facts, index_address=index_address)


def _summary(report: ValidationReport) -> str:
    rows = f"{pluralize(report.n_rows, 'row')}, {pluralize(len(report.profiles), 'column')}"
    rules = list(dict.fromkeys(finding.rule for finding in report.notable_findings()))
    if not rules:
        return f"{rows}: every rule passes"
    result = "these rows stop the training" if report.blocks_training else "they do not stop the training"
    return f"{rows}: findings of {pluralize(len(rules), 'rule')} ({', '.join(rules)}); {result}"


def _tiles(report: ValidationReport) -> str:
    values = [("quality score", f"{report.quality.score:.1f} of 100", "")]
    values += [("rows", f"{report.n_rows:,}", "")]
    values += [
        ("incomplete rows", f"{report.n_incomplete:,}", percent(report.n_incomplete / max(report.n_rows, 1))),
        ("duplicate rows", f"{report.n_duplicates:,}", percent(report.n_duplicates / max(report.n_rows, 1))),
    ]
    if report.n_unlabeled:
        values.append(("rows without a label", f"{report.n_unlabeled:,}", ""))
    if report.n_quarantined:
        values.append(("quarantined rows", f"{report.n_quarantined:,}", ""))
    n_labeled = max(sum(report.class_counts.values()), 1)
    classes = [f"{name}: {n:,} rows ({percent(n / n_labeled)})" for name, n in report.class_counts.items()]
    return tiles(values) + paragraph(f"Classes: {'; '.join(classes)}", is_soft=True)


def _score_table(report: ValidationReport) -> str:
    """Return how the shares and their weights add up to the score."""
    shares, weights = report.quality.as_dict(), report.quality.weights
    rows = [
        (label, percent(shares[name]), f"{weights[name]:g}", f"{weights[name] * shares[name]:.1f}")
        for name, label in _SCORE_PARTS.items()
    ]
    total = ("score", "", f"{sum(weights.values()):g}", f"{report.quality.score:.1f}")
    return html_table(("part", "share", "weight", "points"), [*rows, total])


def _finding_cards(report: ValidationReport) -> Iterator[str]:
    """Yield a card for each rule; its findings of one level and cause share a card."""
    findings = report.notable_findings()
    if not findings:
        yield card("Every rule passes.")
        return
    shown = findings[:_MAX_FINDINGS]
    for _, group in groupby(shown, key=lambda finding: (finding.level, finding.rule, finding.cause)):
        yield _group_card(list(group))
    yield _omitted_note(len(findings) - len(shown), "findings")


def _group_card(group: list[ValidationFinding]) -> str:
    first = group[0]
    mark, rule = badge(first.level, _LEVELS[first.level]).markup, f"<code>{first.rule}</code>"
    cause = paragraph(text_with_code(first.cause), is_soft=True)
    if len(group) == 1:
        where = "" if first.column is None else f" of {_escaped(first.column)}"
        message = text_with_code(first.message).markup
        return card(f"<h3>{mark} {rule}{where}: {message}</h3>", cause, _examples(first))
    rows = [
        (finding.column or "rows", percent(finding.share), Html(text_with_code(finding.message).markup))
        for finding in group
    ]
    return card(
        f"<h3>{mark} {rule}: {pluralize(len(group), 'column')}</h3>",
        cause,
        html_table(("column", "share", "finding"), rows),
        *(_examples(finding) for finding in group),
    )


def _examples(finding: ValidationFinding) -> str:
    if not finding.rows:
        return ""
    shown = list(zip(finding.rows, finding.values, strict=True))[:_MAX_EXAMPLES]
    rows = [(f"{row:,}", Html(f"<code>{_escaped(_value_text(value))}</code>")) for row, value in shown]
    subject = "" if finding.column is None else f" of {finding.column}"
    title = f"first {len(shown)} of {finding.n_failed:,} rows{subject}"
    return details(title, html_table(("row", "value"), rows))


def _escaped(text: str) -> str:
    return text_with_code(text.replace("`", "'")).markup


def _value_text(value: str | None) -> str:
    return "missing" if value is None else shorten(value, 40)


def _omitted_note(n: int, noun: str) -> str:
    return paragraph(f"{n:,} more {noun} in the JSON report", is_soft=True) if n > 0 else ""


def _column_card(profile: ColumnProfile) -> str:
    facts = [
        ("missing", f"{profile.n_missing:,} ({percent(profile.n_missing / profile.n_rows)})"),
        ("distinct values", "over 2,000" if profile.n_distinct is None else f"{profile.n_distinct:,}"),
    ]
    if profile.mean is not None and profile.deviation is not None:
        facts.append(("mean", f"{profile.mean:.4g}"))
        facts.append(("standard deviation", f"{profile.deviation:.4g}"))
        facts.append(("range", f"{profile.low:.6g} to {profile.high:.6g}"))
        facts.append(("median", f"{profile.quantiles['50 %']:.6g}"))
    title = f"<h3>{_escaped(profile.column)} <span class=soft>{profile.kind}</span></h3>"
    return card(title, _histogram(profile), html_table((), facts))


def _histogram(profile: ColumnProfile) -> str:
    bars = [*profile.bars, ("missing", profile.n_missing)] if profile.n_missing else list(profile.bars)
    series = BarSeries("current", "of the rows", [count / profile.n_rows for _, count in bars])
    return bar_chart([_value_text(name) for name, _ in bars], [series], alt=f"Shares of values: {profile.column}")
