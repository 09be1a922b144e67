"""Serve a registered model: an engine that knows no HTTP, and beside it the HTTP that knows no model."""

from pipeline.serving.engine import Engine
from pipeline.serving.prediction_types import (
    FieldError,
    InvalidRequest,
    NotReady,
    PredictionBatch,
    PredictionWarning,
    Readiness,
)

__all__ = ["Engine", "FieldError", "InvalidRequest", "NotReady", "PredictionBatch", "PredictionWarning", "Readiness"]
