"""Explain predictions of one package: contributions, what-if predictions, and where the predicted class flips.

It needs the package that made the prediction and no running engine, so a prediction of a challenger or of an earlier
version is explained by its own model.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import DataError
from pipeline.serving.explanation import feature_contributions
from pipeline.serving.flip_points import find_flips
from pipeline.serving.rows.row_parser import RowParser
from pipeline.serving.scorer import RowScorer
from pipeline.serving.what_if import what_if_predictions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.package import Package
    from pipeline.serving.flip_points import Flip
    from pipeline.serving.what_if import WhatIf

__all__ = ["Explanation", "PredictionExplainer", "WhatIfResult"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The predicted class, its probability, and the contribution of each feature, the largest first."""

    prediction: str
    confidence: float
    contributions: dict[str, float]


@dataclass(frozen=True, slots=True)
class WhatIfResult:
    """The predictions with one changed feature each, and the values at which the predicted class flips."""

    variations: tuple[WhatIf, ...]
    flips: tuple[Flip, ...]


class PredictionExplainer:
    """Explains predictions of a package.

    Parameters
    ----------
    package : Package
        The one that made the predictions; its rule baseline for a prediction by the rule.
    """

    def __init__(self, package: Package) -> None:
        self.package = package
        self._parser = RowParser(package.schema, max_rows=1)
        # The logged forms of values, which need the key, are not used.
        self._scorer = RowScorer(package, many_missing=1.0, hash_key=b"")

    def parse_request(self, features: Mapping[str, Any]) -> dict[str, Any]:
        """Return the features of a request as the engine reads them; raises InvalidRequest as it does."""
        (row,) = self._parser.parse_row(json.dumps({"features": dict(features)}).encode()).rows
        return dict(zip(self.package.schema.feature_names, row, strict=True))

    def parse_logged(self, features: Mapping[str, Any]) -> dict[str, Any]:
        """Return the features of a logged prediction.

        Raises
        ------
        DataError
            When the log does not hold the value of each feature.
        """
        private = [column.name for column in self.package.schema.features if column.is_private]
        if private:
            raise DataError(
                f"the log does not hold the values of {', '.join(private)} (`store` of the column);"
                " contributions and what-if need every value"
            )
        columns = self.package.schema.features
        return {
            column.name: float(features[column.name])
            if column.kind == "float" and features.get(column.name) is not None
            else features.get(column.name)
            for column in columns
        }

    def explain(self, features: Mapping[str, Any]) -> Explanation:
        """Return the contributions to the prediction for parsed features."""
        label, confidence, contributions = feature_contributions(self._scorer, tuple(features.values()))
        ordered = sorted(contributions.items(), key=lambda item: (-abs(item[1]), item[0]))
        return Explanation(label, confidence, dict(ordered))

    def what_if(self, features: Mapping[str, Any], *, label: str) -> WhatIfResult:
        """Return the predictions for variations of parsed features, and where they differ from `label`."""
        variations = what_if_predictions(self.package, features, label=label)
        return WhatIfResult(tuple(variations), find_flips(self.package, features, variations, label=label))
