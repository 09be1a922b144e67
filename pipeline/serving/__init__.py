"""Serve a registered model: an engine without HTTP, and the HTTP API around it."""

from pipeline.serving.engine import Engine
from pipeline.serving.prediction_types import PredictionBatch, PredictionWarning, Readiness
from pipeline.serving.serving_errors import FieldError, InvalidRequest, NotReady

__all__ = ["Engine", "FieldError", "InvalidRequest", "NotReady", "PredictionBatch", "PredictionWarning", "Readiness"]
