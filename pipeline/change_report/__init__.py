"""Report what a change of the project does to settings, stages, metrics, gates and clients."""

from pipeline.change_report.change_report import ChangeReport, build_change_report
from pipeline.change_report.change_report_page import change_report_html
from pipeline.change_report.markdown import change_headline, change_report_markdown

__all__ = ["ChangeReport", "build_change_report", "change_headline", "change_report_html", "change_report_markdown"]
