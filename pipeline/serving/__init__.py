"""Serve a registered model: an engine that knows no HTTP, and an HTTP interface that knows no model."""

from pipeline.serving.engine import Engine
from pipeline.serving.errors import FieldError, InvalidRequest, NotReady
from pipeline.serving.prediction_types import PredictionBatch, PredictionWarning, Readiness

__all__ = ["Engine", "FieldError", "InvalidRequest", "NotReady", "PredictionBatch", "PredictionWarning", "Readiness"]
