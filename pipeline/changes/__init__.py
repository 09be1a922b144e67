"""Say what a change of the project does to settings, stages, figures, gates and callers."""

from pipeline.changes.page import change_report_html
from pipeline.changes.report import ChangeReport, build_change_report
from pipeline.changes.telling import change_headline, change_report_markdown

__all__ = ["ChangeReport", "change_headline", "change_report_markdown", "change_report_html", "build_change_report"]
