"""Write a change report as one HTML file with inline charts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.change_report.change_summary import change_effects, change_verdict
from pipeline.change_report.markdown import change_headline, format_difference, format_interval
from pipeline.html_report import (
    Html,
    ReportHead,
    badge,
    card,
    card_grid,
    details,
    html_table,
    interval_chart,
    legend,
    line_chart,
    note,
    paragraph,
    report_page,
    section,
    text_with_code,
)
from pipeline.metrics.metric_labels import metric_label
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.change_report.change_report import ChangeReport, MetricChange
    from pipeline.evaluation import SliceChange
    from pipeline.html_report import Level, Side
    from pipeline.metrics import MetricEstimate

__all__ = ["change_report_html"]

_WORDS: Mapping[str, Level] = {
    "better": "good", "pass": "good", "promote": "good", "worse": "bad", "fail": "bad", "reject": "bad", "hold": "warn",
}  # fmt: skip
_CURVES = {
    "roc": ("ROC curve", "false positive rate", "true positive rate"),
    "calibration": ("Calibration", "predicted probability", "observed share"),
}


def change_report_html(change: ChangeReport, *, index_address: str | None = None) -> str:
    """Return the page; it needs no network, and equal reports give equal bytes.

    `index_address` is the address of the index of reports, relative to the page.
    """
    verdict, level = change_verdict(change)
    headline = change_headline(change)
    head = ReportHead("Change report", verdict, level, f"{headline[0].upper()}{headline[1:]}.", commit=change.revision)
    notes = [note(text_with_code(text), "warn") for text in change.notes]
    sections = [*notes, _summary(change), *_sections(change)]
    return report_page(head, sections, facts=[("Compared with", change.base)], index_address=index_address)


def _summary(change: ChangeReport) -> str:
    rows = [(effect.subject, badge(effect.label, effect.level), effect.text) for effect in change_effects(change)]
    return _table_section("Costs and benefits", ("subject", "effect", "what changes"), rows)


def _sections(change: ChangeReport) -> Iterator[str]:
    is_compared = not change.is_same_model
    if is_compared:
        yield _table_section(
            "Metrics on the test rows",
            ("metric", "before", "after", "difference", "verdict", "unit"),
            [_metric_row(metric) for metric in change.metrics],
        )
    yield from _gate_and_slice_sections(change)
    if is_compared:
        yield _charts(change)
    yield _table_section(
        "Settings",
        ("setting", "before", "after", "used by stages"),
        [(setting.label, setting.before, setting.after, ", ".join(setting.stages) or "none")
         for setting in change.settings],
    )  # fmt: skip
    yield _table_section(
        "Features, by severity",
        ("feature", "change", "breaks clients"),
        [(feature.column, feature.description, "yes" if feature.is_breaking else "no") for feature in change.schema],
    )
    yield _table_section(
        "Stages that dvc repro would run",
        ("stage", "reason"),
        [(stage.stage, stage.reason) for stage in change.pending_stages],
    )
    ran = [(stage.stage, stage.reason) for stage in change.executed_stages]
    if ran:
        table = html_table(("stage", "reason"), ran)
        yield section("Stages that ran", card(details(", ".join(stage for stage, _ in ran), table)))
    sizes = [f"{size_mb:g} MB" if size_mb is not None else "unknown" for size_mb in change.size_mb]
    latencies = [f"{latency_ms:.3g} ms" for latency_ms in change.latency_ms or ()]
    costs = [("package", *sizes), *([("one row", *latencies)] if latencies else [])]
    yield _table_section("Size and latency", ("part", "before", "after"), costs)


def _metric_row(metric: MetricChange) -> tuple[str | Html, ...]:
    before, after = format_interval(metric.before), format_interval(metric.after)
    label = metric_label(metric.name)
    return label, before, after, format_difference(metric.difference), _word(metric.verdict), metric.unit


def _gate_and_slice_sections(change: ChangeReport) -> Iterator[str]:
    old_verdict, new_verdict = change.gate_verdicts
    yield _table_section(
        f"Gates: {old_verdict} before, {new_verdict} after",
        ("gate", "before", "after", "reason"),
        [(gate.name, _word(gate.before or ""), _word(gate.after or ""), gate.reason) for gate in change.gates],
    )
    worse = [slice_ for slice_ in change.slices if slice_.verdict == "worse"]
    others = [slice_ for slice_ in change.slices if slice_.verdict != "worse"]
    parts = [card(_slice_table(worse))] if worse else []
    if others:
        summary = f"{pluralize(len(others), 'slice')} with a worse value, without a significant difference"
        parts.append(card(details(summary, _slice_table(others))))
    yield section("Worse slices", *parts)


def _slice_table(slices: Sequence[SliceChange]) -> str:
    head = ("slice", "rows", "metric", "before", "after", "difference", "verdict")
    rows = [
        (f"{slice_.column} = {slice_.value}", f"{slice_.n_rows:,}", metric_label(slice_.metric), f"{slice_.before:.4g}",
         f"{slice_.after:.4g}", format_difference(slice_.difference), _word(slice_.verdict))
        for slice_ in slices
    ]  # fmt: skip
    return html_table(head, rows)


def _table_section(title: str, head: Sequence[str], rows: Sequence[Sequence[str | Html]]) -> str:
    return section(title, card(html_table(head, rows))) if rows else ""


def _word(text: str) -> str | Html:
    """Return a verdict as a badge, other words as they are."""
    return badge(text, _WORDS[text]) if text in _WORDS else text


def _charts(change: ChangeReport) -> str:
    """Return the charts of metrics that differ significantly and the curves; other metrics open on demand."""
    shown, others = list[str](), list[str]()
    for metric in change.metrics:
        if chart := _interval_svg(metric):
            cards = shown if metric.verdict in ("better", "worse") else others
            cards.append(card(f"<h3>{metric_label(metric.name)}</h3>", chart))
    for name, (title, x_label, y_label) in _CURVES.items():
        before, after = change.curves.get(name, ((), ()))
        if before or after:
            lines = line_chart(
                (("reference", before), ("current", after)),
                x_label=x_label,
                y_label=y_label,
                alt=f"{title} before and after",
                has_diagonal=True,
            )
            shown.append(card(f"<h3>{title}</h3>", lines))
    if not shown and not others:
        return ""
    names = legend((("reference", "before"), ("current", "after")))
    remark = paragraph("Horizontal lines are confidence intervals.", is_soft=True)
    other_title = f"{pluralize(len(others), 'metric')} without a significant difference"
    return section("Charts", names, remark, card_grid(shown), details(other_title, card_grid(others)))


def _interval_svg(metric: MetricChange) -> str:
    """Draw the complete intervals over one axis; empty without one."""
    sides: tuple[tuple[Side, str, MetricEstimate | None], ...] = (
        ("reference", "before", metric.before),
        ("current", "after", metric.after),
    )
    intervals = [
        (side, name, estimate.value, estimate.low, estimate.high)
        for side, name, estimate in sides
        if estimate is not None
        and estimate.value is not None
        and estimate.low is not None
        and estimate.high is not None
    ]
    return interval_chart(intervals, alt=f"{metric_label(metric.name)} before and after") if intervals else ""
