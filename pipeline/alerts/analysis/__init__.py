"""The report of an incident: since when and why, its effect on predictions and metrics, and what was done."""

from pipeline.alerts.analysis.incident_report import IncidentReport, IncidentStart, read_incident_report
from pipeline.alerts.analysis.incident_report_text import report_lines, start_text
from pipeline.alerts.analysis.incident_timeline import TimelineEvent
from pipeline.alerts.analysis.prediction_effect import PredictionEffect, PredictionPeriod
from pipeline.alerts.analysis.recommended_steps import RecommendedStep

__all__ = [
    "IncidentReport",
    "IncidentStart",
    "PredictionEffect",
    "PredictionPeriod",
    "RecommendedStep",
    "TimelineEvent",
    "read_incident_report",
    "report_lines",
    "start_text",
]
