"""The whole configuration as one frozen value: what params.yaml becomes once it is checked."""

from __future__ import annotations

from pipeline.config.groups.base import Section, setting
from pipeline.config.groups.checking import ValidationConfig
from pipeline.config.groups.data import DataConfig
from pipeline.config.groups.learning import EvaluationConfig, FeaturesConfig, ModelConfig, TrainingConfig
from pipeline.config.groups.live import (
    AlertsConfig,
    DriftConfig,
    LifecycleConfig,
    MonitoringConfig,
    PromotionConfig,
    ServingConfig,
    TrackingConfig,
)

__all__ = ["Config"]


class Config(Section):
    """Every group of conf/; functions receive only their own section."""

    name: str = setting("Name of the model in the registry", pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    seed: int = setting("Seed of split, folds, estimators and resamples", ge=0, le=2**32 - 1)
    data: DataConfig
    features: FeaturesConfig
    model: ModelConfig
    training: TrainingConfig
    evaluation: EvaluationConfig
    validation: ValidationConfig
    promotion: PromotionConfig
    tracking: TrackingConfig
    monitoring: MonitoringConfig
    drift: DriftConfig
    alerts: AlertsConfig
    serving: ServingConfig
    lifecycle: LifecycleConfig
