"""Group `features`: how declared columns become numbers."""

from __future__ import annotations

from typing import Literal

from pipeline.config.groups.section import Section, setting

__all__ = ["FeaturesConfig"]


class FeaturesConfig(Section):
    """How declared columns become numbers; `auto` follows what the model says it wants."""

    missing: Literal["auto", "native", "impute"] = setting("Leave missing values to the estimator, or fill them")
    imputation: Literal["median", "mean"] = setting("What a missing number is filled with, where it is filled")
    missing_indicators: Literal["auto", "always", "never"] = setting("Whether a column tells that another was missing")
    categories: Literal["auto", "codes", "one_hot"] = setting("How words become numbers")
    scale: Literal["auto", "none", "standard"] = setting("Whether numbers are brought to mean 0 and deviation 1")
