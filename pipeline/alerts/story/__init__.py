"""The story of an incident: since when and why, its effect on predictions and metrics, and what was done."""

from pipeline.alerts.story.incident_story import IncidentStart, IncidentStory, read_incident_story
from pipeline.alerts.story.incident_timeline import TimelineEvent, deployment_events
from pipeline.alerts.story.prediction_effect import PredictionEffect, PredictionPeriod
from pipeline.alerts.story.recommended_steps import RecommendedStep
from pipeline.alerts.story.story_text import story_lines

__all__ = [
    "IncidentStart",
    "IncidentStory",
    "PredictionEffect",
    "PredictionPeriod",
    "RecommendedStep",
    "TimelineEvent",
    "deployment_events",
    "read_incident_story",
    "story_lines",
]
