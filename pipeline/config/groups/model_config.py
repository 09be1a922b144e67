"""Group `model`: which estimator is trained, and which inputs it takes."""

from __future__ import annotations

from typing import Any, Literal

from pipeline.config.groups.section import Section, setting

__all__ = ["EstimatorInputsConfig", "ModelConfig"]


class EstimatorInputsConfig(Section):
    """What an estimator wants its numbers to be like."""

    missing: Literal["native", "impute"] = setting("Whether it takes missing values as they are")
    categories: Literal["codes", "one_hot"] = setting("How it wants words")
    scale: Literal["none", "standard"] = setting("Whether it wants scaled numbers")


class ModelConfig(Section):
    """One estimator by import path with its arguments, and what it wants."""

    name: str = setting("Name for people and for runs", pattern=r"^[a-z][a-z0-9_]*$")
    estimator: dict[str, Any] = setting("`_target_` with the arguments of the class; members may be nested")
    inputs: EstimatorInputsConfig
