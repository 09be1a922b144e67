"""Write HTML reports that load nothing from the network: one frame, one style, and the parts that reports share."""

from pipeline.html_report.page_frame import ReportHead, read_report_head, report_page, section
from pipeline.html_report.page_parts import (
    Html,
    Level,
    badge,
    card,
    card_grid,
    details,
    html_table,
    legend,
    link,
    note,
    paragraph,
    text_with_code,
    tiles,
)
from pipeline.html_report.report_charts import BarSeries, Side, bar_chart, interval_chart, line_chart, time_chart

__all__ = [
    "BarSeries",
    "Html",
    "Level",
    "ReportHead",
    "Side",
    "badge",
    "bar_chart",
    "card",
    "card_grid",
    "details",
    "html_table",
    "interval_chart",
    "legend",
    "line_chart",
    "link",
    "note",
    "paragraph",
    "read_report_head",
    "report_page",
    "section",
    "text_with_code",
    "tiles",
    "time_chart",
]
