"""Group `model`: which estimator is trained, and which inputs it takes."""

from __future__ import annotations

from typing import Any, Literal

from pipeline.config.groups.section import Section, setting

__all__ = ["EstimatorInputsConfig", "ModelConfig"]


class EstimatorInputsConfig(Section):
    """Inputs that an estimator takes."""

    missing: Literal["native", "native_where_seen", "impute"] = setting(
        "Whether it takes missing values; native_where_seen: of columns that had some in training"
    )
    categories: Literal["codes", "one_hot"] = setting("Encoding of categories")
    scale: Literal["none", "standard"] = setting("Whether it needs scaled numbers")


class ModelConfig(Section):
    """One estimator by import path, with its arguments and inputs."""

    name: str = setting("Name in runs and reports", pattern=r"^[a-z][a-z0-9_]*$")
    estimator: dict[str, Any] = setting("`_target_` and the arguments of the class; estimators may be nested")
    inputs: EstimatorInputsConfig
