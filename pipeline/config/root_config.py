"""The whole configuration as one frozen value: a validated params.yaml."""

from __future__ import annotations

from pipeline.config.groups.alerts_config import AlertsConfig
from pipeline.config.groups.data_config import DataConfig
from pipeline.config.groups.drift_config import DriftConfig
from pipeline.config.groups.engine_config import PartEngineConfig
from pipeline.config.groups.evaluation_config import EvaluationConfig
from pipeline.config.groups.fairness_config import FairnessConfig
from pipeline.config.groups.features_config import FeaturesConfig
from pipeline.config.groups.lifecycle_config import LifecycleConfig
from pipeline.config.groups.model_config import ModelConfig
from pipeline.config.groups.monitoring_config import MonitoringConfig
from pipeline.config.groups.promotion_config import PromotionConfig
from pipeline.config.groups.section import Section, setting
from pipeline.config.groups.serving_config import ServingConfig
from pipeline.config.groups.stream_config import StreamConfig
from pipeline.config.groups.tracking_config import TrackingConfig
from pipeline.config.groups.training_config import TrainingConfig
from pipeline.config.groups.validation_config import ValidationConfig

__all__ = ["Config"]


class Config(Section):
    """Every group of conf/; functions receive only their own section."""

    name: str = setting("Name of the model in the registry", pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    seed: int = setting("Seed of split, folds, estimators and resamples", ge=0, le=2**32 - 1)
    extensions: tuple[str, ...] = setting(
        "Own metrics, checks, splitters, estimators and receivers: modules such as extensions.cost, or NAME==VERSION"
    )
    data: DataConfig
    features: FeaturesConfig
    model: ModelConfig
    training: TrainingConfig
    evaluation: EvaluationConfig
    fairness: FairnessConfig
    validation: ValidationConfig
    promotion: PromotionConfig
    tracking: TrackingConfig
    monitoring: MonitoringConfig
    drift: DriftConfig
    alerts: AlertsConfig
    serving: ServingConfig
    stream: StreamConfig
    lifecycle: LifecycleConfig
    engine: PartEngineConfig
