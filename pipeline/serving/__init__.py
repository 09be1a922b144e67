"""Serve a registered model: an engine that knows no HTTP, and beside it the HTTP that knows no model."""

from pipeline.serving.contracts import Answers, BodyRefused, Notice, NotReady, Problem, Readiness
from pipeline.serving.engine import Engine

__all__ = ["Answers", "BodyRefused", "Engine", "NotReady", "Notice", "Problem", "Readiness"]
