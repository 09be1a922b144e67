"""Serve a registered model: an engine that knows no HTTP, and an HTTP interface that knows no model."""

from pipeline.serving.engine import Engine
from pipeline.serving.prediction_types import PredictionBatch, PredictionWarning, Readiness
from pipeline.serving.serving_errors import FieldError, InvalidRequest, NotReady

__all__ = ["Engine", "FieldError", "InvalidRequest", "NotReady", "PredictionBatch", "PredictionWarning", "Readiness"]
