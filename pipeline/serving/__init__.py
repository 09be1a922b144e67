"""Serve a registered model: an engine that knows no HTTP, and beside it the HTTP that knows no model."""

from pipeline.serving.contracts import PredictionBatch, InvalidRequest, PredictionWarning, NotReady, FieldError, Readiness
from pipeline.serving.engine import Engine

__all__ = ["PredictionBatch", "InvalidRequest", "Engine", "NotReady", "PredictionWarning", "FieldError", "Readiness"]
