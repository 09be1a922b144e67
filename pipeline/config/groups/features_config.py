"""Group `features`: how features become numbers."""

from __future__ import annotations

from typing import Literal

from pipeline.config.groups.section import Section, setting

__all__ = ["FeaturesConfig"]


class FeaturesConfig(Section):
    """How features become numbers; `auto` follows the `inputs` of the model."""

    missing: Literal["auto", "native", "impute"] = setting("Pass missing values to the estimator, or impute them")
    imputation: Literal["median", "mean"] = setting("Imputed value of a missing number")
    missing_indicators: Literal["auto", "always", "never"] = setting("Whether to add an indicator of missing values")
    categories: Literal["auto", "codes", "one_hot"] = setting("Encoding of categories")
    scale: Literal["auto", "none", "standard"] = setting("Whether to scale numbers to mean 0 and standard deviation 1")
    derived: dict[str, str] = setting(
        "Further features by name: expressions over features, such as spend_per_visit: spent / visits", default={}
    )
