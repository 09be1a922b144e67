"""The whole way of a model from a notebook: validate, train, judge, register, promote, report."""

from pipeline.lifecycle.mlops_pipeline import MLOpsPipeline
from pipeline.lifecycle.report import BestModel, MlopsReport
from pipeline.lifecycle.teaching import TrainedCandidate

__all__ = ["BestModel", "MLOpsPipeline", "MlopsReport", "TrainedCandidate"]
