"""Manage a model from a notebook: validate, train, evaluate, register, promote, monitor, report."""

from pipeline.lifecycle.in_memory_training import TrainedCandidate
from pipeline.lifecycle.mlops_pipeline import MLOpsPipeline
from pipeline.lifecycle.mlops_report import BestModel, MlopsReport

__all__ = ["BestModel", "MLOpsPipeline", "MlopsReport", "TrainedCandidate"]
